//! `tools inspect`: what is in a packed file.

use std::io::Write;
use std::path::PathBuf;

use distil_format::{Artifact, Role, Tensor};
use distil_runtime::{Plan, arena_len};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{bytes, json_line};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::keep_vocabulary::Kept;
use crate::pack::{Manifest, TensorError};
use crate::shape::Shape;

const DETAILS: &str = "\
Shows the shape, the sizes of the parts, the labels, the working memory a device needs for texts of each length, where \
the file came from and how it was packed, and for each tensor the relative error (root mean square) that packing made, \
with its worst row (output channel, table entry).";

/// Arguments of `tools inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    file: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What `tools inspect --json` prints.
#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// Bytes of the file.
    bytes: usize,
    /// The checksum in its header.
    checksum: String,
    /// Values of all tensors.
    parameters: usize,
    /// The configuration.
    config: Shape,
    /// Label names of a classifier.
    labels: Vec<String>,
    /// Entries of the vocabulary.
    vocabulary_entries: usize,
    /// The parts of the file as they lie in it.
    sections: Vec<SectionReport>,
    /// Where the bytes are.
    parts: PartsReport,
    /// Working memory for texts of each length.
    arena: Vec<ArenaReport>,
    /// Where the file came from; null if its manifest is missing or foreign.
    source: Option<SourceReport>,
    /// Every tensor, in the file's order.
    tensors: Vec<TensorReport>,
}

#[derive(Serialize, JsonSchema)]
struct SectionReport {
    name: &'static str,
    offset: usize,
    bytes: usize,
}

/// Bytes of each part.
#[derive(Serialize, JsonSchema)]
struct PartsReport {
    embeddings: usize,
    layers: usize,
    head: usize,
    vocabulary: usize,
    manifest: usize,
    /// Header, tables, labels and padding.
    rest: usize,
}

#[derive(Serialize, JsonSchema)]
struct ArenaReport {
    tokens: usize,
    /// Of the plan `fast`.
    fast_bytes: usize,
    /// Of the plan `small`.
    small_bytes: usize,
}

#[derive(Serialize, JsonSchema)]
struct SourceReport {
    /// Program and version that packed the file.
    tool: String,
    /// SHA-256 of the weights it was made from.
    sha256: String,
    weights: String,
    embeddings: String,
    layout: String,
    keep_int8: Vec<String>,
    /// What stayed of the vocabulary; null if nothing was dropped.
    kept_vocabulary: Option<Kept>,
    /// Everything that the manifest says of how the file was packed; versions differ in what that is.
    recipe: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
struct TensorReport {
    name: String,
    dtype: &'static str,
    layout: &'static str,
    rows: usize,
    cols: usize,
    bytes: usize,
    /// The error of packing it, as the manifest has it; null without one.
    error: Option<TensorError>,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let content = read_aligned(&self.file)?;
        let artifact = open(&self.file, &content)?;
        let report = Report::new(&artifact);
        if self.json { json_line(out, &report) } else { report.print(out) }
    }
}

impl Report {
    fn new(artifact: &Artifact<'_>) -> Self {
        let config = artifact.config();
        // A file whose manifest is missing or foreign still runs; it is shown without it.
        let manifest = Manifest::from_cbor(artifact.manifest()).ok();
        let error = |name: &str| {
            let records = manifest.as_ref().map(|manifest| &manifest.tensors);
            records
                .and_then(|records| records.iter().find(|record| record.name == name))
                .map(|record| record.error.clone())
        };
        let tensors = artifact.tensors().map(|tensor| {
            let name = tensor.id.to_string();
            TensorReport {
                error: error(&name),
                name,
                dtype: tensor.dtype.name(),
                layout: tensor.layout.name(),
                rows: tensor.rows,
                cols: tensor.cols,
                bytes: stored(&tensor),
            }
        });
        Self {
            bytes: artifact.len(),
            checksum: format!("{:08x}", artifact.checksum()),
            parameters: artifact.tensors().map(|tensor| tensor.rows * tensor.cols).sum(),
            config: Shape::new(config),
            labels: (0..).map_while(|label| artifact.label(label)).map(str::to_owned).collect(),
            vocabulary_entries: artifact.vocabulary().len(),
            sections: artifact
                .sections()
                .map(|(kind, range)| SectionReport { name: kind.name(), offset: range.start, bytes: range.len() })
                .collect(),
            parts: PartsReport::new(artifact),
            arena: [8, 16, 32, 64, 128, 256, 512]
                .into_iter()
                .filter(|&tokens| tokens <= config.max_positions as usize)
                .map(|tokens| ArenaReport {
                    tokens,
                    fast_bytes: arena_len(artifact, tokens, Plan::FAST),
                    small_bytes: arena_len(artifact, tokens, Plan::SMALL),
                })
                .collect(),
            source: manifest.as_ref().map(|manifest| SourceReport {
                tool: manifest.tool.clone(),
                sha256: manifest.source_sha256.clone(),
                weights: manifest.recipe.weights.clone(),
                embeddings: manifest.recipe.embeddings.clone(),
                layout: manifest.recipe.layout.clone(),
                keep_int8: manifest.recipe.keep_int8.clone(),
                kept_vocabulary: manifest.kept_vocabulary.clone(),
                recipe: recipe(artifact.manifest()),
            }),
            tensors: tensors.collect(),
        }
    }

    fn print(&self, out: &mut dyn Write) -> Result<(), Error> {
        let Shape { architecture, head, hidden, layers, heads, intermediate, .. } = self.config;
        writeln!(
            out,
            "{architecture}, {layers} layers of {hidden} ({heads} heads, feed-forward {intermediate}), head {head}"
        )?;
        let Shape { vocab_size, max_positions, token_types, pooling, normalize, .. } = self.config;
        let normalized = if normalize { ", length 1" } else { "" };
        writeln!(
            out,
            "vocabulary {vocab_size}, positions {max_positions}, token types {token_types}, pooling {pooling}{normalized}"
        )?;
        let case = if self.config.lowercase { "uncased" } else { "cased" };
        writeln!(out, "text {case}, checksum {}, {} parameters", self.checksum, self.parameters)?;
        if !self.labels.is_empty() {
            writeln!(out, "labels, {}: {}", self.config.problem, self.labels.join(", "))?;
        }
        if let Some(SourceReport { tool, sha256, recipe, kept_vocabulary, .. }) = &self.source {
            writeln!(out, "packed by {tool} from weights of sha256 {sha256}")?;
            let said: Vec<String> = recipe.iter().filter_map(|(name, value)| spoken(name, value)).collect();
            writeln!(out, "recipe: {}", said.join(", "))?;
            if let Some(Kept { entries, of, text_sha256 }) = kept_vocabulary {
                writeln!(out, "vocabulary: {entries} of {of} entries kept, for text of sha256 {text_sha256}")?;
            }
        }
        writeln!(out, "\n{:<14} {:>12}", "part", "bytes")?;
        let PartsReport { embeddings, layers, head, vocabulary, manifest, rest } = self.parts;
        let parts = [("embeddings", embeddings), ("layers", layers), ("head", head), ("vocabulary", vocabulary)];
        for (name, size) in parts.into_iter().chain([("manifest", manifest), ("rest", rest), ("file", self.bytes)]) {
            writeln!(out, "{name:<14} {size:>12}")?;
        }
        writeln!(out, "\n{:<14} {:>16} {:>16}", "tokens", "memory, fast", "memory, small")?;
        for &ArenaReport { tokens, fast_bytes, small_bytes } in &self.arena {
            writeln!(out, "{tokens:<14} {:>16} {:>16}", bytes(fast_bytes), bytes(small_bytes))?;
        }
        writeln!(
            out,
            "\n{:<34} {:>7} {:>9} {:>13} {:>12} {:>9} {:>16}",
            "tensor", "type", "layout", "shape", "bytes", "error", "worst row"
        )?;
        for tensor in &self.tensors {
            let shape = format!("{}x{}", tensor.rows, tensor.cols);
            let TensorReport { name, dtype, layout, bytes, .. } = tensor;
            write!(out, "{name:<34} {dtype:>7} {layout:>9} {shape:>13} {bytes:>12}")?;
            match &tensor.error {
                Some(error) => {
                    let worst = format!("{}: {:.3}%", error.worst_row, error.worst_row_relative * 100.0);
                    writeln!(out, " {:>8.3}% {worst:>16}", error.relative * 100.0)?
                }
                None => writeln!(out, " {:>9} {:>16}", "-", "-")?,
            }
        }
        Ok(())
    }
}

/// The manifest's recipe with every field it has, whatever version wrote it.
fn recipe(manifest: &[u8]) -> Map<String, Value> {
    let manifest: Value = ciborium::from_reader(manifest).unwrap_or_default();
    manifest.get("recipe").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// `keep int8 classifier+pre-classifier`; how many there are of what has fields of its own; nothing for what was not asked
/// for.
fn spoken(name: &str, value: &Value) -> Option<String> {
    let name = name.replace('_', " ");
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(name),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) if items.iter().all(Value::is_object) => Some(format!("{name} {}", items.len())),
        Value::Array(items) => Some(format!("{name} {}", items.iter().map(plain).collect::<Vec<_>>().join("+"))),
        Value::Object(fields) if fields.is_empty() => None,
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().filter_map(|(name, value)| spoken(name, value)).collect();
            Some(format!("{name} ({})", fields.join(", ")))
        }
        value => Some(format!("{name} {}", plain(value))),
    }
}

impl PartsReport {
    fn new(artifact: &Artifact<'_>) -> Self {
        let section =
            |name: &str| artifact.sections().find(|(kind, _)| kind.name() == name).map_or(0, |(_, range)| range.len());
        let of = |wanted: fn(Role) -> bool| {
            artifact.tensors().filter(|tensor| wanted(tensor.id.role)).map(|tensor| stored(&tensor)).sum()
        };
        let mut parts = Self {
            embeddings: of(|role| role < Role::Query),
            layers: of(Role::is_per_layer),
            head: of(|role| role > Role::OutputNormBias),
            vocabulary: section("vocabulary"),
            manifest: section("manifest"),
            rest: 0,
        };
        parts.rest = artifact.len() - parts.embeddings - parts.layers - parts.head - parts.vocabulary - parts.manifest;
        parts
    }
}

fn stored(tensor: &Tensor<'_>) -> usize {
    tensor.data.len() + tensor.scales.len()
}

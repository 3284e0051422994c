//! `tools inspect`: what is in a packed file.

use std::io::Write;
use std::path::PathBuf;

use distil_format::{Artifact, Config, Role, Tensor};
use distil_runtime::{Plan, arena_len};
use serde::Serialize;

use super::{bytes, json_line};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::pack::{Manifest, TensorError};

const DETAILS: &str = "\
Shows the shape, the sizes of the parts, the labels, the working memory a device needs for texts of each length, where \
the file came from, and for each tensor the relative error (root mean square) that packing made.";

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

#[derive(Serialize)]
struct Report {
    bytes: usize,
    checksum: String,
    parameters: usize,
    config: ConfigReport,
    labels: Vec<String>,
    vocabulary_entries: usize,
    sections: Vec<SectionReport>,
    parts: PartsReport,
    arena: Vec<ArenaReport>,
    source: Option<SourceReport>,
    tensors: Vec<TensorReport>,
}

#[derive(Serialize)]
struct ConfigReport {
    architecture: &'static str,
    head: &'static str,
    hidden: u32,
    layers: u32,
    heads: u32,
    intermediate: u32,
    vocab_size: u32,
    max_positions: u32,
    token_types: u32,
    layer_norm_eps: f32,
    pooling: &'static str,
    normalize: bool,
    problem: &'static str,
    lowercase: bool,
    strip_accents: bool,
    split_cjk: bool,
}

#[derive(Serialize)]
struct SectionReport {
    name: &'static str,
    offset: usize,
    bytes: usize,
}

/// Where the bytes are.
#[derive(Serialize)]
struct PartsReport {
    embeddings: usize,
    layers: usize,
    head: usize,
    vocabulary: usize,
    manifest: usize,
    /// Header, tables, labels and padding.
    rest: usize,
}

#[derive(Serialize)]
struct ArenaReport {
    tokens: usize,
    fast_bytes: usize,
    small_bytes: usize,
}

#[derive(Serialize)]
struct SourceReport {
    tool: String,
    sha256: String,
    weights: String,
    embeddings: String,
    layout: String,
    keep_int8: Vec<String>,
}

#[derive(Serialize)]
struct TensorReport {
    name: String,
    dtype: &'static str,
    layout: &'static str,
    rows: usize,
    cols: usize,
    bytes: usize,
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
            config: ConfigReport::new(config),
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
            }),
            tensors: tensors.collect(),
        }
    }

    fn print(&self, out: &mut dyn Write) -> Result<(), Error> {
        let ConfigReport { architecture, head, hidden, layers, heads, intermediate, .. } = self.config;
        writeln!(
            out,
            "{architecture}, {layers} layers of {hidden} ({heads} heads, feed-forward {intermediate}), head {head}"
        )?;
        let ConfigReport { vocab_size, max_positions, token_types, pooling, normalize, .. } = self.config;
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
        if let Some(SourceReport { tool, sha256, weights, embeddings, layout, keep_int8 }) = &self.source {
            let kept = keep_int8.iter().map(|role| format!(", {role} int8")).collect::<String>();
            writeln!(
                out,
                "packed by {tool}: weights {weights}, embeddings {embeddings}{kept}, layout {layout}, from sha256 {sha256}"
            )?;
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
            "\n{:<34} {:>7} {:>9} {:>13} {:>12} {:>9} {:>9}",
            "tensor", "type", "layout", "shape", "bytes", "error", "worst row"
        )?;
        for tensor in &self.tensors {
            let shape = format!("{}x{}", tensor.rows, tensor.cols);
            let TensorReport { name, dtype, layout, bytes, .. } = tensor;
            write!(out, "{name:<34} {dtype:>7} {layout:>9} {shape:>13} {bytes:>12}")?;
            match &tensor.error {
                Some(error) => {
                    writeln!(out, " {:>8.3}% {:>8.3}%", error.relative * 100.0, error.worst_row_relative * 100.0)?
                }
                None => writeln!(out, " {:>9} {:>9}", "-", "-")?,
            }
        }
        Ok(())
    }
}

impl ConfigReport {
    fn new(config: &Config) -> Self {
        Self {
            architecture: config.architecture.name(),
            head: config.head.name(),
            hidden: config.hidden,
            layers: config.layers,
            heads: config.heads,
            intermediate: config.intermediate,
            vocab_size: config.vocab_size,
            max_positions: config.max_positions,
            token_types: config.type_vocab,
            layer_norm_eps: config.layer_norm_eps,
            pooling: config.pooling.name(),
            normalize: config.normalize,
            problem: config.problem.name(),
            lowercase: config.lowercase,
            strip_accents: config.strip_accents,
            split_cjk: config.split_cjk,
        }
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

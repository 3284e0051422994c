//! `tools verify`: is the packed file as good as its original?

use std::io::Write;
use std::path::{Path, PathBuf};

use distil_format::{Artifact, Head};
use distil_kernels::Isa;
use schemars::JsonSchema;
use serde::Serialize;

use super::numbers::{parse_amount, parse_cosine, parse_share};
use super::signature::{Signed, SignedArgs};
use super::{json_line, packed, progress, working};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::hf::{HeadKind, Model};
use crate::hub;
use crate::original;
use crate::pack::Manifest;
use crate::sentences;
use crate::text::lines_of;
use crate::verify::{Comparison, LayerReport, LimitReport, Limits, TensorReport, TextReport, tensors};

const DETAILS: &str = "\
The original is computed in float by code of its own. Shows the error of every tensor with its worst channel, how far \
the hidden states are apart after every layer, and how often the head gives the same best candidate, or for an embedding \
the cosine of both vectors.

Errors are relative: |packed - float| / |float|, so that 0.01 is 1%. An error per text counts all its tokens as one \
vector. Every threshold that is given has to hold, or the exit code is 1.";

/// Arguments of `tools verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    file: PathBuf,
    /// Hugging Face folder it was made from, or the model's name on the hub; may be left out with --key, then the signature
    /// and the file's structure are all that is checked
    #[arg(long, value_name = "DIR", required_unless_present = "key")]
    against: Option<PathBuf>,
    #[command(flatten)]
    signed: SignedArgs,
    /// Texts, one per line, pairs with a tab between them [default: three built-in sentences]
    #[arg(long, value_name = "FILE", requires = "against")]
    text: Option<PathBuf>,
    /// Least cosine of packed and float hidden states, in every text
    #[arg(long, default_value_t = 0.99, value_name = "COSINE", value_parser = parse_cosine, requires = "against")]
    min_cosine: f64,
    /// Largest error of the hidden states, in every text [default: no limit]
    #[arg(long, value_name = "ERROR", value_parser = parse_amount, requires = "against")]
    max_error: Option<f64>,
    /// Least cosine of packed and float embeddings, in every text [default: no limit]
    #[arg(long, value_name = "COSINE", value_parser = parse_cosine, requires = "against")]
    min_output_cosine: Option<f64>,
    /// Least share of answers with the same best candidate, over all texts [default: no limit]
    #[arg(long, value_name = "SHARE", value_parser = parse_share, requires = "against")]
    min_agreement: Option<f64>,
    /// Largest error of a tensor [default: no limit]
    #[arg(long, value_name = "ERROR", value_parser = parse_amount, requires = "against")]
    max_tensor_error: Option<f64>,
    /// Largest error of the hidden states after any layer, in every text [default: no limit]
    #[arg(long, value_name = "ERROR", value_parser = parse_amount, requires = "against")]
    max_layer_error: Option<f64>,
    /// Instruction set to use, one that `tools bench --kernels` lists [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa, requires = "against")]
    isa: Option<Isa>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What `tools verify --json` prints.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "described, not made: each result is printed as it is")]
pub(super) enum Output {
    /// With `--against`.
    Compared(Report),
    /// Without: the signature alone.
    Signed(Signed),
}

/// The file against its original.
#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// Whether every threshold holds.
    passed: bool,
    /// Every threshold that was asked for, with what was found.
    limits: Vec<LimitReport>,
    /// Whether the manifest names the very weights that are in the folder.
    same_source: bool,
    /// The public key whose signature the file has; null if none was given.
    signed_by: Option<String>,
    /// Instruction set that computed the packed side.
    isa: &'static str,
    /// Least cosine of the last hidden states of a text.
    min_hidden_cosine: f64,
    /// Largest relative error of the last hidden states of a text.
    max_hidden_error: f64,
    /// Share of answers with the same best candidate; null for an embedding.
    agreement: Option<f64>,
    /// Least cosine of the embeddings; null for other heads.
    min_output_cosine: Option<f64>,
    /// Mean cosine of the embeddings; null for other heads.
    mean_output_cosine: Option<f64>,
    /// The hidden states after the embeddings and after each layer.
    layers: Vec<LayerReport>,
    /// Every text.
    texts: Vec<TextReport>,
    /// Every tensor, in the file's order.
    tensors: Vec<TensorReport>,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let bytes = read_aligned(&self.file)?;
        // Before anything in the file is looked at.
        let signed = self.signed.check(&self.file, &bytes)?;
        let artifact = open(&self.file, &bytes)?;
        let Some(against) = &self.against else {
            return signed.map_or(Ok(()), |signed| signed.print(out, self.json));
        };
        let folder = hub::resolve(against)?;
        let reading = working("reading the original");
        let mut original = Model::read(&folder, Some(HeadKind::from(artifact.config().head)))?;
        original::follow(&mut original, &artifact)?;
        drop(reading);
        let tensors = self.tensors(&artifact, &original, against)?;
        let texts = match &self.text {
            Some(path) => lines_of(path)?,
            None => sentences::built_in(artifact.config().head).map(str::to_owned).into(),
        };
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let bar = progress("comparing texts", texts.len());
        let comparison = Comparison::new(&model, &original, tensors, &texts, || bar.inc(1))?;
        bar.finish_and_clear();

        let limits = self.limits();
        limits.suit(&comparison).map_err(|option| self.unsuitable(option, artifact.config().head))?;
        let report = Report::new(
            limits.check(&comparison),
            Manifest::from_cbor(artifact.manifest()).is_ok_and(|manifest| manifest.source_sha256 == original.sha256),
            signed.map(|signed| signed.key),
            model.isa().name(),
            comparison,
        );
        let printed = if self.json { json_line(out, &report) } else { report.print(out) };
        // A reader that went away does not make a bad file good.
        let failed: Vec<String> =
            report.limits.iter().filter(|limit| !limit.held).map(LimitReport::to_string).collect();
        if failed.is_empty() {
            return printed;
        }
        let (file, against) = (self.file.display(), against.display());
        Err(Error::Check(format!("{file}: differs too much from {against}: {}", failed.join("; "))))
    }

    /// The error of every tensor, which also says whether both are models of the same shape.
    fn tensors(&self, artifact: &Artifact<'_>, original: &Model, against: &Path) -> Result<Vec<TensorReport>, Error> {
        let config = artifact.config();
        let shape =
            |model: &Model| [model.config.layers, model.config.heads, model.config.positions, model.config.token_types];
        let here = [config.layers, config.heads, config.max_positions, config.type_vocab].map(|size| size as usize);
        let same = shape(original) == here && original.config.architecture.name() == config.architecture.name();
        let bar = progress("comparing tensors", config.tensor_count());
        let tensors = same.then(|| tensors(artifact, original, || bar.inc(1))).flatten();
        bar.finish_and_clear();
        tensors.ok_or_else(|| {
            let message = format!("{} and {} are models of different shape", self.file.display(), against.display());
            Error::usage(message, "give the folder that the file was packed from")
        })
    }

    fn limits(&self) -> Limits {
        Limits {
            min_cosine: Some(self.min_cosine),
            max_error: self.max_error,
            min_output_cosine: self.min_output_cosine,
            min_agreement: self.min_agreement,
            max_tensor_error: self.max_tensor_error,
            max_layer_error: self.max_layer_error,
        }
    }

    fn unsuitable(&self, option: &str, head: Head) -> Error {
        let next = match head {
            Head::Embedding => "for an embedding there is --min-output-cosine",
            _ => "for this head there is --min-agreement",
        };
        Error::usage(format!("{option}: nothing to measure it on; {} has the head {head}", self.file.display()), next)
    }
}

impl Report {
    fn new(
        limits: Vec<LimitReport>,
        same_source: bool,
        signed_by: Option<String>,
        isa: &'static str,
        comparison: Comparison,
    ) -> Self {
        Self {
            passed: limits.iter().all(|limit| limit.held),
            limits,
            same_source,
            signed_by,
            isa,
            min_hidden_cosine: comparison.min_hidden_cosine(),
            max_hidden_error: comparison.max_hidden_error(),
            agreement: comparison.agreement(),
            min_output_cosine: comparison.min_output_cosine(),
            mean_output_cosine: comparison.mean_output_cosine(),
            layers: comparison.layers,
            texts: comparison.texts,
            tensors: comparison.tensors,
        }
    }

    fn print(&self, out: &mut dyn Write) -> Result<(), Error> {
        writeln!(out, "{:<34} {:>7} {:>9} {:>10} {:>18}", "tensor", "type", "error", "largest", "worst channel")?;
        for TensorReport { name, dtype, error, .. } in &self.tensors {
            let worst = format!("{}: {:.3}%", error.worst_row, error.worst_row_relative * 100.0);
            writeln!(out, "{name:<34} {dtype:>7} {:>8.3}% {:>10.2e} {worst:>18}", error.relative * 100.0, error.max)?;
        }
        let (least, largest) = ("least of a text", "largest of a text");
        writeln!(out, "\n{:<34} {:>10} {least:>17} {:>9} {largest:>18}", "hidden states after", "cosine", "error")?;
        for LayerReport { name, cosine, min_cosine, error, max_error } in &self.layers {
            let (error, max_error) = (error * 100.0, max_error * 100.0);
            writeln!(out, "{name:<34} {cosine:>10.6} {min_cosine:>17.6} {error:>8.3}% {max_error:>17.3}%")?;
        }
        writeln!(out)?;
        if !self.same_source {
            writeln!(out, "note: the file was packed from other weights than this folder has")?;
        }
        if let Some(key) = &self.signed_by {
            writeln!(out, "signature: right, by {key}")?;
        }
        let tokens: usize = self.texts.iter().map(|text| text.tokens).sum();
        writeln!(out, "{} texts, {tokens} tokens, on {}", self.texts.len(), self.isa)?;
        writeln!(
            out,
            "hidden states: least cosine {:.6}, largest relative error {:.3}%",
            self.min_hidden_cosine,
            self.max_hidden_error * 100.0
        )?;
        if let Some(share) = self.agreement {
            writeln!(out, "best candidate: the same in {:.2}%", share * 100.0)?;
        }
        if let Some((least, mean)) = self.min_output_cosine.zip(self.mean_output_cosine) {
            writeln!(out, "embedding: mean cosine {mean:.6}, least {least:.6}")?;
        }
        for limit in &self.limits {
            writeln!(out, "{} {limit}", if limit.held { "held  " } else { "FAILED" })?;
        }
        Ok(())
    }
}

//! `tools verify`: is the packed file as good as its original?

use std::io::Write;
use std::path::PathBuf;

use distil_kernels::Isa;
use serde::Serialize;

use super::signature::SignedArgs;
use super::{json_line, packed, progress};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::hf::{HeadKind, Model};
use crate::hub;
use crate::keep_vocabulary;
use crate::pack::Manifest;
use crate::sentences;
use crate::text::lines_of;
use crate::verify::{HeadReport, TensorReport, TextReport, tensors, text};

const DETAILS: &str = "\
The original is computed in float by code of its own. Shows the error of every tensor, and over the texts how far the \
hidden states are apart and how often the head gives the same best candidate. Exit code 1 if a threshold does not hold.";

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
    /// Texts, one per line [default: three built-in sentences]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Least cosine of packed and float hidden states, in every text
    #[arg(long, default_value_t = 0.99)]
    min_cosine: f64,
    /// Largest relative L2 error of the hidden states, in every text [default: no limit]
    #[arg(long)]
    max_error: Option<f64>,
    /// Instruction set to use, one that `tools bench --kernels` lists [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa)]
    isa: Option<Isa>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    passed: bool,
    /// Whether the manifest names the very weights file in the folder.
    same_source: bool,
    /// The public key whose signature the file has, if one was given.
    signed_by: Option<String>,
    isa: &'static str,
    min_hidden_cosine: f64,
    max_hidden_error: f64,
    /// Share of answers with the same best candidate; null for an embedding.
    agreement: Option<f64>,
    /// Least cosine of the embeddings; null for other heads.
    min_output_cosine: Option<f64>,
    texts: Vec<TextReport>,
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
        let config = artifact.config();
        let mut original = Model::read(&hub::resolve(against)?, Some(HeadKind::from(config.head)))?;
        keep_vocabulary::follow(&mut original, &artifact)?;
        let shape =
            |model: &Model| [model.config.layers, model.config.heads, model.config.positions, model.config.token_types];
        let here = [config.layers, config.heads, config.max_positions, config.type_vocab].map(|size| size as usize);
        let tensors = tensors(&artifact, &original)
            .filter(|_| shape(&original) == here && original.config.architecture.name() == config.architecture.name())
            .ok_or_else(|| {
                let message =
                    format!("{} and {} are models of different shape", self.file.display(), against.display());
                Error::usage(message, "give the folder that the file was packed from")
            })?;
        let texts = match &self.text {
            Some(path) => lines_of(path)?,
            None => sentences::built_in(config.head).map(str::to_owned).into(),
        };
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let mut arena = packed::arena(&artifact);
        let bar = progress("comparing", texts.len());
        let reports = texts.iter().map(|line| {
            bar.inc(1);
            text(&model, &original, &mut arena, line)
        });
        let texts: Vec<TextReport> = reports.collect::<Result<_, _>>()?;
        bar.finish_and_clear();

        let same_source =
            Manifest::from_cbor(artifact.manifest()).is_ok_and(|manifest| manifest.source_sha256 == original.sha256);
        let mut report = Report::new(texts, tensors, model.isa().name());
        report.same_source = same_source;
        report.signed_by = signed.map(|signed| signed.key);
        report.passed = report.min_hidden_cosine >= self.min_cosine
            && self.max_error.is_none_or(|limit| report.max_hidden_error <= limit);
        if self.json {
            json_line(out, &report)?
        } else {
            report.print(out)?
        }
        if report.passed {
            return Ok(());
        }
        let limit = self.max_error.map_or_else(String::new, |limit| format!(", at most {limit} relative error"));
        Err(Error::Check(format!(
            "{}: hidden states differ too much from {}: cosine {:.6}, relative error {:.4}; asked for at least {} cosine{limit}",
            self.file.display(),
            against.display(),
            report.min_hidden_cosine,
            report.max_hidden_error,
            self.min_cosine,
        )))
    }
}

impl Report {
    fn new(texts: Vec<TextReport>, tensors: Vec<TensorReport>, isa: &'static str) -> Self {
        let (mut answers, mut same, mut output_cosine) = (0, 0, None::<f64>);
        for text in &texts {
            match text.head {
                HeadReport::Embedding { output_cosine: cosine, .. } => {
                    output_cosine = Some(output_cosine.map_or(cosine, |least| least.min(cosine)));
                }
                HeadReport::Best { answers: asked, same_best, .. } => {
                    (answers, same) = (answers + asked, same + same_best)
                }
            }
        }
        Self {
            passed: false,
            same_source: false,
            signed_by: None,
            isa,
            min_hidden_cosine: texts.iter().map(|text| text.hidden_cosine).fold(1.0, f64::min),
            max_hidden_error: texts.iter().map(|text| text.hidden_error).fold(0.0, f64::max),
            agreement: (answers > 0).then(|| same as f64 / answers as f64),
            min_output_cosine: output_cosine,
            texts,
            tensors,
        }
    }

    fn print(&self, out: &mut dyn Write) -> Result<(), Error> {
        writeln!(out, "{:<34} {:>7} {:>9} {:>10} {:>18}", "tensor", "type", "error", "largest", "worst channel")?;
        for TensorReport { name, dtype, error, .. } in &self.tensors {
            let worst = format!("{}: {:.3}%", error.worst_row, error.worst_row_relative * 100.0);
            writeln!(out, "{name:<34} {dtype:>7} {:>8.3}% {:>10.2e} {worst:>18}", error.relative * 100.0, error.max)?;
        }
        writeln!(out)?;
        if let Some(key) = &self.signed_by {
            writeln!(out, "signature: right, by {key}")?;
        }
        if !self.same_source {
            writeln!(out, "note: the file was packed from another model.safetensors than this folder has")?;
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
        if let Some(cosine) = self.min_output_cosine {
            writeln!(out, "embedding: least cosine {cosine:.6}")?;
        }
        Ok(())
    }
}

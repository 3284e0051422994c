//! `tools unpack`: a packed file in, a Hugging Face folder out.

use std::io::Write;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::{bytes, json_line, progress};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::hf::{Architecture, class_name};
use crate::unpack::unpack;

const DETAILS: &str = "\
Writes the values that the packed weights stand for, as float32, so that any other tool can judge what packing made of the \
model: config.json, model.safetensors, vocab.txt and tokenizer_config.json, and for embeddings modules.json and 1_Pooling. \
The folder appears whole or not at all.";

/// Arguments of `tools unpack`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    file: PathBuf,
    /// Folder to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Replace a folder that was written by this command
    #[arg(long)]
    overwrite: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    folder: PathBuf,
    /// The class of transformers that loads it.
    class: String,
    tensors: usize,
    parameters: usize,
    /// Bytes of model.safetensors.
    bytes: u64,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let content = read_aligned(&self.file)?;
        let artifact = open(&self.file, &content)?;
        let config = artifact.config();
        let bar = progress("unpacking", config.tensor_count());
        let done = unpack(&artifact, &self.output, self.overwrite, || bar.inc(1));
        bar.finish_and_clear();
        done?;
        let weights = self.output.join("model.safetensors");
        let about = std::fs::metadata(&weights).map_err(|error| Error::Read { path: weights, error })?;
        let architecture = match config.architecture {
            distil_format::Architecture::Bert => Architecture::Bert,
            distil_format::Architecture::DistilBert => Architecture::DistilBert,
        };
        let report = Report {
            folder: self.output.clone(),
            class: class_name(architecture, config.head),
            tensors: config.tensor_count(),
            parameters: artifact.tensors().map(|tensor| tensor.rows * tensor.cols).sum(),
            bytes: about.len(),
        };
        if self.json {
            return json_line(out, &report);
        }
        Ok(writeln!(
            out,
            "{}: {} with {} parameters in {} tensors, {}",
            report.folder.display(),
            report.class,
            report.parameters,
            report.tensors,
            bytes(about.len() as usize),
        )?)
    }
}

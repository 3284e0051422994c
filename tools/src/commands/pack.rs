//! `tools pack`: a Hugging Face folder in, one file out.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use distil_format::Dtype;
use serde::Serialize;

use super::{bytes, json_line, progress};
use crate::error::Error;
use crate::files::{open, write_whole};
use crate::hf::{HeadKind, Model};
use crate::pack::{Manifest, Storage, pack};

const DETAILS: &str = "\
The folder has config.json, model.safetensors and vocab.txt (or tokenizer.json); weights, vocabulary and head go into \
the file. The same folder gives the same bytes. The file appears whole or not at all.";

/// Arguments of `tools pack`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Hugging Face folder of a `bert` or `distilbert` model
    folder: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Storage of the matrices; f32 is the yardstick for speed and quality
    #[arg(long, value_enum, default_value = "int8")]
    weights: StorageArg,
    /// Storage of the word and position tables [default: as --weights]
    #[arg(long, value_enum)]
    embeddings: Option<StorageArg>,
    /// Head to pack; auto takes the one in the folder
    #[arg(long, value_enum, default_value = "auto")]
    head: HeadArg,
    /// How token vectors become one vector [default: as 1_Pooling/config.json says, else mean]
    #[arg(long, value_enum)]
    pooling: Option<PoolingArg>,
    /// Scale embeddings to length 1 [default: as modules.json says, else not]
    #[arg(long, overrides_with = "no_normalize")]
    normalize: bool,
    /// Leave embeddings as they are
    #[arg(long, overrides_with = "normalize")]
    no_normalize: bool,
    /// Vocabulary to use in place of the folder's
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StorageArg {
    Int8,
    F32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HeadArg {
    Auto,
    Embedding,
    MaskedLm,
    SequenceClassification,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum PoolingArg {
    Mean,
    Cls,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    bytes: usize,
    parameters: usize,
    head: String,
    weights: String,
    embeddings: String,
    source_bytes: u64,
    worst_tensor: String,
    worst_relative_error: f64,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let model = Model::read(&self.folder, self.head.wanted())?;
        let vocabulary = model.vocabulary(self.vocab.as_deref())?;
        let weights = self.weights.dtype();
        let storage = Storage { weights, embeddings: self.embeddings.map_or(weights, StorageArg::dtype) };
        let mut pooling = model.pooling;
        pooling.cls = self.pooling.map_or(pooling.cls, |pooling| pooling == PoolingArg::Cls);
        pooling.normalize = self.normalize || (pooling.normalize && !self.no_normalize);

        let bar = progress("packing", 0);
        let packed = pack(&model, &vocabulary, storage, pooling, |done, count| {
            bar.set_length(count as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let packed = packed.map_err(|error| Error::Pack { folder: self.folder.clone(), error })?;
        write_whole(&self.output, &packed)?;
        let report = self.report(&packed)?;
        if self.json {
            return json_line(out, &report);
        }
        let Report { head, weights, embeddings, worst_tensor, .. } = &report;
        writeln!(
            out,
            "{}: {}, {:.0}% of the {} it was made from; {} parameters, head {head}, weights {weights}, embeddings {embeddings}",
            self.output.display(),
            bytes(report.bytes),
            report.bytes as f64 / report.source_bytes.max(1) as f64 * 100.0,
            bytes(report.source_bytes as usize),
            report.parameters,
        )?;
        Ok(writeln!(out, "largest error of a tensor: {:.3}% ({worst_tensor})", report.worst_relative_error * 100.0)?)
    }

    /// Reads the file back: what is reported is what is on the disk.
    fn report(&self, packed: &[u8]) -> Result<Report, Error> {
        let written = crate::files::read_aligned(&self.output)?;
        if written[..] != *packed {
            return Err(Error::Check(format!("{}: differs from what was written", self.output.display())));
        }
        let artifact = open(&self.output, &written)?;
        let manifest = Manifest::from_cbor(artifact.manifest()).map_err(Error::Check)?;
        let worst = manifest.tensors.iter().max_by(|a, b| a.error.relative.total_cmp(&b.error.relative));
        let source = self.folder.join("model.safetensors");
        Ok(Report {
            file: self.output.clone(),
            bytes: artifact.len(),
            parameters: artifact.tensors().map(|tensor| tensor.rows * tensor.cols).sum(),
            head: artifact.config().head.to_string(),
            weights: manifest.recipe.weights.clone(),
            embeddings: manifest.recipe.embeddings.clone(),
            source_bytes: std::fs::metadata(source).map_or(0, |about| about.len()),
            worst_tensor: worst.map_or_else(String::new, |worst| worst.name.clone()),
            worst_relative_error: worst.map_or(0.0, |worst| worst.error.relative),
        })
    }
}

impl StorageArg {
    fn dtype(self) -> Dtype {
        match self {
            Self::Int8 => Dtype::Int8,
            Self::F32 => Dtype::F32,
        }
    }
}

impl HeadArg {
    fn wanted(self) -> Option<HeadKind> {
        match self {
            Self::Auto => None,
            Self::Embedding => Some(HeadKind::Embedding),
            Self::MaskedLm => Some(HeadKind::MaskedLm),
            Self::SequenceClassification => Some(HeadKind::SequenceClassification),
        }
    }
}

//! `tools pack`: a Hugging Face folder in, one file out.

mod options;

use std::io::Write;
use std::path::PathBuf;

use distil_format::{Dtype, Layout, Role, TensorId};
use schemars::JsonSchema;
use serde::Serialize;

use self::options::{GroupArg, HeadArg, LayoutArg, PoolingArg, StorageArg, WeightsArg, parse_role};
use super::calibration::{Text, parse_bytes};
use super::{bytes, json_line, progress, signature, working};
use crate::error::Error;
use crate::files::{open, write_whole};
use crate::hf::{Model, Vocabulary};
use crate::hub;
use crate::keep_vocabulary::{Report as Kept, keep};
use crate::pack::{Calibration, Manifest, Packing, Storage, pack_calibrated, source};
use crate::signing::PrivateKey;

const DETAILS: &str = "\
The folder has config.json, model.safetensors (in one file or in shards) and vocab.txt (or tokenizer.json), or is one of \
sentence-transformers; weights, vocabulary and head go into the file. The same folder gives the same bytes. The file \
appears whole or not at all. A name that is no folder here is looked up on the Hugging Face hub and kept in its cache \
(HF_HOME, HF_HUB_OFFLINE, HF_ENDPOINT and HF_TOKEN are heeded).

Layouts are orders of the same numbers: a file in any of them runs on every chip, with the same answers, fastest where \
the layout is the chip's own:

  tile16  any chip; the fastest on x86 and on 64-bit ARM with dotprod (Cortex-A55, A75 and later)
  tile8   64-bit ARM with i8mm (Cortex-A510, A715, Neoverse V1 and later)
  tile4   64-bit ARM without dotprod (Cortex-A53, A72), Cortex-M4, M7 and M33, and Helium (Cortex-M55, M85)

int4 halves the file for a larger error: each group of 32 or 64 weights has a factor, each row a scale, both searched \
for the least squared error. 32 is nearer to the original, 64 is 3% smaller. `tools inspect` shows the error of each \
tensor; those that matter most can stay int8 (--keep-int8 classifier,position-embedding).

int3 is three quarters of int4 for twice its error or more: use it with --calibrate, and judge it on your task.

--keep-vocab drops what never occurs in a text of the kind that the model is for, one paragraph a line. Single characters \
and special tokens stay: words whose pieces all stay are cut as before, others into shorter pieces and not into [UNK] \
(where a vocabulary is such that it can happen, the command says so). A masked-LM head answers with what stayed.

--calibrate makes what the packed model computes stay near the float model on a text (one per line; some hundred lines \
like those the model will see): activations lose their constant outliers, weights are rounded so that they make up for \
each other's errors, biases and normalizations are fitted. It about halves the error of int4, and costs minutes once and \
nothing on the device.

--weights mixed measures which matrices and tables lose most in int4, and makes int8 of those that --budget has room for.";

/// Arguments of `tools pack`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Hugging Face folder of a `bert` or `distilbert` model, or its name on the hub (ORG/NAME, @REVISION)
    #[arg(value_name = "MODEL")]
    folder: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Storage of the matrices; f32 is the yardstick for speed and quality, mixed is int4 and int8 (see below)
    #[arg(long, value_enum, default_value = "int8")]
    weights: WeightsArg,
    /// Storage of the word and position tables [default: as --weights]
    #[arg(long, value_enum)]
    embeddings: Option<StorageArg>,
    /// Text to calibrate on, one per line, pairs with a tab between them; here as everywhere it may be compressed (gzip, Zstandard)
    #[arg(long, value_name = "TEXT")]
    calibrate: Option<PathBuf>,
    /// Most bytes of the file, for `--weights mixed`: 24MB, 20MiB
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    budget: Option<u64>,
    /// Weights that share a factor in int4
    #[arg(long, value_enum, default_value = "32")]
    group: GroupArg,
    /// Order of the matrices: the chip that is to run them (see below)
    #[arg(long, value_enum, default_value = "tile16")]
    layout: LayoutArg,
    /// Matrices and tables to store as int8 all the same, by their names in `tools inspect` without the layer
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = parse_role)]
    keep_int8: Vec<Role>,
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
    /// Drop the vocabulary entries that this text does not need (see below)
    #[arg(long, value_name = "TEXT")]
    keep_vocab: Option<PathBuf>,
    /// Longest input of the file in tokens, [CLS] and [SEP] included; positions beyond are left out [default: max_seq_length
    /// of a sentence-transformers folder, else all that the model has]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..))]
    max_tokens: Option<u32>,
    /// Private key to sign the file with; the signature goes to FILE.sig
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::commands) struct Report {
    file: PathBuf,
    bytes: usize,
    parameters: usize,
    /// The longest input, in tokens.
    max_tokens: u32,
    head: String,
    weights: String,
    embeddings: String,
    layout: String,
    keep_int8: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<Calibration>,
    source_bytes: usize,
    worst_tensor: String,
    worst_relative_error: f64,
    kept_vocabulary: Option<KeptReport>,
    signature: Option<PathBuf>,
}

#[derive(Serialize, JsonSchema)]
struct KeptReport {
    saved_bytes: usize,
    #[serde(flatten)]
    report: Kept,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let key = self.sign.as_deref().map(PrivateKey::read).transpose()?;
        let folder = hub::resolve(&self.folder)?;
        let reading = working("reading the model");
        let mut model = Model::read(&folder, self.head.wanted())?;
        drop(reading);
        self.limit_tokens(&mut model)?;
        let mut vocabulary = model.vocabulary(self.vocab.as_deref())?;
        let kept = self.keep_vocab(&mut model, &mut vocabulary)?;
        let mut packing = self.packing()?;
        if let Some(role) =
            packing.keep_int8.iter().find(|&&role| source(&model, TensorId { role, layer: 0 }).is_none())
        {
            let message = format!("--keep-int8 {role}: this model has no such tensor");
            return Err(Error::usage(message, "`tools inspect` lists the tensors of a packed file"));
        }
        let mut pooling = model.pooling;
        pooling.cls = self.pooling.map_or(pooling.cls, |pooling| pooling == PoolingArg::Cls);
        pooling.normalize = self.normalize || (pooling.normalize && !self.no_normalize);

        let text = self.calibrate.as_deref().map(|path| Text::read(path, &model, &vocabulary)).transpose()?;
        if let (Some(text), Some(budget)) = (&text, self.budget) {
            let room = (budget, self.embeddings.is_none());
            text.fit_budget(&model, &vocabulary, pooling, &mut packing, room)?;
        }
        let made = text.map(|text| text.calibrate(&model, &packing));
        let made = made.as_ref().map(|(made, record)| (made, record.clone()));
        let bar = progress("packing", 0);
        let packed = pack_calibrated(&model, made, &vocabulary, &packing, pooling, |done, count| {
            bar.set_length(count as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let packed = packed.map_err(|error| Error::Pack { folder: self.folder.clone(), error })?;
        if let Some(budget) = self.budget.filter(|&budget| packed.len() as u64 > budget) {
            return Err(Error::Check(format!("{} bytes are over the budget of {budget}", packed.len())));
        }
        write_whole(&self.output, &packed)?;
        let signature = key.map(|key| key.sign(&self.output, &packed)).transpose()?;
        let report = Report { signature, ..self.report(&packed, model.bytes, kept)? };
        if self.json {
            return json_line(out, &report);
        }
        let Report { max_tokens, head, weights, embeddings, layout, worst_tensor, .. } = &report;
        let kept = if report.keep_int8.is_empty() { "" } else { " (but for those kept int8)" };
        writeln!(
            out,
            "{}: {}, {:.0}% of the {} it was made from; {} parameters, inputs of up to {max_tokens} tokens, head {head}, weights {weights}, embeddings {embeddings}{kept}, layout {layout}",
            self.output.display(),
            bytes(report.bytes),
            report.bytes as f64 / report.source_bytes.max(1) as f64 * 100.0,
            bytes(report.source_bytes),
            report.parameters,
        )?;
        writeln!(out, "largest error of a tensor: {:.3}% ({worst_tensor})", report.worst_relative_error * 100.0)?;
        signature::say(out, report.signature.as_deref())?;
        match &report.kept_vocabulary {
            Some(KeptReport { saved_bytes, report }) => Ok(report.print(out, &bytes(*saved_bytes))?),
            None => Ok(()),
        }
    }

    /// Drops the positions that no input of the file is to have.
    fn limit_tokens(&self, model: &mut Model) -> Result<(), Error> {
        let positions = model.config.positions;
        match self.max_tokens.map(|most| most as usize) {
            Some(most) if most > positions => {
                let message = format!("--max-tokens {most}: the model has {positions} positions");
                return Err(Error::usage(message, "give a number up to that, or leave --max-tokens out"));
            }
            Some(most) => model.limit_tokens(most),
            None => model.limit_tokens(model.max_tokens.unwrap_or(positions)),
        }
        Ok(())
    }

    /// Drops what the text of `--keep-vocab` does not need.
    fn keep_vocab(&self, model: &mut Model, vocabulary: &mut Vocabulary) -> Result<Option<Kept>, Error> {
        let Some(path) = &self.keep_vocab else { return Ok(None) };
        let bar = progress("reading text", 0);
        let report = keep(model, vocabulary, path, |done, count| {
            bar.set_length(count as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        report.map(Some)
    }

    fn packing(&self) -> Result<Packing, Error> {
        let weights = match self.weights {
            WeightsArg::Int8 => StorageArg::Int8,
            WeightsArg::Int4 | WeightsArg::Mixed => StorageArg::Int4,
            WeightsArg::Int3 => StorageArg::Int3,
            WeightsArg::F32 => StorageArg::F32,
        };
        let weights = weights.dtype(self.group);
        self.check_calibration()?;
        let embeddings = self.embeddings.map_or(weights, |embeddings| embeddings.dtype(self.group));
        let layout = self.layout.layout();
        if weights == Dtype::F32 && layout != Layout::Tile16 {
            let message = format!("--layout {layout}: float matrices come in tile16 only");
            return Err(Error::usage(message, "leave --layout out, or use `--weights int8` or `--weights int4`"));
        }
        Ok(Packing { layout, keep_int8: self.keep_int8.clone(), ..Packing::from(Storage { weights, embeddings }) })
    }

    fn check_calibration(&self) -> Result<(), Error> {
        let wrong = |message: &str, next: &str| Err(Error::usage(message, next));
        let int4 = matches!(self.weights, WeightsArg::Int4 | WeightsArg::Mixed);
        let int3 = self.weights == WeightsArg::Int3 || matches!(self.embeddings, Some(StorageArg::Int3));
        if int3 && !int4 && self.group == GroupArg::Of64 {
            return wrong("--group 64: int3 comes in groups of 32 only", "leave --group out");
        }
        let mixed = self.weights == WeightsArg::Mixed;
        if mixed && (self.budget.is_none() || self.calibrate.is_none()) {
            let next = "add for example `--budget 24MB --calibrate TEXT`";
            return wrong("--weights mixed: needs the size to reach, and text to measure on", next);
        }
        if !mixed && self.budget.is_some() {
            return wrong("--budget: types are chosen with `--weights mixed` only", "add it, or leave --budget out");
        }
        if self.weights == WeightsArg::F32 && self.calibrate.is_some() {
            return wrong("--calibrate: float weights are not rounded", "use `--weights int8` or `--weights int4`");
        }
        Ok(())
    }

    /// Reads the file back: what is reported is what is on the disk.
    fn report(&self, packed: &[u8], source_bytes: usize, kept: Option<Kept>) -> Result<Report, Error> {
        let written = crate::files::read_aligned(&self.output)?;
        if written[..] != *packed {
            return Err(Error::Check(format!("{}: differs from what was written", self.output.display())));
        }
        let artifact = open(&self.output, &written)?;
        let manifest = Manifest::from_cbor(artifact.manifest()).map_err(Error::Check)?;
        let worst = manifest.tensors.iter().max_by(|a, b| a.error.relative.total_cmp(&b.error.relative));
        Ok(Report {
            file: self.output.clone(),
            bytes: artifact.len(),
            parameters: artifact.tensors().map(|tensor| tensor.rows * tensor.cols).sum(),
            max_tokens: artifact.config().max_positions,
            head: artifact.config().head.to_string(),
            weights: manifest.recipe.weights.clone(),
            embeddings: manifest.recipe.embeddings.clone(),
            layout: manifest.recipe.layout.clone(),
            keep_int8: manifest.recipe.keep_int8.clone(),
            calibration: manifest.recipe.calibration.clone(),
            source_bytes,
            worst_tensor: worst.map_or_else(String::new, |worst| worst.name.clone()),
            worst_relative_error: worst.map_or(0.0, |worst| worst.error.relative),
            kept_vocabulary: kept.map(|report| KeptReport { saved_bytes: report.saved(&artifact), report }),
            signature: None,
        })
    }
}

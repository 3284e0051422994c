//! `tools eval`: a labelled file in, a metric out.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

use distil_format::{Config, Pooling, Problem, Vocabulary, WriteError, build_vocabulary};
use distil_kernels::Isa;
use schemars::JsonSchema;
use serde::Serialize;

use super::numbers::parse_amount;
use super::{json_line, packed, progress, working};
use crate::error::Error;
use crate::eval::{Job, Measured, SideBySide, Subject, Task};
use crate::files::{open, read_aligned};
use crate::hf::{self, HeadKind, Model};
use crate::hub;

const DETAILS: &str = "\
Measures a packed file as a device runs it, or a Hugging Face folder in float; with --against both, side by side. Tasks:

  stsb  semantic similarity with an embedding head: correlation of the vectors' cosine with people's scores.
        Data without a header: genre, file, year, id, score, sentence, sentence, with tabs between them.
  mlm   masked tokens with a masked-LM head: 15% of each line's word pieces become [MASK]; accuracy and loss.
        Data: plain text, one text per line.
  classification
        accuracy of a classifier of which one label is right; `sst2` is another name for it.
        Data: a first line that names columns, tabs between them: sentence, label. For pairs of
        texts sentence1, sentence2, label. A label is a name or a number.
  squad question answering: exact match and F1 as the dataset's own program computes them.
        Data: a file of the dataset, such as dev-v1.1.json; read in windows of 384 tokens.";

/// Arguments of `tools eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file, Hugging Face folder, or a model's name on the hub
    file: PathBuf,
    /// Task: stsb, mlm, classification or squad
    #[arg(long)]
    task: String,
    /// Labelled data
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Hugging Face folder the file was packed from, to be measured too
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// With --against: the most that the packed file may lose of the task's first number, or the exit code is 1
    #[arg(long, value_name = "LOSS", value_parser = parse_amount, requires = "against")]
    max_drop: Option<f64>,
    /// Use only the first N lines or questions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Seed of the masking (mlm)
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Instruction set to use, one that `tools bench --kernels` lists [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa)]
    isa: Option<Isa>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What `tools eval --json` prints.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "described, not made: each result is printed as it is")]
pub(super) enum Report {
    /// One model.
    One(Measured),
    /// With `--against`.
    Two(Box<SideBySide>),
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let limit = self.limit.map(|limit| limit as usize);
        let job = Job { task: self.task.parse()?, data: self.data.clone(), limit, seed: self.seed };
        let file = hub::resolve(&self.file)?;
        if file.is_dir() {
            if self.against.is_some() {
                let message = format!("{}: a folder, and --against compares a packed file", self.file.display());
                return Err(Error::usage(message, "give the file that `tools pack` made of the folder"));
            }
            return self.print(&self.float(&job, &self.file, None)?, out);
        }
        let bytes = read_aligned(&self.file)?;
        let artifact = open(&self.file, &bytes)?;
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let measured = self.measure(&job, &self.file, &Subject::Packed(&model))?;
        let Some(folder) = &self.against else { return self.print(&measured, out) };
        let float = self.float(&job, folder, Some(artifact.config()))?;
        let report = SideBySide::new(measured, float, self.max_drop);
        let printed = self.print(&report, out);
        // A reader that went away does not make a bad file good.
        match self.max_drop {
            Some(most) if !report.passed => Err(Error::Check(format!(
                "{}: {} is {:.4} less than that of {}; at most {most} is allowed",
                self.file.display(),
                report.metric,
                -report.difference,
                folder.display()
            ))),
            _ => printed,
        }
    }

    /// Measures a folder in float; the vectors are pooled as the packed file's are, if there is one.
    fn float(&self, job: &Job, folder: &Path, packed: Option<&Config>) -> Result<Measured, Error> {
        let found = hub::resolve(folder)?;
        let reading = working("reading the original");
        let mut model = Model::read(&found, Some(HeadKind::from(job.task.head())))?;
        model.limit_tokens(match packed {
            Some(config) => config.max_positions as usize,
            None => model.max_tokens.unwrap_or(usize::MAX),
        });
        if let Some(config) = packed {
            model.pooling = hf::Pooling { cls: config.pooling == Pooling::Cls, normalize: config.normalize };
        }
        let vocabulary = model.vocabulary(None)?;
        let wrong = |error| Error::Pack { folder: folder.to_path_buf(), error };
        let bytes = build_vocabulary(&vocabulary.pieces).map_err(wrong)?;
        let searched = Vocabulary::new(&bytes).map_err(|error| wrong(WriteError::Vocabulary(error)))?;
        drop(reading);
        self.measure(job, folder, &Subject::float(&model, &vocabulary, searched))
    }

    fn measure(&self, job: &Job, path: &Path, subject: &Subject<'_>) -> Result<Measured, Error> {
        let (needed, found) = (job.task.head(), subject.config().head);
        if found != needed {
            let message =
                format!("{}: task {} needs the head {needed}, this file has {found}", path.display(), job.task.name());
            return Err(Error::usage(
                message,
                format!("pack the model with `--head {needed}`, or choose another task"),
            ));
        }
        if job.task == Task::Classification && subject.config().problem != Problem::SingleLabel {
            let message = format!("{}: its labels are {}", path.display(), subject.config().problem);
            return Err(Error::usage(message, "task classification needs a model of which one label is right"));
        }
        let bar = progress(subject.path_name(), job.count());
        let measured = job.measure(subject, || bar.inc(1));
        bar.finish_and_clear();
        measured
    }

    fn print(&self, report: &(impl Serialize + Display), out: &mut dyn Write) -> Result<(), Error> {
        if self.json { json_line(out, report) } else { Ok(writeln!(out, "{report}")?) }
    }
}

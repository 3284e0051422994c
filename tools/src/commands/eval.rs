//! `tools eval`: a labelled file in, a metric out.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

use distil_format::{Config, Pooling, Vocabulary, WriteError, build_vocabulary};
use distil_kernels::Isa;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::numbers::parse_amount;
use super::{json_line, packed, progress, working};
use crate::error::Error;
use crate::eval::{Job, Measured, Named, SideBySide, Source, Subject, Task, Ticks};
use crate::files::{open, read_aligned, write_whole};
use crate::hf::{self, HeadKind, Model};
use crate::hub;

const DETAILS: &str = "\
Measures a packed file as a device runs it, or a Hugging Face folder in float; with --against both, side by side. Tasks:

  cola, sst2, mrpc, qqp, qnli, mnli, rte, wnli
        GLUE, with its own files (dev.tsv): accuracy; of cola Matthews' correlation first; of mrpc
        and qqp F1, too. A label is a name, or a number in the task's order.
  stsb  semantic similarity: correlation with people's scores, of the vectors' cosine (embedding
        head) or of a regression. Data of GLUE, or of the STS benchmark without a header.
  classification, multi-label, regression
        data of your own with named columns (text, label): tabs between fields, .csv or .jsonl.
        Accuracy and macro F1; micro and macro F1, several labels in a field with `|`, `,` or `;`
        between them (or a list in JSON); correlations.
  tokens
        a label for each word: F1 of entities as conlleval counts them. Data: CoNLL, a word and
        its tag (the last column) a line, an empty line after a sentence.
  squad question answering, versions 1.1 and 2.0: exact match and F1 as the dataset's own
        programs compute them. Data such as dev-v1.1.json; read in windows of 384 tokens.
  mlm   masked tokens with a masked-LM head: 15% of each line's word pieces become [MASK];
        accuracy and loss. Data: plain text, one text per line.

Data may be compressed (gzip, Zstandard).";

/// Arguments of `tools eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file, Hugging Face folder, or a model's name on the hub
    file: PathBuf,
    /// Task (see below)
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
    /// Use only the first N texts, sentences, lines or questions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Column of the text, in a file of your own [default: text, sentence or sentence1]
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// Column of the second text [default: sentence2, if it is there]
    #[arg(long, value_name = "NAME")]
    pair_column: Option<String>,
    /// Column of the label [default: label, labels or score]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// Say nothing where the score of there being no answer is greater than that of the best one by more than this (squad 2.0)
    #[arg(long, value_name = "SCORE", default_value_t = 0.0, allow_negative_numbers = true)]
    null_threshold: f64,
    /// Write what was said to each question, by its id, as the dataset's own programs read it (squad)
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
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
        let job = self.job()?;
        let file = hub::resolve(&self.file)?;
        if file.is_dir() {
            if self.against.is_some() {
                let message = format!("{}: a folder, and --against compares a packed file", self.file.display());
                return Err(Error::usage(message, "give the file that `tools pack` made of the folder"));
            }
            let measured = self.float(&job, &self.file, None)?;
            self.write_predictions(&measured)?;
            return self.print(&measured, out);
        }
        let bytes = read_aligned(&self.file)?;
        let artifact = open(&self.file, &bytes)?;
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let measured = self.measure(&job, &self.file, &Subject::Packed(&model))?;
        self.write_predictions(&measured)?;
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
        let mut model = match (job.task, packed) {
            (_, Some(config)) => Model::read(&found, Some(HeadKind::from(config.head)))?,
            // By a regression if the folder has one, else by embeddings.
            (Task::Stsb, None) => {
                let own = Model::read(&found, None)?;
                match own.head {
                    HeadKind::SequenceClassification | HeadKind::Embedding => own,
                    _ => Model::read(&found, Some(HeadKind::Embedding))?,
                }
            }
            (task, None) => Model::read(&found, Some(HeadKind::from(task.head())))?,
        };
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

    fn job(&self) -> Result<Job, Error> {
        let task: Task = self.task.parse()?;
        let columns =
            Named { text: self.text_column.clone(), pair: self.pair_column.clone(), label: self.label_column.clone() };
        let has_columns = !matches!(task, Task::Mlm | Task::Tokens | Task::Squad);
        if columns != Named::default() && !has_columns {
            let message = format!("the data of task {} has no named columns", task.name());
            return Err(Error::usage(message, "leave --text-column, --pair-column and --label-column out"));
        }
        if self.predictions.is_some() && task != Task::Squad {
            let message = format!("--predictions: task {} has no questions", task.name());
            return Err(Error::usage(message, "leave it out, or use task squad"));
        }
        let limit = self.limit.map(|limit| limit as usize);
        let source = Source { data: self.data.clone(), limit, columns };
        Ok(Job { task, source, seed: self.seed, null_threshold: self.null_threshold })
    }

    fn measure(&self, job: &Job, path: &Path, subject: &Subject<'_>) -> Result<Measured, Error> {
        let (needed, found) = (job.task.head(), subject.config().head);
        if !job.task.takes(found) {
            let message =
                format!("{}: task {} needs the head {needed}, this file has {found}", path.display(), job.task.name());
            return Err(Error::usage(
                message,
                format!("pack the model with `--head {needed}`, or choose another task"),
            ));
        }
        if let Some((reason, next)) = job.task.objection(subject.config()) {
            return Err(Error::usage(format!("{}: {reason}", path.display()), next));
        }
        let bar = progress(subject.path_name(), 0);
        let ticks = Ticks { count: &|count| bar.set_length(count as u64), done: &|| bar.inc(1) };
        let measured = job.measure(subject, ticks);
        bar.finish_and_clear();
        measured
    }

    /// The file that the dataset's own programs take.
    fn write_predictions(&self, measured: &Measured) -> Result<(), Error> {
        let (Some(path), Measured::Squad(report)) = (&self.predictions, measured) else { return Ok(()) };
        let said: serde_json::Map<String, Value> =
            report.said.iter().map(|(id, said)| (id.clone(), said.clone().into())).collect();
        write_whole(path, Value::from(said).to_string().as_bytes())
    }

    fn print(&self, report: &(impl Serialize + Display), out: &mut dyn Write) -> Result<(), Error> {
        if self.json { json_line(out, report) } else { Ok(writeln!(out, "{report}")?) }
    }
}

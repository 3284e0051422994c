//! `tools eval`: a labelled file in, a metric out.

use std::io::Write;
use std::path::{Path, PathBuf};

use distil_format::{Head, Problem, Vocabulary, build_vocabulary};
use distil_kernels::Isa;

use super::{json_line, packed, progress};
use crate::error::Error;
use crate::eval::{Subject, classification, mlm, squad, stsb};
use crate::files::{open, read_aligned};
use crate::hf::{HeadKind, Model};
use crate::hub;

const DETAILS: &str = "\
Measures a packed file as a device runs it, or a Hugging Face folder in float. Tasks:

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

#[derive(Clone, Copy)]
enum Task {
    Stsb,
    Mlm,
    Classification,
    Squad,
}

impl Task {
    fn head(self) -> Head {
        match self {
            Self::Stsb => Head::Embedding,
            Self::Mlm => Head::MaskedLm,
            Self::Classification => Head::SequenceClassification,
            Self::Squad => Head::QuestionAnswering,
        }
    }
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let task = match self.task.as_str() {
            "stsb" => Task::Stsb,
            "mlm" => Task::Mlm,
            "classification" | "sst2" => Task::Classification,
            "squad" => Task::Squad,
            other => {
                let next = "the tasks are: stsb, mlm, classification, squad";
                return Err(Error::usage(format!("unknown task `{other}`"), next));
            }
        };
        let file = hub::resolve(&self.file)?;
        if file.is_dir() {
            let model = Model::read(&file, Some(HeadKind::from(task.head())))?;
            let vocabulary = model.vocabulary(None)?;
            let pack = |error| Error::Pack { folder: self.file.clone(), error };
            let bytes = build_vocabulary(&vocabulary.pieces).map_err(pack)?;
            let packed = Vocabulary::new(&bytes).map_err(|error| pack(distil_format::WriteError::Vocabulary(error)))?;
            return self.measure(task, &Subject::float(&model, &vocabulary, packed), &model.labels, out);
        }
        let bytes = read_aligned(&self.file)?;
        let artifact = open(&self.file, &bytes)?;
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let labels: Vec<String> = (0..).map_while(|index| artifact.label(index).map(str::to_owned)).collect();
        self.measure(task, &Subject::Packed(&model), &labels, out)
    }

    fn measure(&self, task: Task, subject: &Subject<'_>, labels: &[String], out: &mut dyn Write) -> Result<(), Error> {
        let limit = self.limit.map(|limit| limit as usize);
        let bar = progress("evaluating", limit.unwrap_or_else(|| count(&self.data, task)));
        let tick = || bar.inc(1);
        let needed = task.head();
        let found = subject.config().head;
        if found != needed {
            let message =
                format!("{}: task {} needs the head {needed}, this file has {found}", self.file.display(), self.task);
            return Err(Error::usage(
                message,
                format!("pack the model with `--head {needed}`, or choose another task"),
            ));
        }
        if matches!(task, Task::Classification) && subject.config().problem != Problem::SingleLabel {
            let message = format!("{}: its labels are {}", self.file.display(), subject.config().problem);
            return Err(Error::usage(message, "task classification needs a model of which one label is right"));
        }
        match task {
            Task::Classification => {
                let report = classification::run(subject, labels, &self.data, limit, tick)?;
                bar.finish_and_clear();
                if self.json {
                    return json_line(out, &report);
                }
                let classification::Report { path, texts, accuracy, .. } = report;
                Ok(writeln!(out, "classification, {path}: {:.2}% of {texts} texts", accuracy * 100.0)?)
            }
            Task::Squad => {
                let window = packed::WINDOW.min(subject.config().max_positions as usize);
                let report = squad::run(subject, &self.data, limit, window, tick)?;
                bar.finish_and_clear();
                if self.json {
                    return json_line(out, &report);
                }
                let squad::Report { path, questions, exact_match, f1, .. } = report;
                let (exact, f1) = (exact_match * 100.0, f1 * 100.0);
                Ok(writeln!(out, "squad, {path}: exact match {exact:.2}, F1 {f1:.2} over {questions} questions")?)
            }
            Task::Stsb => {
                let report = stsb::run(subject, &self.data, limit, tick)?;
                bar.finish_and_clear();
                if self.json {
                    return json_line(out, &report);
                }
                let stsb::Report { path, pairs, spearman, pearson, .. } = report;
                Ok(writeln!(out, "stsb, {path}: Spearman {spearman:.4}, Pearson {pearson:.4} over {pairs} pairs")?)
            }
            Task::Mlm => {
                let report = mlm::run(subject, &self.data, limit, self.seed, tick)?;
                bar.finish_and_clear();
                if self.json {
                    return json_line(out, &report);
                }
                let mlm::Report { path, lines, masked, accuracy, loss, .. } = report;
                let percent = accuracy * 100.0;
                Ok(writeln!(
                    out,
                    "mlm, {path}: {percent:.2}% of {masked} masked tokens in {lines} lines, loss {loss:.4}"
                )?)
            }
        }
    }
}

/// For the progress bar; a file that cannot be read is reported by the task.
fn count(path: &Path, task: Task) -> usize {
    let Ok(bytes) = std::fs::read(path) else { return 0 };
    match task {
        Task::Squad => bytes.windows(11).filter(|key| key == b"\"question\":").count(),
        _ => bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count(),
    }
}

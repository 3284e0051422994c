//! `tools eval`: a labelled file in, a metric out.

use std::io::Write;
use std::path::{Path, PathBuf};

use distil_format::{Head, Vocabulary, build_vocabulary};
use distil_kernels::Isa;

use super::{json_line, packed, progress};
use crate::error::Error;
use crate::eval::{Subject, mlm, stsb};
use crate::files::{open, read_aligned};
use crate::hf::{HeadKind, Model};

const DETAILS: &str = "\
Measures a packed file as a device runs it, or a Hugging Face folder in float. Tasks:

  stsb  semantic similarity with an embedding head: correlation of the vectors' cosine with people's scores.
        Data without a header: genre, file, year, id, score, sentence, sentence, with tabs between them.
  mlm   masked tokens with a masked-LM head: 15% of each line's word pieces become [MASK]; accuracy and loss.
        Data: plain text, one text per line.";

/// Arguments of `tools eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file, or Hugging Face folder
    file: PathBuf,
    /// Task: stsb or mlm
    #[arg(long)]
    task: String,
    /// Labelled data
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Use only the first N lines
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
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let task = match self.task.as_str() {
            "stsb" => Task::Stsb,
            "mlm" => Task::Mlm,
            other => return Err(Error::usage(format!("unknown task `{other}`"), "the tasks are: stsb, mlm")),
        };
        if self.file.is_dir() {
            let head = match task {
                Task::Stsb => HeadKind::Embedding,
                Task::Mlm => HeadKind::MaskedLm,
            };
            let model = Model::read(&self.file, Some(head))?;
            let vocabulary = model.vocabulary(None)?;
            let pack = |error| Error::Pack { folder: self.file.clone(), error };
            let bytes = build_vocabulary(&vocabulary.pieces).map_err(pack)?;
            let packed = Vocabulary::new(&bytes).map_err(|error| pack(distil_format::WriteError::Vocabulary(error)))?;
            return self.measure(task, &Subject::float(&model, &vocabulary, packed), out);
        }
        let bytes = read_aligned(&self.file)?;
        let artifact = open(&self.file, &bytes)?;
        let model = packed::model(&self.file, &artifact, self.isa)?;
        self.measure(task, &Subject::Packed(&model), out)
    }

    fn measure(&self, task: Task, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), Error> {
        let limit = self.limit.map(|limit| limit as usize);
        let bar = progress("evaluating", limit.unwrap_or_else(|| count_lines(&self.data)));
        let tick = || bar.inc(1);
        let needed = match task {
            Task::Stsb => Head::Embedding,
            Task::Mlm => Head::MaskedLm,
        };
        let found = subject.config().head;
        if found != needed {
            let message =
                format!("{}: task {} needs the head {needed}, this file has {found}", self.file.display(), self.task);
            return Err(Error::usage(
                message,
                format!("pack the model with `--head {needed}`, or choose another task"),
            ));
        }
        match task {
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
fn count_lines(path: &Path) -> usize {
    std::fs::read(path).map_or(0, |bytes| bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count())
}

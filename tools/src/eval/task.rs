//! The tasks, and what each measures.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use distil_format::Head;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Subject, classification, mlm, squad, stsb};
use crate::error::Error;

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Semantic similarity.
    Stsb,
    /// Masked tokens.
    Mlm,
    /// Classification of texts.
    Classification,
    /// Question answering.
    Squad,
}

/// Tokens at once in which an answer is looked for, where the model takes as many: what models for SQuAD are trained with.
pub const WINDOW: usize = 384;

impl Task {
    /// Every task.
    pub const ALL: [Self; 4] = [Self::Stsb, Self::Mlm, Self::Classification, Self::Squad];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stsb => "stsb",
            Self::Mlm => "mlm",
            Self::Classification => "classification",
            Self::Squad => "squad",
        }
    }

    /// The head it needs.
    pub fn head(self) -> Head {
        match self {
            Self::Stsb => Head::Embedding,
            Self::Mlm => Head::MaskedLm,
            Self::Classification => Head::SequenceClassification,
            Self::Squad => Head::QuestionAnswering,
        }
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let names = || Self::ALL.map(Self::name).join(", ");
        let name = if name == "sst2" { "classification" } else { name };
        let task = Self::ALL.into_iter().find(|task| task.name() == name);
        task.ok_or_else(|| Error::usage(format!("unknown task `{name}`"), format!("the tasks are: {}", names())))
    }
}

/// A task on data.
#[derive(Clone, Debug)]
pub struct Job {
    /// The task.
    pub task: Task,
    /// Labelled data.
    pub data: PathBuf,
    /// How many of its first lines to use; all if not given.
    pub limit: Option<usize>,
    /// Seed of the masking.
    pub seed: u64,
}

impl Job {
    /// Measures a subject of the task's head; `tick` is called for each line.
    pub fn measure(&self, subject: &Subject<'_>, tick: impl Fn() + Sync) -> Result<Measured, Error> {
        Ok(match self.task {
            Task::Stsb => Measured::Stsb(stsb::run(subject, &self.data, self.limit, tick)?),
            Task::Mlm => Measured::Mlm(mlm::run(subject, &self.data, self.limit, self.seed, tick)?),
            Task::Classification => {
                let labels = subject.labels();
                Measured::Classification(classification::run(subject, &labels, &self.data, self.limit, tick)?)
            }
            Task::Squad => {
                let window = WINDOW.min(subject.config().max_positions as usize);
                Measured::Squad(squad::run(subject, &self.data, self.limit, window, tick)?)
            }
        })
    }

    /// How often [`Job::measure`] ticks: for the progress bar, so a file that cannot be read counts 0 and is reported by
    /// the task.
    pub fn count(&self) -> usize {
        let count = |bytes: Vec<u8>| match self.task {
            Task::Squad => bytes.windows(11).filter(|key| key == b"\"question\":").count(),
            _ => bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count(),
        };
        self.limit.unwrap_or_else(|| std::fs::read(&self.data).map_or(0, count))
    }
}

/// What was measured; its JSON is that of the task.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Measured {
    /// Semantic similarity.
    Stsb(stsb::Report),
    /// Masked tokens.
    Mlm(mlm::Report),
    /// Classification of texts.
    Classification(classification::Report),
    /// Question answering.
    Squad(squad::Report),
}

impl Measured {
    /// The number by which models are compared, with its name; more is better.
    pub fn metric(&self) -> (&'static str, f64) {
        match self {
            Self::Stsb(report) => ("spearman", report.spearman),
            Self::Mlm(report) => ("accuracy", report.accuracy),
            Self::Classification(report) => ("accuracy", report.accuracy),
            Self::Squad(report) => ("exact_match", report.exact_match),
        }
    }

    /// The vectors of each text, where the task has any.
    pub fn embeddings(&self) -> Option<impl Iterator<Item = &[f32]>> {
        match self {
            Self::Stsb(report) => Some(report.embeddings.iter().flatten().map(Vec::as_slice)),
            Self::Mlm(_) | Self::Classification(_) | Self::Squad(_) => None,
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stsb(stsb::Report { path, pairs, spearman, pearson, .. }) => {
                write!(f, "stsb, {path}: Spearman {spearman:.4}, Pearson {pearson:.4} over {pairs} pairs")
            }
            Self::Mlm(mlm::Report { path, lines, masked, accuracy, loss, .. }) => {
                let percent = accuracy * 100.0;
                write!(f, "mlm, {path}: {percent:.2}% of {masked} masked tokens in {lines} lines, loss {loss:.4}")
            }
            Self::Classification(classification::Report { path, texts, accuracy, .. }) => {
                write!(f, "classification, {path}: {:.2}% of {texts} texts", accuracy * 100.0)
            }
            Self::Squad(squad::Report { path, questions, exact_match, f1, .. }) => {
                let (exact, f1) = (exact_match * 100.0, f1 * 100.0);
                write!(f, "squad, {path}: exact match {exact:.2}, F1 {f1:.2} over {questions} questions")
            }
        }
    }
}

//! The tasks, and what each measures.

use std::fmt;
use std::str::FromStr;

use distil_format::{Config, Head, Problem};
use schemars::JsonSchema;
use serde::Serialize;

use super::classification::{Report as Classes, SetReport, ValueReport, run_sets, run_stsb, run_values};
use super::{Glue, Source, Subject, Ticks, classification, mlm, squad, stsb, tokens};
use crate::error::Error;

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Semantic similarity, by embeddings or by a regression.
    Stsb,
    /// Masked tokens.
    Mlm,
    /// A task of GLUE with one right label.
    Glue(Glue),
    /// One right label for each text.
    Classification,
    /// Any number of labels for each text.
    MultiLabel,
    /// A number for each text.
    Regression,
    /// A label for each word.
    Tokens,
    /// Question answering.
    Squad,
}

/// Tokens at once in which an answer is looked for, where the model takes as many: what models for SQuAD are trained with.
pub const WINDOW: usize = 384;

impl Task {
    /// Every task.
    pub fn all() -> impl Iterator<Item = Self> {
        let before = [Self::Stsb, Self::Mlm].into_iter();
        let after = [Self::Classification, Self::MultiLabel, Self::Regression, Self::Tokens, Self::Squad];
        before.chain(Glue::ALL.map(Self::Glue)).chain(after)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stsb => "stsb",
            Self::Mlm => "mlm",
            Self::Glue(task) => task.name(),
            Self::Classification => "classification",
            Self::MultiLabel => "multi-label",
            Self::Regression => "regression",
            Self::Tokens => "tokens",
            Self::Squad => "squad",
        }
    }

    /// The head it needs; another one may serve, too ([`Task::takes`]).
    pub fn head(self) -> Head {
        match self {
            Self::Stsb => Head::Embedding,
            Self::Mlm => Head::MaskedLm,
            Self::Glue(_) | Self::Classification | Self::MultiLabel | Self::Regression => Head::SequenceClassification,
            Self::Tokens => Head::TokenClassification,
            Self::Squad => Head::QuestionAnswering,
        }
    }

    /// Whether a model with this head can be asked.
    pub fn takes(self, head: Head) -> bool {
        head == self.head() || (self == Self::Stsb && head == Head::SequenceClassification)
    }

    /// How a classifier of texts has to read its scores.
    pub fn problem(self) -> Problem {
        match self {
            Self::MultiLabel => Problem::MultiLabel,
            Self::Regression | Self::Stsb => Problem::Regression,
            _ => Problem::SingleLabel,
        }
    }

    /// Why a model with the right head cannot be asked, and what to do about it.
    pub fn objection(self, config: &Config) -> Option<(String, String)> {
        if config.head != Head::SequenceClassification {
            return None;
        }
        let (wanted, found) = (self.problem(), config.problem);
        if found != wanted {
            let fitting = match found {
                Problem::SingleLabel => "classification, or one of GLUE's",
                Problem::MultiLabel => "multi-label",
                Problem::Regression => "regression, or stsb",
            };
            let said = format!("its scores are read as {found}, and task {} needs {wanted}", self.name());
            return Some((said, format!("the task for this model is {fitting}")));
        }
        let labels = match self {
            Self::Glue(task) => task.labels().len() as u32,
            Self::Stsb | Self::Regression => 1,
            _ => config.labels,
        };
        let said = || format!("it has {} labels, and task {} has {labels}", config.labels, self.name());
        (labels != config.labels).then(|| (said(), "use a model that was trained for this task".to_owned()))
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let names = || Self::all().map(Self::name).collect::<Vec<_>>().join(", ");
        let task = Self::all().find(|task| task.name() == name);
        task.ok_or_else(|| Error::usage(format!("unknown task `{name}`"), format!("the tasks are: {}", names())))
    }
}

/// A task on data.
#[derive(Clone, Debug)]
pub struct Job {
    /// The task.
    pub task: Task,
    /// Labelled data.
    pub source: Source,
    /// Seed of the masking.
    pub seed: u64,
    /// By how much the score of there being no answer has to be greater than that of the best one.
    pub null_threshold: f64,
}

impl Job {
    /// Measures a subject that suits the task.
    pub fn measure(&self, subject: &Subject<'_>, ticks: Ticks<'_>) -> Result<Measured, Error> {
        let source = &self.source;
        let classes = |task| classification::run(subject, task, source, ticks).map(Measured::Classes);
        match self.task {
            Task::Stsb if subject.config().head == Head::Embedding => {
                stsb::run(subject, source, ticks).map(Measured::Stsb)
            }
            Task::Stsb => run_stsb(subject, source, ticks).map(Measured::Stsb),
            Task::Mlm => mlm::run(subject, source, self.seed, ticks).map(Measured::Mlm),
            Task::Glue(task) => classes(Some(task)),
            Task::Classification => classes(None),
            Task::MultiLabel => run_sets(subject, source, ticks).map(Measured::Sets),
            Task::Regression => run_values(subject, source, ticks).map(Measured::Values),
            Task::Tokens => tokens::run(subject, source, ticks).map(Measured::Tokens),
            Task::Squad => {
                let window = WINDOW.min(subject.config().max_positions as usize);
                squad::run(subject, source, (window, self.null_threshold), ticks).map(Measured::Squad)
            }
        }
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
    /// One right label.
    Classes(Classes),
    /// Sets of labels.
    Sets(SetReport),
    /// Numbers.
    Values(ValueReport),
    /// Labels of words.
    Tokens(tokens::Report),
    /// Question answering.
    Squad(squad::Report),
}

/// A number that a task measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Its name in the JSON.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Its value.
    pub value: f64,
    /// Whether people read it in percent.
    pub percent: bool,
}

impl Measured {
    /// Every number by which models are compared, the task's own first; more is better.
    pub fn figures(&self) -> Vec<Figure> {
        let share = |key, title, value| Some(Figure { key, title, value, percent: true });
        let plain = |key, title, value| Some(Figure { key, title, value, percent: false });
        let correlations =
            |spearman, pearson| vec![plain("spearman", "Spearman", spearman), plain("pearson", "Pearson", pearson)];
        let figures = match self {
            Self::Stsb(report) => correlations(report.spearman, report.pearson),
            Self::Mlm(report) => vec![share("accuracy", "accuracy", report.accuracy)],
            Self::Classes(report) => vec![
                report.matthews.and_then(|value| plain("matthews", "Matthews", value)),
                share("accuracy", "accuracy", report.accuracy),
                report.f1.and_then(|value| share("f1", "F1", value)),
                report.macro_f1.and_then(|value| share("macro_f1", "macro F1", value)),
            ],
            Self::Sets(report) => vec![
                share("micro_f1", "micro F1", report.micro_f1),
                share("macro_f1", "macro F1", report.macro_f1),
                share("exact", "all labels right", report.exact),
            ],
            Self::Values(report) => correlations(report.spearman, report.pearson),
            Self::Tokens(report) => vec![
                report.f1.and_then(|value| share("f1", "F1 of entities", value)),
                report.precision.and_then(|value| share("precision", "precision", value)),
                report.recall.and_then(|value| share("recall", "recall", value)),
                share("accuracy", "accuracy of words", report.accuracy),
            ],
            Self::Squad(report) => {
                vec![share("exact_match", "exact match", report.exact_match), share("f1", "F1", report.f1)]
            }
        };
        figures.into_iter().flatten().collect()
    }

    /// The task, the path, and on how much it was measured.
    pub fn names(&self) -> (&'static str, &'static str, String) {
        let texts = |texts: &usize| format!("{texts} texts");
        match self {
            Self::Stsb(stsb::Report { task, path, pairs, .. }) => (task, path, format!("{pairs} pairs")),
            Self::Mlm(mlm::Report { task, path, masked, lines, .. }) => {
                (task, path, format!("{masked} masked tokens in {lines} lines"))
            }
            Self::Classes(Classes { task, path, texts: count, .. })
            | Self::Sets(SetReport { task, path, texts: count, .. })
            | Self::Values(ValueReport { task, path, texts: count, .. }) => (task, path, texts(count)),
            Self::Tokens(tokens::Report { task, path, sentences, words, .. }) => {
                (task, path, format!("{words} words in {sentences} sentences"))
            }
            Self::Squad(squad::Report { task, path, questions, .. }) => (task, path, format!("{questions} questions")),
        }
    }

    /// The vectors of each text, where the task has any.
    pub fn embeddings(&self) -> Option<impl Iterator<Item = &[f32]>> {
        match self {
            Self::Stsb(report) if !report.embeddings.is_empty() => {
                Some(report.embeddings.iter().flatten().map(Vec::as_slice))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent {
            true => write!(f, "{:.2}%", self.value * 100.0),
            false => write!(f, "{:.4}", self.value),
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (task, path, count) = self.names();
        let figures: Vec<String> = self.figures().iter().map(|figure| format!("{} {figure}", figure.title)).collect();
        write!(f, "{task}, {path}: {} over {count}", figures.join(", "))?;
        match self {
            Self::Mlm(report) => write!(f, ", loss {:.4}", report.loss),
            Self::Squad(squad::Report { version_2: Some(more), .. }) => {
                let percent = |share: f64| share * 100.0;
                write!(
                    f,
                    "\n  {} with an answer: exact match {:.2}%, F1 {:.2}%; {} without: {:.2}%\n  best threshold for exact match {:.3} ({:.2}%), for F1 {:.3} ({:.2}%); used: {}",
                    more.with_answer,
                    percent(more.with_answer_exact_match),
                    percent(more.with_answer_f1),
                    more.without_answer,
                    percent(more.without_answer_exact_match),
                    more.best_exact_match_threshold,
                    percent(more.best_exact_match),
                    more.best_f1_threshold,
                    percent(more.best_f1),
                    more.null_threshold
                )
            }
            _ => Ok(()),
        }
    }
}

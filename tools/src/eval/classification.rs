//! Classifiers and regressions of texts or pairs of texts: GLUE's tasks, and files of one's own.

use rayon::prelude::*;
use serde::Serialize;

use super::examples::{Example, class, read, set, unknown};
use super::glue::{Glue, OWN, STSB};
use super::stats::{pearson, spearman};
use super::subject::best;
use super::{Source, Subject, Ticks, scores, stsb};
use crate::error::Error;

const NEXT_LABEL: &str = "a label is a name of the model's or its number; `tools inspect` lists them";
const NEXT_VALUE: &str = "the label of a regression is a number";

/// One label is right; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// `classification`, or the task's name in GLUE.
    pub task: &'static str,
    /// `packed`, or `float` for the original.
    pub path: &'static str,
    /// Texts.
    pub texts: usize,
    /// Texts that lost their end because the model has too few positions.
    pub truncated: usize,
    /// Matthews' correlation; `cola` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matthews: Option<f64>,
    /// Share of the texts whose best label is right.
    pub accuracy: f64,
    /// F1 of the second label; `mrpc` and `qqp` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Mean of the F1 of the labels that occur or are said; `classification` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f64>,
}

/// Each label is right or not; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct SetReport {
    /// `multi-label`.
    pub task: &'static str,
    /// `packed`, or `float` for the original.
    pub path: &'static str,
    /// Texts.
    pub texts: usize,
    /// Texts that lost their end because the model has too few positions.
    pub truncated: usize,
    /// F1 over all decisions, one a text and label.
    pub micro_f1: f64,
    /// Mean of the labels' F1; that of a label which is never said and never right is 0.
    pub macro_f1: f64,
    /// Share of the texts all of whose labels are right.
    pub exact: f64,
}

/// A number; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct ValueReport {
    /// `regression`.
    pub task: &'static str,
    /// `packed`, or `float` for the original.
    pub path: &'static str,
    /// Texts.
    pub texts: usize,
    /// Texts that lost their end because the model has too few positions.
    pub truncated: usize,
    /// Pearson's correlation of what was said with what is right.
    pub pearson: f64,
    /// Spearman's rank correlation, equal values sharing their mean rank.
    pub spearman: f64,
    /// Root of the mean squared difference.
    pub root_mean_square: f64,
}

/// Classifies the texts of a file; GLUE's tasks have files of their own.
pub fn run(subject: &Subject<'_>, task: Option<Glue>, source: &Source, ticks: Ticks<'_>) -> Result<Report, Error> {
    let labels = subject.labels();
    let columns = task.map_or(OWN, Glue::columns);
    let skip = task.is_some_and(Glue::has_broken_lines);
    let examples = read(source.place(), columns, &source.columns, skip, NEXT_LABEL, |field| {
        class(field, &labels, task).ok_or_else(|| unknown(field, &labels))
    })?;
    let (said, truncated) = answers(subject, &examples, ticks, best)?;
    let right: Vec<usize> = examples.iter().map(|example| example.gold).collect();
    let second = task.and_then(|task| class(task.labels()[1], &labels, Some(task))).unwrap_or(1);
    Ok(Report {
        task: task.map_or("classification", Glue::name),
        path: subject.path_name(),
        texts: said.len(),
        truncated,
        matthews: (task == Some(Glue::Cola)).then(|| scores::matthews(&said, &right)),
        accuracy: scores::accuracy(&said, &right),
        f1: task.is_some_and(Glue::has_f1).then(|| scores::f1_of(second, &said, &right)),
        macro_f1: task.is_none().then(|| scores::macro_f1(&said, &right)),
    })
}

/// Sets of labels: those with a probability of at least one half.
pub fn run_sets(subject: &Subject<'_>, source: &Source, ticks: Ticks<'_>) -> Result<SetReport, Error> {
    let labels = subject.labels();
    let examples = read(source.place(), OWN, &source.columns, false, NEXT_LABEL, |field| set(field, &labels))?;
    let holding = |scores: &[f32]| scores.iter().map(|&score| score >= 0.0).collect::<Vec<bool>>();
    let (said, truncated) = answers(subject, &examples, ticks, holding)?;
    let right: Vec<Vec<bool>> = examples.into_iter().map(|example| example.gold).collect();
    let (micro_f1, macro_f1) = scores::f1_of_sets(&said, &right);
    Ok(SetReport {
        task: "multi-label",
        path: subject.path_name(),
        texts: said.len(),
        truncated,
        micro_f1,
        macro_f1,
        exact: scores::accuracy(&said, &right),
    })
}

/// A number for each text.
pub fn run_values(subject: &Subject<'_>, source: &Source, ticks: Ticks<'_>) -> Result<ValueReport, Error> {
    let examples = read(source.place(), OWN, &source.columns, false, NEXT_VALUE, value)?;
    stsb::enough(examples.len(), source)?;
    let (said, right, truncated) = values(subject, &examples, ticks)?;
    let squares = said.iter().zip(&right).map(|(said, right)| (said - right).powi(2)).sum::<f64>();
    Ok(ValueReport {
        task: "regression",
        path: subject.path_name(),
        texts: said.len(),
        truncated,
        pearson: pearson(&said, &right),
        spearman: spearman(&said, &right),
        root_mean_square: (squares / said.len() as f64).sqrt(),
    })
}

/// STS-B with a regression.
pub fn run_stsb(subject: &Subject<'_>, source: &Source, ticks: Ticks<'_>) -> Result<stsb::Report, Error> {
    let examples = read(source.place(), STSB, &source.columns, false, stsb::NEXT, value)?;
    stsb::enough(examples.len(), source)?;
    let (said, right, _) = values(subject, &examples, ticks)?;
    Ok(stsb::Report {
        task: "stsb",
        path: subject.path_name(),
        pairs: said.len(),
        spearman: spearman(&said, &right),
        pearson: pearson(&said, &right),
        embeddings: Vec::new(),
    })
}

/// A field that is a finite number.
pub(super) fn value(field: &str) -> Result<f64, String> {
    let number = field.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| format!("`{field}` is no number"))
}

/// What was said and what is right, and how many texts were cut.
fn values(
    subject: &Subject<'_>,
    examples: &[Example<f64>],
    ticks: Ticks<'_>,
) -> Result<(Vec<f64>, Vec<f64>, usize), Error> {
    let (said, truncated) = answers(subject, examples, ticks, |scores| f64::from(scores[0]))?;
    Ok((said, examples.iter().map(|example| example.gold).collect(), truncated))
}

/// What `read` makes of each text's scores, and how many texts were cut.
fn answers<G: Sync, A: Send>(
    subject: &Subject<'_>,
    examples: &[Example<G>],
    ticks: Ticks<'_>,
    read: impl Fn(&[f32]) -> A + Sync,
) -> Result<(Vec<A>, usize), Error> {
    ticks.start(examples.len());
    let sequencer = subject.sequencer();
    let most = subject.config().max_positions as usize;
    let one = |arena: &mut Vec<u8>, example: &Example<G>| {
        let (sequence, cut) = sequencer.fitting(&example.text, example.pair.as_deref(), most);
        let answer = read(&subject.classes(arena, &sequence)?);
        ticks.one();
        Ok((answer, cut))
    };
    let each = examples.par_iter().map_init(|| vec![0; subject.arena_len()], one);
    let results: Vec<(A, bool)> = each.collect::<Result<_, Error>>()?;
    let cut = results.iter().filter(|(_, cut)| *cut).count();
    Ok((results.into_iter().map(|(answer, _)| answer).collect(), cut))
}

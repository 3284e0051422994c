//! A task as the trainer sees it.

use super::answers::exact_and_f1;
use super::loss::{
    binary_cross_entropy, cross_entropy, soft_binary_cross_entropy, soft_cross_entropy, soft_span_cross_entropy,
    span_cross_entropy, squares,
};
use super::metrics::{accuracy, f1, macro_f1, matthews, micro_f1, pearson, spearman};
use super::{Data, FinetuneConfig, Targets, Task, predict};
use crate::data::Batch;
use crate::model::{Model, Problem};
use crate::ops::Dropout;
use crate::trainer::{Course, Judgement, LOSSES, TaskLosses};
use crate::{Error, Result};
use candle_core::{DType, Tensor};
use serde_json::{Map, Value, json};

/// Fine-tuning of a student, with or without a teacher that was fine-tuned for the same task.
#[derive(Debug)]
pub struct FinetuneCourse<'a> {
    /// The model being trained.
    pub student: &'a Model,
    /// The one it learns from.
    pub teacher: Option<&'a Model>,
    /// Task and losses.
    pub config: &'a FinetuneConfig,
    /// Weight of each class.
    pub weights: &'a [f64],
    /// Training data.
    pub train: &'a Data,
    /// Held-out data; what follows its first has a name, which its figures carry (MNLI has two).
    pub dev: &'a [(&'static str, Data)],
}

/// The targets of some examples.
fn chosen<T: Clone>(all: &[T], examples: &[u32]) -> Vec<T> {
    examples.iter().map(|&i| all[i as usize].clone()).collect()
}

/// Rows of truths: 1 for labels that are right.
fn truths(sets: &[Vec<u32>], labels: usize) -> Vec<f32> {
    let mut truths = vec![0.0; sets.len() * labels];
    for (i, set) in sets.iter().enumerate() {
        set.iter().for_each(|&label| truths[i * labels + label as usize] = 1.0);
    }
    truths
}

impl FinetuneCourse<'_> {
    /// Weight of each example of a batch.
    fn weights_of(&self, examples: &[u32]) -> Vec<f64> {
        match &self.train.targets {
            Targets::Classes(all) => chosen(all, examples).iter().map(|&class| self.weights[class as usize]).collect(),
            Targets::Values(_) | Targets::Sets(_) | Targets::Spans(_) => vec![1.0; examples.len()],
        }
    }

    /// The loss of the labels.
    fn hard(&self, scores: &Tensor, starts: &[usize], examples: &[u32]) -> Result<Tensor> {
        let device = scores.device();
        Ok(match &self.train.targets {
            Targets::Classes(all) => cross_entropy(scores, &chosen(all, examples), &self.weights_of(examples))?,
            Targets::Values(all) => squares(scores, &Tensor::new(chosen(all, examples), device)?)?,
            Targets::Spans(all) => span_cross_entropy(scores, starts, &chosen(all, examples))?,
            Targets::Sets(all) => {
                let (n, labels) = scores.dims2()?;
                let truths = truths(&chosen(all, examples), labels);
                binary_cross_entropy(scores, &Tensor::from_vec(truths, (n, labels), device)?)?
            }
        })
    }

    /// The loss of the teacher's scores.
    fn soft(&self, student: &Tensor, teacher: &Tensor, starts: &[usize]) -> Result<Tensor> {
        let t = self.config.temperature;
        if self.config.task == Task::Squad {
            return Ok(soft_span_cross_entropy(student, teacher, starts, t)?);
        }
        Ok(match self.config.task.problem() {
            Problem::SingleLabel => soft_cross_entropy(student, teacher, t)?,
            Problem::MultiLabel => soft_binary_cross_entropy(student, teacher, t)?,
            Problem::Regression => squares(student, &teacher.detach().flatten_all()?)?,
        })
    }

    /// Squared differences of hidden states, mean over tokens, numbers and compared layers: embeddings to embeddings, and each layer to
    /// the one it is mapped to.
    fn hidden(&self, student: &[Tensor], teacher: &[Tensor]) -> Result<Tensor> {
        let map = self.config.layer_map.as_deref().unwrap_or_default();
        let pairs = std::iter::once((0, 0)).chain((1..).zip(map.iter().map(|layer| layer + 1)));
        let mut sum: Option<Tensor> = None;
        for (mine, theirs) in pairs {
            let (Some(mine), Some(theirs)) = (student.get(mine), teacher.get(theirs)) else {
                return Err(Error::Config("the layer map names a layer that a model has not got".into()));
            };
            let difference = (mine.to_dtype(DType::F32)? - theirs.detach().to_dtype(DType::F32)?)?;
            let loss = (difference.sqr()?.mean_all()? / (map.len() + 1) as f64)?;
            sum = Some(match sum {
                Some(sum) => (sum + loss)?,
                None => loss,
            });
        }
        sum.ok_or_else(|| Error::Config("no hidden states to compare".into()))
    }
}

impl crate::trainer::Task for FinetuneCourse<'_> {
    fn names(&self) -> [&'static str; LOSSES] {
        let soft = if self.config.alpha > 0.0 { "loss_soft" } else { "" };
        let hidden = if self.config.alpha_hidden > 0.0 { "loss_hidden" } else { "" };
        ["loss_labels", soft, hidden, ""]
    }

    fn amounts(&self, batch: &Batch) -> [f64; LOSSES] {
        let labels = self.weights_of(&batch.examples).iter().sum();
        [labels, batch.examples.len() as f64, batch.rows() as f64, 0.0]
    }

    fn losses(&self, batch: &Batch, shares: [f64; LOSSES], dropout: &mut Dropout) -> Result<TaskLosses> {
        let device = self.student.device();
        let tokens = batch.tokens(device)?;
        let empty = || Error::Config("a model without layers".into());
        let config = self.config;
        let taught = match self.teacher.filter(|_| config.needs_teacher()) {
            Some(teacher) => {
                let states = teacher.hidden_states(&tokens, &mut Dropout::off())?;
                let last = states.last().ok_or_else(empty)?;
                Some((teacher.scores(last, &tokens.sequences, &mut Dropout::off())?, states))
            }
            None => None,
        };
        let states = self.student.hidden_states(&tokens, dropout)?;
        let scores = self.student.scores(states.last().ok_or_else(empty)?, &tokens.sequences, dropout)?;
        let hard = self.hard(&scores, tokens.sequences.starts(), &batch.examples)?;
        let mut total = (&hard * ((1.0 - config.alpha) * shares[0]))?;
        let zero = Tensor::zeros((), DType::F32, device)?;
        let mut parts = [hard, zero.clone(), zero.clone(), zero];
        if let Some((taught, their_states)) = taught {
            if config.alpha > 0.0 {
                let soft = self.soft(&scores, &taught, tokens.sequences.starts())?;
                total = (total + (&soft * (config.alpha * shares[1]))?)?;
                parts[1] = soft;
            }
            if config.alpha_hidden > 0.0 {
                let hidden = self.hidden(&states, &their_states)?;
                total = (total + (&hidden * (config.alpha_hidden * shares[2]))?)?;
                parts[2] = hidden;
            }
        }
        Ok(TaskLosses { total, parts })
    }
}

impl Course for FinetuneCourse<'_> {
    fn lengths(&self) -> Vec<usize> {
        self.train.lengths().collect()
    }

    fn grouped(&self) -> bool {
        false
    }

    fn draw(&self, _index: u64, sequences: &[u32]) -> Result<Batch> {
        Ok(self.train.batch(sequences))
    }

    fn judge(&self) -> Result<Option<Judgement>> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let (mut figures, mut score) = (Map::new(), f64::NAN);
        for (i, (name, data)) in self.dev.iter().enumerate() {
            let found = figures_of(self.config, &predict(self.student, data)?, data);
            if i == 0 {
                score = main_score(self.config.task, &found);
            }
            let suffix = if i == 0 { String::new() } else { format!("_{name}") };
            figures.extend(found.into_iter().map(|(key, value)| (key + &suffix, json!(value))));
        }
        let text = figures.iter().map(|(name, value)| match value.as_f64() {
            Some(value) if name.starts_with("loss") => format!("{name} {value:.4}"),
            Some(value) => format!("{name} {:.2}", 100.0 * value),
            None => format!("{name} undefined"),
        });
        let text = text.collect::<Vec<_>>().join(", ");
        figures.insert("score".into(), json!(score));
        Ok(Some(Judgement { figures: Value::Object(figures), text, loss: -score }))
    }

    fn patience(&self) -> Option<usize> {
        self.config.patience
    }
}

/// The figures of a task by name, from scores and what is right.
pub(super) fn figures_of(config: &FinetuneConfig, scores: &[Vec<f32>], data: &Data) -> Vec<(String, f64)> {
    let task = config.task;
    let best = |scores: &[f32]| (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
    let labels = scores.first().map_or(0, Vec::len);
    let figures: Vec<(&str, f64)> = match &data.targets {
        Targets::Classes(right) => {
            let predicted: Vec<u32> = scores.iter().map(|scores| best(scores) as u32).collect();
            let mut figures = vec![("accuracy", accuracy(&predicted, right))];
            match task {
                Task::Cola => figures.insert(0, ("matthews", matthews(&predicted, right))),
                Task::Mrpc | Task::Qqp => figures.push(("f1", f1(&predicted, right))),
                Task::Classification => figures.push(("macro_f1", macro_f1(&predicted, right, labels))),
                _ => {}
            }
            figures
        }
        Targets::Values(right) => {
            let right: Vec<f64> = right.iter().map(|&value| value.into()).collect();
            let predicted: Vec<f64> = scores.iter().map(|scores| scores[0].into()).collect();
            let squares = predicted.iter().zip(&right).map(|(p, r)| (p - r) * (p - r)).sum::<f64>();
            vec![
                ("pearson", pearson(&predicted, &right)),
                ("spearman", spearman(&predicted, &right)),
                ("loss_squares", squares / right.len() as f64),
            ]
        }
        Targets::Spans(_) => {
            let none = Default::default();
            let reading = data.reading.as_ref().unwrap_or(&none);
            let (exact, f1) = exact_and_f1(reading, scores, config.null_threshold as f32);
            vec![("exact_match", exact), ("f1", f1)]
        }
        Targets::Sets(right) => {
            let chosen = |scores: &Vec<f32>| (0..labels as u32).filter(|&i| scores[i as usize] > 0.0).collect();
            let predicted: Vec<Vec<u32>> = scores.iter().map(chosen).collect();
            let exact = predicted.iter().zip(right).filter(|(p, r)| p == r).count() as f64 / right.len() as f64;
            vec![("micro_f1", micro_f1(&predicted, right)), ("exact", exact)]
        }
    };
    figures.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// The one number that a model is judged by, as in GLUE's tables: the mean where a task has two.
fn main_score(task: Task, figures: &[(String, f64)]) -> f64 {
    let get = |name: &str| figures.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| *value);
    match task {
        Task::Cola => get("matthews"),
        Task::Mrpc | Task::Qqp => (get("f1") + get("accuracy")) / 2.0,
        Task::Stsb | Task::Regression => (get("pearson") + get("spearman")) / 2.0,
        Task::MultiLabel => get("micro_f1"),
        Task::Squad => get("f1"),
        _ => get("accuracy"),
    }
}

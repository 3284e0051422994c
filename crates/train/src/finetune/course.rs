//! A task as the trainer sees it.

use super::attention::divergence;
use super::figures::{figures_of, main_score};
use super::loss::{
    binary_cross_entropy, cross_entropy, soft_binary_cross_entropy, soft_cross_entropy, soft_span_cross_entropy,
    span_cross_entropy, squares,
};
use super::tagging::Tags;
use super::{Augment, Data, FinetuneConfig, Targets, Task, predict};
use crate::data::Batch;
use crate::model::{Model, Problem};
use crate::ops::{Dropout, Sequences};
use crate::rng::{Purpose, stream};
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
    /// Seed of the run.
    pub seed: u64,
    /// Makes variants of it, where the recipe asks for some.
    pub augment: Option<&'a Augment>,
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

/// Rows of the labelled tokens of some sentences whose first rows are `starts`, and their labels.
fn labelled(all: &[Tags], starts: &[usize], examples: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let rows = |(&i, &start): (&u32, &usize)| {
        all[i as usize].seen().map(move |(token, label)| (start as u32 + token, label)).collect::<Vec<_>>()
    };
    examples.iter().zip(starts).flat_map(rows).unzip()
}

impl FinetuneCourse<'_> {
    /// Weight of each example of a batch, or of each of its labelled tokens.
    fn weights_of(&self, examples: &[u32]) -> Vec<f64> {
        let weight = |class: u32| self.weights[class as usize];
        match &self.train.targets {
            Targets::Classes(all) => chosen(all, examples).into_iter().map(weight).collect(),
            Targets::Tags(all) => {
                let seen = examples.iter().flat_map(|&i| all[i as usize].seen());
                seen.map(|(_, label)| weight(label)).collect()
            }
            Targets::Values(_) | Targets::Sets(_) | Targets::Spans(_) => vec![1.0; examples.len()],
        }
    }

    /// Those examples of a batch that have labels, as a mask: variants have none.
    fn originals<'b>(&self, examples: &'b [u32]) -> impl Iterator<Item = bool> + use<'_, 'b> {
        examples.iter().map(|&i| (i as usize) < self.train.len())
    }

    /// The loss of the labels, over the examples that have some.
    fn hard(&self, scores: &Tensor, starts: &[usize], examples: &[u32]) -> Result<Tensor> {
        if self.augment.is_none() {
            return self.labels(scores, starts, examples);
        }
        let rows: Vec<u32> = (0..).zip(self.originals(examples)).filter(|(_, own)| *own).map(|(row, _)| row).collect();
        if rows.is_empty() {
            return Ok(Tensor::zeros((), DType::F32, scores.device())?);
        }
        let examples: Vec<u32> = rows.iter().map(|&row| examples[row as usize]).collect();
        // Only tasks with one row of scores for each text have variants.
        self.labels(&scores.index_select(&Tensor::new(rows, scores.device())?, 0)?, starts, &examples)
    }

    /// The loss of the labels of some examples.
    fn labels(&self, scores: &Tensor, starts: &[usize], examples: &[u32]) -> Result<Tensor> {
        let device = scores.device();
        Ok(match &self.train.targets {
            Targets::Classes(all) => cross_entropy(scores, &chosen(all, examples), &self.weights_of(examples))?,
            Targets::Values(all) => squares(scores, &Tensor::new(chosen(all, examples), device)?)?,
            Targets::Spans(all) => span_cross_entropy(scores, starts, &chosen(all, examples))?,
            Targets::Tags(all) => {
                let (rows, right) = labelled(all, starts, examples);
                let scores = scores.index_select(&Tensor::new(rows, device)?, 0)?;
                cross_entropy(&scores, &right, &self.weights_of(examples))?
            }
            Targets::Sets(all) => {
                let (n, labels) = scores.dims2()?;
                let truths = truths(&chosen(all, examples), labels);
                binary_cross_entropy(scores, &Tensor::from_vec(truths, (n, labels), device)?)?
            }
        })
    }

    /// The loss of the teacher's scores.
    fn soft(&self, student: &Tensor, teacher: &Tensor, starts: &[usize], examples: &[u32]) -> Result<Tensor> {
        let t = self.config.temperature;
        if let Targets::Tags(all) = &self.train.targets {
            let rows = Tensor::new(labelled(all, starts, examples).0, student.device())?;
            return Ok(soft_cross_entropy(&student.index_select(&rows, 0)?, &teacher.index_select(&rows, 0)?, t)?);
        }
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

    /// The divergence of the attention of each layer from that of the one it is mapped to, mean over tokens, heads and layers.
    fn attention(&self, student: &[Tensor], teacher: (&Model, &[Tensor]), sequences: &Sequences) -> Result<Tensor> {
        let map = self.config.layer_map.as_deref().unwrap_or_default();
        let missing = || Error::Config("the layer map names a layer that a model has not got".into());
        let mut sum = Tensor::zeros((), DType::F32, self.student.device())?;
        for (mine, &theirs) in map.iter().enumerate() {
            let taught = teacher.0.queries_and_keys(theirs, teacher.1).ok_or_else(missing)??;
            let own = self.student.queries_and_keys(mine, student).ok_or_else(missing)??;
            sum = (sum + divergence(&own, &taught, sequences, self.student.config.heads)?)?;
        }
        Ok((sum / map.len().max(1) as f64)?)
    }
}

impl crate::trainer::Task for FinetuneCourse<'_> {
    fn names(&self) -> [&'static str; LOSSES] {
        let soft = if self.config.alpha > 0.0 { "loss_soft" } else { "" };
        let hidden = if self.config.alpha_hidden > 0.0 { "loss_hidden" } else { "" };
        let attention = if self.config.alpha_attention > 0.0 { "loss_attention" } else { "" };
        ["loss_labels", soft, hidden, attention]
    }

    fn amounts(&self, batch: &Batch) -> [f64; LOSSES] {
        // One weight for all that has a label; a teacher has scores for variants, too.
        let (all, own) = (&batch.examples, self.originals(&batch.examples));
        let own: Vec<u32> = all.iter().zip(own).filter(|(_, own)| *own).map(|(&i, _)| i).collect();
        let weights = self.weights_of(&own);
        let scored = weights.len() + all.len() - own.len();
        let rows = batch.rows() as f64;
        [weights.iter().sum(), scored as f64, rows, rows]
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
                Some((teacher, teacher.scores(last, &tokens.sequences, &mut Dropout::off())?, states))
            }
            None => None,
        };
        let states = self.student.hidden_states(&tokens, dropout)?;
        let scores = self.student.scores(states.last().ok_or_else(empty)?, &tokens.sequences, dropout)?;
        let hard = self.hard(&scores, tokens.sequences.starts(), &batch.examples)?;
        let mut total = (&hard * ((1.0 - config.alpha) * shares[0]))?;
        let zero = Tensor::zeros((), DType::F32, device)?;
        let mut parts = [hard, zero.clone(), zero.clone(), zero];
        if let Some((teacher, taught, their_states)) = taught {
            if config.alpha > 0.0 {
                let soft = self.soft(&scores, &taught, tokens.sequences.starts(), &batch.examples)?;
                total = (total + (&soft * (config.alpha * shares[1]))?)?;
                parts[1] = soft;
            }
            if config.alpha_hidden > 0.0 {
                let hidden = self.hidden(&states, &their_states)?;
                total = (total + (&hidden * (config.alpha_hidden * shares[2]))?)?;
                parts[2] = hidden;
            }
            if config.alpha_attention > 0.0 {
                let attention = self.attention(&states, (teacher, &their_states), &tokens.sequences)?;
                total = (total + (&attention * (config.alpha_attention * shares[3]))?)?;
                parts[3] = attention;
            }
        }
        Ok(TaskLosses { total, parts })
    }
}

impl Course for FinetuneCourse<'_> {
    fn lengths(&self) -> Vec<usize> {
        // A variant is at most as long as what it was made from.
        let variants = self.augment.map_or(0, |augment| augment.variants);
        let all: Vec<usize> = self.train.lengths().collect();
        all.repeat(1 + variants)
    }

    fn grouped(&self) -> bool {
        false
    }

    fn draw(&self, index: u64, sequences: &[u32]) -> Result<Batch> {
        Ok(match self.augment {
            None => self.train.batch(sequences),
            Some(augment) => {
                let mut rng = stream(self.seed, Purpose::Augmentation, index);
                self.train.varied(sequences, augment, &mut rng)
            }
        })
    }

    fn judge(&self) -> Result<Option<Judgement>> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let names = self.student.config.head.labels().map_or(&[][..], |labels| &labels.names);
        let (mut figures, mut score) = (Map::new(), f64::NAN);
        for (i, (name, data)) in self.dev.iter().enumerate() {
            let found = figures_of(self.config, &predict(self.student, data)?, data, names);
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

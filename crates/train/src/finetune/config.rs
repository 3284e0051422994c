//! The values of fine-tuning in a recipe.

use super::tagging::Tags;
use super::{Targets, Task};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a run is fine-tuned for, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinetuneConfig {
    /// The task.
    pub task: Task,
    /// Longest sequence in tokens.
    pub max_length: usize,
    /// Tokens that neighbouring windows of a paragraph share.
    pub stride: usize,
    /// No answer is given unless it scores so much more than none, where questions may have none.
    pub null_threshold: f64,
    /// Weights of the classes in the loss.
    pub class_weights: ClassWeights,
    /// The run ends when so many evaluations in a row were not the best; none: never before its last step.
    pub patience: Option<usize>,
    /// Keeps the embeddings as they are.
    pub freeze_embeddings: bool,
    /// Share of the teacher's soft targets in the loss; the rest is that of the labels. 0 without a teacher.
    pub alpha: f64,
    /// Temperature of the soft targets.
    pub temperature: f64,
    /// Weight of the squared differences of hidden states; 0: they are not compared.
    pub alpha_hidden: f64,
    /// Weight of the divergence of attentions; 0: they are not compared.
    #[serde(default)]
    pub alpha_attention: f64,
    /// Variants of each example in an epoch, on which the student learns from the teacher alone.
    #[serde(default)]
    pub augment: usize,
    /// The teacher's layer for each layer of the student, for hidden states and attention.
    pub layer_map: Option<Vec<usize>>,
}

/// Weights of the classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All the same.
    #[default]
    Equal,
    /// `texts / (classes x texts of the class)`, or the same of labelled words, so that every class counts the same.
    Balanced,
    /// As given.
    Given(Vec<f64>),
}

impl FinetuneConfig {
    /// The usual values.
    pub fn new(task: Task) -> Self {
        Self {
            task,
            max_length: if task == Task::Squad { 384 } else { 128 },
            stride: 128,
            null_threshold: 0.0,
            class_weights: ClassWeights::Equal,
            patience: None,
            freeze_embeddings: false,
            alpha: 0.0,
            temperature: 2.0,
            alpha_hidden: 0.0,
            alpha_attention: 0.0,
            augment: 0,
            layer_map: None,
        }
    }

    /// Fails on values that cannot work.
    pub fn check(&self) -> Result<()> {
        let weights = match &self.class_weights {
            ClassWeights::Given(weights) => weights.iter().all(|w| w.is_finite() && *w > 0.0),
            _ => true,
        };
        let conditions = [
            (self.null_threshold.is_finite(), "--null-threshold must be a number"),
            (self.max_length >= 8, "--max-length must be at least 8"),
            ((0.0..=1.0).contains(&self.alpha), "--alpha must lie in [0, 1]"),
            (self.temperature.is_finite() && self.temperature > 0.0, "the temperature must be positive"),
            (self.alpha_hidden.is_finite() && self.alpha_hidden >= 0.0, "--alpha-hidden must be at least 0"),
            (self.alpha_attention.is_finite() && self.alpha_attention >= 0.0, "--alpha-attention must be at least 0"),
            (
                self.augment == 0 || self.needs_teacher(),
                "--augment needs a teacher's scores or states: variants have no labels",
            ),
            (
                self.augment == 0 || !matches!(self.task, Task::Squad | Task::Tokens),
                "--augment is for tasks with a label for each text",
            ),
            (self.patience != Some(0), "--patience must be at least 1"),
            (weights, "class weights must be positive"),
        ];
        match conditions.iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(Error::Config((*message).into())),
            None => Ok(()),
        }
    }

    /// Whether layers of the student are compared with the teacher's.
    pub fn compares_layers(&self) -> bool {
        self.alpha_hidden > 0.0 || self.alpha_attention > 0.0
    }

    /// Whether a teacher takes part.
    pub fn needs_teacher(&self) -> bool {
        self.alpha > 0.0 || self.compares_layers()
    }
}

impl ClassWeights {
    /// The weight of each of `labels` classes.
    ///
    /// # Errors
    /// Weights for other than classes, or for another number of them.
    pub fn of(&self, targets: &Targets, labels: usize) -> Result<Vec<f64>> {
        let classes = match (self, targets) {
            (Self::Equal, _) => return Ok(vec![1.0; labels]),
            (_, Targets::Classes(classes)) => Cow::Borrowed(classes),
            (_, Targets::Tags(all)) => Cow::Owned(all.iter().flat_map(Tags::seen).map(|(_, label)| label).collect()),
            _ => return Err(Error::Config("--class-weights are for tasks in which one label is right".into())),
        };
        if let Self::Given(weights) = self {
            return match weights.len() == labels {
                true => Ok(weights.clone()),
                false => {
                    let given = weights.len();
                    Err(Error::Config(format!("--class-weights has {given} weights for {labels} labels")))
                }
            };
        }
        let mut counts = vec![0usize; labels];
        classes.iter().for_each(|&class| counts[class as usize] += 1);
        let occurring = counts.iter().filter(|&&count| count > 0).count() as f64;
        // A class that does not occur has no weight to take.
        let weight = |&count: &usize| if count == 0 { 1.0 } else { classes.len() as f64 / (occurring * count as f64) };
        Ok(counts.iter().map(weight).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_count_the_same() {
        let targets = Targets::Classes(vec![0, 0, 0, 2]);
        // A word that the model does not see has no weight.
        let tags = |labels: &[u32], places| Tags { labels: labels.to_vec(), places };
        let words = [tags(&[0, 1, 0], vec![Some(1), None, Some(2)]), tags(&[2, 0], vec![Some(1), Some(3)])];
        for targets in [&targets, &Targets::Tags(words.to_vec())] {
            assert_eq!(ClassWeights::Balanced.of(targets, 3).unwrap(), [4.0 / 6.0, 1.0, 2.0]);
        }
        assert_eq!(ClassWeights::Equal.of(&targets, 3).unwrap(), [1.0; 3]);
        assert_eq!(ClassWeights::Given(vec![1.0, 2.0, 3.0]).of(&targets, 3).unwrap(), [1.0, 2.0, 3.0]);
        let error = ClassWeights::Given(vec![1.0]).of(&targets, 3).unwrap_err().to_string();
        assert!(error.contains("1 weights for 3 labels"), "{error}");
        assert!(ClassWeights::Balanced.of(&Targets::Values(vec![1.0]), 1).is_err());
    }

    #[test]
    fn variants_need_a_teacher_and_texts() {
        let config = |task, alpha| FinetuneConfig { augment: 2, alpha, ..FinetuneConfig::new(task) };
        assert!(config(Task::Sst2, 0.5).check().is_ok());
        for (task, alpha, words) in
            [(Task::Sst2, 0.0, "a teacher's scores"), (Task::Squad, 0.5, "a label for each text")]
        {
            let error = config(task, alpha).check().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}

//! Every value that a run depends on, in one file that is saved beside the results.

use crate::finetune::FinetuneConfig;
use crate::loss::Objective;
use crate::optim::AdamWConfig;
use crate::qat::QatConfig;
use crate::schedule::Schedule;
use crate::{Error, Result, files};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How targets of the masked LM are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskingConfig {
    /// Share of a batch's tokens to predict.
    pub share: f64,
    /// A token is drawn with weight `max(count, 1)^-smoothing`.
    pub smoothing: f64,
    /// Share of the targets shown as `[MASK]`.
    pub mask: f64,
    /// Share shown unchanged; the rest is shown as a random token.
    pub keep: f64,
}

impl MaskingConfig {
    /// Every token equally likely, as BERT was pretrained, and as models are compared: figures over
    /// held-out text then speak of text as it is, not of its rare words.
    pub const UNIFORM: Self = Self { share: 0.15, smoothing: 0.0, mask: 0.8, keep: 0.1 };
}

/// The recipe of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Sequences in a batch.
    pub batch_size: usize,
    /// Batches whose gradients are averaged before a step; the effective batch is the product.
    pub accumulation: usize,
    /// Parts of a batch that are computed at the same time. Fixed by the recipe and not by the machine, because sums
    /// depend on it in their last bits.
    pub parts: usize,
    /// Passes over the data, when `steps` is not given.
    pub epochs: f64,
    /// Optimizer steps; overrides `epochs`.
    pub steps: Option<usize>,
    /// Seed of everything random.
    pub seed: u64,
    /// Weights of the losses.
    pub objective: Objective,
    /// Learning rate over time.
    pub schedule: Schedule,
    /// Optimizer constants.
    pub optimizer: AdamWConfig,
    /// Masked-LM targets.
    pub masking: MaskingConfig,
    /// Dropout of hidden states and attention probabilities.
    pub dropout: f64,
    /// Keeps the position embeddings as they are.
    pub freeze_positions: bool,
    /// First values of a student.
    pub init: Init,
    /// Teacher layer for each student layer; none: as many as half of the teacher's, spread evenly.
    pub layer_map: Option<Vec<usize>>,
    /// What to do when the hidden states of student and teacher differ in width.
    pub hidden_mismatch: HiddenMismatch,
    /// Copies the dense layer and LayerNorm of the teacher's masked-LM head into the student.
    pub copy_transform: bool,
    /// The packed file that the last steps are trained for; none: all steps are taken in float.
    #[serde(default)]
    pub qat: Option<QatConfig>,
    /// The task that is fine-tuned for; none: the losses of masked text above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finetune: Option<FinetuneConfig>,
}

/// Where a student's first values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Embeddings and layers of the teacher
    Teacher,
    /// Random weights
    Random,
}

/// What to do when the cosine loss meets hidden states of different width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HiddenMismatch {
    /// Stop with a message
    Error,
    /// Learn a projection of the student's hidden states; it is not part of the student
    Project,
}

/// Named starting points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// The published DistilBERT recipe: 2,000 sequences a step, 5e-4, 3 epochs, seed 56
    Distilbert,
    /// Small models on small text on a CPU: 64 sequences a step, 1e-3, no dropout
    Tiny,
}

impl Recipe {
    /// The values of a preset for distillation.
    pub fn preset(preset: Preset) -> Self {
        let published = Self {
            batch_size: 40,
            accumulation: 50,
            parts: 4,
            epochs: 3.0,
            steps: None,
            seed: 56,
            objective: Objective::DISTILBERT,
            schedule: Schedule { learning_rate: 5e-4, warmup: 0.05 },
            optimizer: AdamWConfig::default(),
            masking: MaskingConfig { share: 0.15, smoothing: 0.7, mask: 0.8, keep: 0.1 },
            dropout: 0.1,
            freeze_positions: true,
            init: Init::Teacher,
            layer_map: None,
            hidden_mismatch: HiddenMismatch::Error,
            copy_transform: false,
            qat: None,
            finetune: None,
        };
        match preset {
            Preset::Distilbert => published,
            Preset::Tiny => Self {
                batch_size: 64,
                accumulation: 1,
                parts: 2,
                schedule: Schedule { learning_rate: 1e-3, warmup: 0.05 },
                dropout: 0.0,
                copy_transform: true,
                ..published
            },
        }
    }

    /// The same for pretraining a teacher: masked LM alone, uniform masking, positions trained.
    pub fn for_pretraining(self) -> Self {
        Self {
            objective: Objective::MASKED_LM,
            masking: MaskingConfig::UNIFORM,
            freeze_positions: false,
            qat: None,
            ..self
        }
    }

    /// Reads a recipe as JSON. Every key has to be there, so that a saved file says everything.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        serde_json::from_slice(&bytes)
            .map_err(|e| Error::file(path, format!("not a recipe: {e}"), "start from the recipe.json of a run"))
    }

    /// Writes the recipe.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::Config(e.to_string()))?;
        files::write(path, format!("{text}\n").as_bytes())
    }

    /// Fails on values that cannot work.
    pub fn check(&self) -> Result<()> {
        self.objective.check()?;
        self.qat.as_ref().map_or(Ok(()), QatConfig::check)?;
        self.finetune.as_ref().map_or(Ok(()), FinetuneConfig::check)?;
        let masking = &self.masking;
        let conditions = [
            (self.batch_size > 0, "the batch size must be at least 1"),
            (self.accumulation > 0, "the accumulation must be at least 1"),
            (self.steps != Some(0), "the number of steps must be at least 1"),
            (self.epochs.is_finite() && self.epochs > 0.0, "the number of epochs must be positive"),
            (
                self.schedule.learning_rate.is_finite() && self.schedule.learning_rate > 0.0,
                "the learning rate must be positive",
            ),
            ((0.0..1.0).contains(&self.schedule.warmup), "the warm-up must lie in [0, 1)"),
            ((0.0..1.0).contains(&self.dropout), "the dropout must lie in [0, 1)"),
            (masking.share > 0.0 && masking.share < 1.0, "the masked share must lie in (0, 1)"),
            (
                masking.mask >= 0.0 && masking.keep >= 0.0 && masking.mask + masking.keep <= 1.0,
                "the shares of masked and kept targets must not exceed 1",
            ),
            (masking.smoothing.is_finite(), "the smoothing must be a number"),
        ];
        match conditions.iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(Error::Config((*message).into())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_recipe_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.json");
        let distilbert = Recipe::preset(Preset::Distilbert);
        let quantized = Recipe { qat: Some(QatConfig::packed(crate::qat::Storage::Int4)), ..distilbert.clone() };
        for recipe in [distilbert, quantized, Recipe::preset(Preset::Tiny).for_pretraining()] {
            recipe.check().unwrap();
            recipe.write(&path).unwrap();
            assert_eq!(Recipe::read(&path).unwrap(), recipe);
        }
        // Recipes were written before there was a grid.
        let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        json.as_object_mut().unwrap().remove("qat");
        std::fs::write(&path, json.to_string()).unwrap();
        assert_eq!(Recipe::read(&path).unwrap().qat, None);
        std::fs::write(&path, "{\"batch_size\": 1}").unwrap();
        assert!(Recipe::read(&path).unwrap_err().to_string().contains("missing field"));
    }

    #[test]
    fn the_published_recipe_is_as_published() {
        let recipe = Recipe::preset(Preset::Distilbert);
        assert_eq!(recipe.batch_size * recipe.accumulation, 2000);
        assert_eq!((recipe.seed, recipe.epochs, recipe.optimizer.clip), (56, 3.0, 5.0));
    }
}

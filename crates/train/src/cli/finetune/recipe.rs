//! The recipe of `train finetune`.

use crate::finetune::{ClassWeights, FinetuneConfig, Task};
use crate::optim::AdamWConfig;
use crate::recipe::{Preset, Recipe};
use crate::schedule::Schedule;
use crate::{Error, Result};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Recipe")]
pub(super) struct RecipeOptions {
    /// Takes all values from a recipe.json of another run; options below still override
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Optimizer steps
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    steps: Option<usize>,
    /// Passes over the data [default: 3]
    #[arg(long, value_name = "N")]
    epochs: Option<f64>,
    /// Texts in a batch [default: 32; for squad 12, with a teacher 8]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Batches averaged before a step [default: 1]
    #[arg(long, value_name = "N")]
    accumulation: Option<usize>,
    /// Parts of a batch computed at the same time (changes the last bits) [default: 2]
    #[arg(long, value_name = "N")]
    parts: Option<usize>,
    /// Longest text, pair or window in tokens [default: 128; for squad 384]
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
    /// Tokens that neighbouring windows of a paragraph share, for squad [default: 128]
    #[arg(long, value_name = "N")]
    stride: Option<usize>,
    /// For squad: no answer unless it scores so much more than none, where questions may have none [default: 0]
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    null_threshold: Option<f64>,
    /// Highest learning rate [default: 3e-5; with a teacher 5e-5]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Share of the steps spent warming up [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    warmup: Option<f64>,
    /// Weight decay; biases and LayerNorms take none [default: 0.01]
    #[arg(long, value_name = "RATE")]
    weight_decay: Option<f64>,
    /// Dropout of hidden states and attention probabilities [default: the model's]
    #[arg(long, value_name = "P")]
    pub(super) dropout: Option<f64>,
    /// Weights of the classes in the loss: balanced, or one for each label in order, such as 1,2.5
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights)]
    class_weights: Option<ClassWeights>,
    /// Keeps word, position and type embeddings as they are, which makes steps on a CPU shorter
    #[arg(long)]
    freeze_embeddings: bool,
    /// Ends the run when so many held-out evaluations in a row were not the best
    #[arg(long, value_name = "N")]
    patience: Option<usize>,
    /// Seed of the order, the dropout and new weights [default: 42]
    #[arg(long)]
    seed: Option<u64>,
    /// Several runs, one for each seed: their median and spread are told, and the best one's model is written
    #[arg(long, value_name = "SEEDS", value_delimiter = ',', conflicts_with = "seed")]
    seeds: Vec<u64>,
}

fn class_weights(text: &str) -> Result<ClassWeights, String> {
    if text == "balanced" {
        return Ok(ClassWeights::Balanced);
    }
    let weights: Result<Vec<f64>, _> = text.split(',').map(str::parse).collect();
    weights.map(ClassWeights::Given).map_err(|_| "give `balanced`, or numbers with commas between them".into())
}

/// The values of fine-tuning where nothing else is said.
fn usual(task: Task, taught: bool) -> Recipe {
    Recipe {
        batch_size: match (task, taught) {
            (Task::Squad, false) => 12,
            (Task::Squad, true) => 8,
            _ => 32,
        },
        parts: 2,
        seed: 42,
        schedule: Schedule { learning_rate: if taught { 5e-5 } else { 3e-5 }, warmup: 0.1 },
        optimizer: AdamWConfig { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01, clip: 1.0 },
        freeze_positions: false,
        finetune: Some(FinetuneConfig::new(task)),
        ..Recipe::preset(Preset::Tiny)
    }
}

impl RecipeOptions {
    /// The same options with the path of --config written in another way.
    pub(super) fn with_path(&self, write: fn(&Path) -> PathBuf) -> Self {
        Self { config: self.config.as_deref().map(write), ..self.clone() }
    }

    /// The seeds of the runs; none: the recipe's.
    pub(super) fn seeds(&self) -> Vec<Option<u64>> {
        match &self.seeds[..] {
            [] => vec![self.seed],
            seeds => seeds.iter().copied().map(Some).collect(),
        }
    }

    /// The recipe before the options about teacher and student.
    pub(super) fn recipe(&self, task: Task, taught: bool) -> Result<Recipe> {
        let mut recipe = match &self.config {
            Some(path) => Recipe::read(path)?,
            None => usual(task, taught),
        };
        let set = |target: &mut f64, value: Option<f64>| *target = value.unwrap_or(*target);
        set(&mut recipe.schedule.learning_rate, self.learning_rate);
        set(&mut recipe.schedule.warmup, self.warmup);
        set(&mut recipe.optimizer.weight_decay, self.weight_decay);
        if let Some(epochs) = self.epochs {
            (recipe.epochs, recipe.steps) = (epochs, None);
        }
        recipe.steps = self.steps.or(recipe.steps);
        recipe.batch_size = self.batch_size.unwrap_or(recipe.batch_size);
        recipe.accumulation = self.accumulation.unwrap_or(recipe.accumulation);
        recipe.parts = self.parts.unwrap_or(recipe.parts);
        let Some(finetune) = &mut recipe.finetune else {
            return Err(Error::Config("the recipe of --config is not one of `train finetune`".into()));
        };
        if finetune.task != task {
            let (saved, asked) = (finetune.task.name(), task.name());
            return Err(Error::Config(format!("the recipe of --config is for the task {saved}, not {asked}")));
        }
        finetune.max_length = self.max_length.unwrap_or(finetune.max_length);
        finetune.stride = self.stride.unwrap_or(finetune.stride);
        finetune.null_threshold = self.null_threshold.unwrap_or(finetune.null_threshold);
        finetune.class_weights = self.class_weights.clone().unwrap_or(finetune.class_weights.clone());
        finetune.freeze_embeddings |= self.freeze_embeddings;
        finetune.patience = self.patience.or(finetune.patience);
        // Below 0: the model's own, which is written in once it is known.
        recipe.dropout = self.dropout.unwrap_or(if self.config.is_some() { recipe.dropout } else { -1.0 });
        Ok(recipe)
    }
}

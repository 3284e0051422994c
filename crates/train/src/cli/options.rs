//! Options shared by `pretrain` and `distill`.

use super::safety::SafetyOptions;
use crate::Result;
use crate::eval::EvaluationOptions;
use crate::recipe::{Preset, Recipe};
use crate::trainer::Reporting;
use clap::Args;
use std::path::PathBuf;

/// Seed of the held-out masking: fixed, so that all runs on the same data are measured alike.
pub(super) const EVALUATION_SEED: u64 = 0;

#[derive(Debug, Args)]
#[command(next_help_heading = "Recipe")]
pub(super) struct RecipeOptions {
    /// Starting point of all values
    #[arg(long, value_enum, default_value_t = Preset::Distilbert)]
    pub(super) preset: Preset,
    /// Takes all values from a recipe.json of another run; options below still override
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// Optimizer steps
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    steps: Option<usize>,
    /// Passes over the data
    #[arg(long, value_name = "N")]
    epochs: Option<f64>,
    /// Sequences in a batch
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Batches averaged before a step
    #[arg(long, value_name = "N")]
    accumulation: Option<usize>,
    /// Parts of a batch computed at the same time (changes the last bits)
    #[arg(long, value_name = "N")]
    parts: Option<usize>,
    /// Highest learning rate
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Share of the steps spent warming up
    #[arg(long, value_name = "SHARE")]
    warmup: Option<f64>,
    /// Weight decay (biases and LayerNorms take none)
    #[arg(long, value_name = "RATE")]
    weight_decay: Option<f64>,
    /// Dropout of hidden states and attention probabilities
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
    /// Seed of everything random
    #[arg(long)]
    seed: Option<u64>,
}

impl RecipeOptions {
    /// The recipe before the verb's own options.
    pub(super) fn recipe(&self) -> Result<Recipe> {
        let mut recipe = match &self.config {
            Some(path) => Recipe::read(path)?,
            None => Recipe::preset(self.preset),
        };
        let set = |target: &mut f64, value: Option<f64>| *target = value.unwrap_or(*target);
        set(&mut recipe.schedule.learning_rate, self.learning_rate);
        set(&mut recipe.schedule.warmup, self.warmup);
        set(&mut recipe.optimizer.weight_decay, self.weight_decay);
        set(&mut recipe.dropout, self.dropout);
        if let Some(epochs) = self.epochs {
            (recipe.epochs, recipe.steps) = (epochs, None);
        }
        recipe.steps = self.steps.or(recipe.steps);
        recipe.batch_size = self.batch_size.unwrap_or(recipe.batch_size);
        recipe.accumulation = self.accumulation.unwrap_or(recipe.accumulation);
        recipe.parts = self.parts.unwrap_or(recipe.parts);
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        Ok(recipe)
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Reporting")]
pub(super) struct ReportingOptions {
    /// Steps between lines in metrics.jsonl
    #[arg(long, value_name = "N", default_value_t = 10)]
    log_every: usize,
    /// Steps between held-out evaluations; 0: only at the end
    #[arg(long, value_name = "N", default_value_t = 0)]
    eval_every: usize,
    /// Held-out sequences in these evaluations, spread over the text; 0: all
    #[arg(long, value_name = "N", default_value_t = 512)]
    eval_sequences: usize,
    /// Prints a summary as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) safety: SafetyOptions,
}

impl ReportingOptions {
    pub(super) fn reporting(&self) -> Reporting {
        Reporting { log_every: self.log_every, eval_every: self.eval_every }
    }

    /// How to evaluate.
    pub(super) fn evaluation(&self) -> EvaluationOptions {
        EvaluationOptions { batch_size: 32, limit: self.eval_sequences, seed: EVALUATION_SEED }
    }
}

//! What one line of `metrics.jsonl` says.

use crate::eval::Evaluation;
use serde::Serialize;

/// One line about training: means over the steps since the last line.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingLine {
    /// Optimizer steps done.
    pub step: usize,
    /// Passes over the data done.
    pub epoch: f64,
    /// Weighted sum of the losses.
    pub loss: f64,
    /// Soft-target loss.
    pub loss_ce: f64,
    /// Masked-LM loss.
    pub loss_mlm: f64,
    /// Cosine loss.
    pub loss_cos: f64,
    /// Squared differences of the logits; left out of the file where they have no weight.
    #[serde(skip_serializing_if = "is_zero")]
    pub loss_mse: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Norm of the gradients before clipping, mean.
    pub grad_norm: f64,
    /// Real tokens per second since the last line.
    pub tokens_per_second: f64,
    /// Seconds since the start.
    pub seconds: f64,
}

/// One line about held-out text.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationLine<'a> {
    /// Optimizer steps done.
    pub step: usize,
    /// The figures.
    pub held_out: &'a Evaluation,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

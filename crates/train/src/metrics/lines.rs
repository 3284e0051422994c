//! What one line of `metrics.jsonl` says.

use serde::{Serialize, Serializer};

/// One line about training: means over the steps since the last line.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingLine {
    /// Optimizer steps done.
    pub step: usize,
    /// Passes over the data done.
    pub epoch: f64,
    /// Weighted sum of the losses.
    pub loss: f64,
    /// The losses themselves.
    #[serde(flatten)]
    pub parts: Named,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Norm of the gradients before clipping, mean.
    pub grad_norm: f64,
    /// Real tokens per second since the last line.
    pub tokens_per_second: f64,
    /// Seconds since the start.
    pub seconds: f64,
}

/// Numbers with names, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Named(pub Vec<(&'static str, f64)>);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// One line about held-out data.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationLine<'a> {
    /// Optimizer steps done.
    pub step: usize,
    /// The figures.
    pub held_out: &'a serde_json::Value,
}

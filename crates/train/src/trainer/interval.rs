//! Sums since the last line of metrics.

use super::course::LOSSES;
use super::exact::Exact;
use crate::metrics::{Named, TrainingLine};
use serde::{Deserialize, Serialize};

/// The weighted total, then the losses of the task.
pub(super) type BatchLosses = [f64; 1 + LOSSES];

/// Sums over the batches and steps since the last line. Saved with a checkpoint, so that lines go on as if nothing had happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interval {
    batches: usize,
    steps: usize,
    tokens: usize,
    losses: [Exact; 1 + LOSSES],
    norm: Exact,
    /// Time spent training, evaluations and checkpoints excluded.
    seconds: Exact,
}

impl Interval {
    /// A step that was taken: the losses of its batches, and the gradients' norm.
    pub(super) fn add_step(&mut self, losses: &[BatchLosses], norm: f64) {
        for batch in losses {
            for (sum, value) in self.losses.iter_mut().zip(batch) {
                sum.0 += value;
            }
        }
        self.batches += losses.len();
        self.norm.0 += norm;
        self.steps += 1;
    }

    /// Work that was done, whether or not a step came of it.
    pub(super) fn add_work(&mut self, tokens: usize, seconds: f64) {
        self.tokens += tokens;
        self.seconds.0 += seconds;
    }

    /// Time spent training.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds.0
    }

    /// The means; `names` are those of the task's losses.
    pub(super) fn line(
        &self,
        names: [&'static str; LOSSES],
        (step, epoch): (usize, f64),
        rate: f64,
        seconds: f64,
    ) -> TrainingLine {
        let [loss, parts @ ..] = self.losses.map(|sum| sum.0 / self.batches.max(1) as f64);
        let parts = names.into_iter().zip(parts).filter(|(name, _)| !name.is_empty()).collect();
        TrainingLine {
            step,
            epoch,
            loss,
            parts: Named(parts),
            learning_rate: rate,
            grad_norm: self.norm.0 / self.steps.max(1) as f64,
            tokens_per_second: self.tokens as f64 / self.seconds.0.max(1e-9),
            seconds,
        }
    }

    /// Whether every step since the last line was skipped.
    pub(super) fn is_empty(&self) -> bool {
        self.steps == 0
    }
}

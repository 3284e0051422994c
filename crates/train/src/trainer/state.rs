//! Where a run stands: all there is beside tensors.

use super::exact::Exact;
use super::interval::Interval;
use serde::{Deserialize, Serialize};

/// Counters and sums of a run. With the student's tensors and the optimizer's moments this is everything a run needs to go on as if
/// it had never stopped: random numbers are functions of the seed and these counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps done, skipped ones included.
    pub step: usize,
    /// Number of the next batch.
    pub batch: u64,
    /// Passes over the data so far; for people: it follows from `batch`.
    pub(crate) epochs: Exact,
    /// Real tokens seen.
    pub tokens: usize,
    /// Wall time.
    pub(crate) seconds: Exact,
    /// Wall time without evaluations and checkpoints.
    pub(crate) training_seconds: Exact,
    /// Sums since the last line of metrics.
    pub(crate) interval: Interval,
    /// Mean weighted loss in the last line of metrics.
    pub(crate) last_loss: Option<Exact>,
    /// The best held-out figures so far, and after which step.
    pub best: Option<Best>,
    /// Held-out evaluations since then.
    #[serde(default)]
    pub since_best: usize,
    /// Steps left out because a loss or gradient was not finite.
    pub skipped: usize,
    /// The same, up to now without one in between.
    pub skipped_in_a_row: usize,
    /// Rows that the device took at once.
    pub micro_tokens: Option<usize>,
}

/// A held-out evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// After this step.
    pub step: usize,
    /// What is the lower the better: the masked-LM loss, or minus the score of a task.
    pub(crate) loss: Exact,
}

impl Best {
    /// What is the lower the better: the masked-LM loss, or minus the score of a task.
    pub fn loss(&self) -> f64 {
        self.loss.0
    }
}

impl State {
    /// Whether `loss` is the lowest so far; then it is kept.
    pub(crate) fn is_best(&mut self, loss: f64) -> bool {
        let better = loss.is_finite() && self.best.is_none_or(|best| loss < best.loss.0);
        if better {
            self.best = Some(Best { step: self.step, loss: Exact(loss) });
        }
        self.since_best = if better { 0 } else { self.since_best + 1 };
        better
    }

    /// Whether held-out figures have not become better for `patience` evaluations.
    pub(crate) fn is_settled(&self, patience: Option<usize>) -> bool {
        patience.is_some_and(|patience| self.since_best >= patience)
    }
}

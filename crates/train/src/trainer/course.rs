//! What a run trains on and is judged by: the trainer knows batches and losses, not where they come from.

use crate::Result;
use crate::data::Batch;
use crate::ops::Dropout;
use candle_core::Tensor;
use std::fmt::Debug;

/// Most losses that a task has beside their weighted sum.
pub const LOSSES: usize = 4;

/// Scalars of one batch; gradients flow from `total`.
#[derive(Debug)]
pub struct TaskLosses {
    /// The weighted sum.
    pub total: Tensor,
    /// Its parts, without weights, in the order of [`Task::names`].
    pub parts: [Tensor; LOSSES],
}

/// A training objective: what turns a batch into a loss.
pub trait Task: Debug + Sync {
    /// Names of the losses in lines of metrics; an empty one is not written.
    fn names(&self) -> [&'static str; LOSSES];

    /// What each loss of this batch is a mean over: so many tokens, targets or sequences.
    fn amounts(&self, batch: &Batch) -> [f64; LOSSES];

    /// Forward pass. `shares` are the part of the whole batch that falls to this piece of it, for each loss: weighted by them, the
    /// losses of all pieces add up to those of the batch.
    fn losses(&self, batch: &Batch, shares: [f64; LOSSES], dropout: &mut Dropout) -> Result<TaskLosses>;
}

/// What held-out data says of the student.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The figures by name: a JSON object.
    pub figures: serde_json::Value,
    /// The same for people, one line.
    pub text: String,
    /// The lower the better.
    pub loss: f64,
}

/// A task with its data.
pub trait Course: Task {
    /// Tokens of every sequence of an epoch.
    fn lengths(&self) -> Vec<usize>;

    /// Whether a batch holds sequences of about the same length, as in pretraining; else any.
    fn grouped(&self) -> bool;

    /// Batch `index` of the run, of these sequences: the same every time.
    fn draw(&self, index: u64, sequences: &[u32]) -> Result<Batch>;

    /// Held-out figures of the student as it is now; none without held-out data.
    fn judge(&self) -> Result<Option<Judgement>>;

    /// The run ends when so many judgements in a row were not the best so far.
    fn patience(&self) -> Option<usize>;
}

//! The training loop, the same for pretraining, distillation and fine-tuning, for one process and for many.

mod bench;
mod course;
mod dump;
mod exact;
mod interval;
mod masked;
pub(crate) mod micro;
mod order;
mod parts;
mod run;
mod state;
mod step;

pub use bench::Bench;
pub use course::{Course, Judgement, LOSSES, Task, TaskLosses};
pub use masked::{MaskedCourse, MaskedTask};
pub use state::{Best, State};

use crate::checkpoint::Keeper;
use crate::comm::Group;
use crate::data::batches;
use crate::metrics::MetricsFile;
use crate::model::Model;
use crate::optim::AdamW;
use crate::recipe::Recipe;
use crate::{Error, Result};
use parts::Computation;
use run::Run;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// When to report.
#[derive(Clone, Copy, Debug)]
pub struct Reporting {
    /// Steps between lines of metrics.
    pub log_every: usize,
    /// Steps between held-out evaluations; 0: only at the end.
    pub eval_every: usize,
}

/// Everything a run needs. All randomness derives from the recipe's seed and the batch number.
#[derive(Debug)]
pub struct Trainer<'a> {
    /// The model being trained.
    pub student: &'a Model,
    /// What it is trained on.
    pub course: &'a dyn Course,
    /// All values.
    pub recipe: &'a Recipe,
    /// When to report.
    pub reporting: Reporting,
    /// The processes that share each batch.
    pub group: &'a dyn Group,
    /// At most this many rows at once, one micro-batch after another. None: as the device's memory allows on a GPU, and on the CPU
    /// the recipe's parts at the same time.
    pub micro_tokens: Option<usize>,
    /// Memory of the device that is free once weights and moments are there, where that is known.
    pub free_memory: Option<u64>,
    /// Steps in a row that may be left out because a loss or gradient is not finite.
    pub skip_non_finite: usize,
    /// Once set, the run saves a checkpoint and ends after the step under way.
    pub stop: &'a AtomicBool,
    /// Writes checkpoints.
    pub keeper: Option<&'a Keeper>,
    /// Where a batch is dumped whose loss is not finite.
    pub folder: Option<&'a Path>,
}

/// What a run came to.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// Optimizer steps, skipped ones included.
    pub steps: usize,
    /// Steps left out because a loss or gradient was not finite.
    pub skipped: usize,
    /// Real tokens seen.
    pub tokens: usize,
    /// Sequences in a step.
    pub effective_batch: usize,
    /// Wall time of the loop.
    pub seconds: f64,
    /// Real tokens per second of training, evaluations and checkpoints excluded.
    pub tokens_per_second: f64,
    /// Mean weighted loss of the last reported interval.
    pub loss: f64,
    /// Last held-out figures.
    pub held_out: Option<serde_json::Value>,
    /// Step with the best held-out figures.
    pub best_step: Option<usize>,
}

impl Trainer<'_> {
    /// Optimizer steps of the whole run.
    pub fn total_steps(&self) -> usize {
        let recipe = self.recipe;
        recipe.steps.unwrap_or_else(|| {
            let batches = self.batches_per_epoch() as f64;
            ((batches * recipe.epochs / recipe.accumulation as f64).ceil() as usize).max(1)
        })
    }

    /// Batches in a pass over the data.
    pub fn batches_per_epoch(&self) -> usize {
        batches::count(&self.course.lengths(), self.recipe.batch_size, self.course.grouped())
    }

    fn computation(&self) -> Computation<'_> {
        Computation { student: self.student, task: self.course, recipe: self.recipe }
    }

    /// Trains from `state` to the end; the student's tensors change in place. Rank 0 has the `metrics`.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once `stop` is set, with everything saved; [`Error::Diverged`] on losses that are not finite.
    pub fn run(&self, state: State, optimizer: AdamW, metrics: Option<MetricsFile>) -> Result<Summary> {
        let mut run = Run::new(self, state, optimizer, metrics);
        while run.goes_on() {
            let stop = run.step()?;
            run.report()?;
            let best = run.evaluate()?;
            let saved = run.save(best || stop)?;
            if stop && run.goes_on() {
                // Nobody leaves before rank 0 has saved.
                self.group.barrier()?;
                return Err(Error::Interrupted(run.farewell(saved)));
            }
        }
        Ok(run.finish())
    }
}

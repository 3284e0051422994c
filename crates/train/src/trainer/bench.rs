//! Steps on given batches, for measuring.

use super::course::Task;
use super::parts::{Computation, Cut, PartLosses, Whole};
use crate::Result;
use crate::comm::{Alone, Reduction};
use crate::data::Batch;
use crate::model::Model;
use crate::optim::AdamW;
use crate::recipe::Recipe;

/// The trainer's steps without text, metrics and checkpoints.
#[derive(Debug)]
pub struct Bench<'a> {
    computation: Computation<'a>,
    optimizer: AdamW,
    cut: Cut,
    steps: u64,
}

impl<'a> Bench<'a> {
    /// Gets ready to train `student`. `micro_tokens` and `free` as in [`super::Trainer`].
    pub fn new(
        (student, task): (&'a Model, &'a dyn Task),
        recipe: &'a Recipe,
        micro_tokens: Option<usize>,
        free: Option<u64>,
    ) -> Result<Self> {
        let computation = Computation { student, task, recipe };
        let cut = computation.cut(1, micro_tokens, free);
        Ok(Self { computation, optimizer: AdamW::new(recipe.optimizer.clone(), student)?, cut, steps: 0 })
    }

    /// One optimizer step on one batch; returns its loss. When it returns, a GPU has finished as well.
    pub fn step(&mut self, batch: Batch) -> Result<f64> {
        let whole = Whole::new(self.steps, &batch, self.computation.task);
        let student = self.computation.student;
        let mut reduction = Reduction::new(&Alone, student);
        let parts = self.computation.accumulate((whole, Some((0, batch))), &mut self.cut, &mut reduction, false)?;
        let losses = PartLosses::sum(&[parts])?;
        self.optimizer.step(student, &reduction.finish()?, self.computation.recipe.schedule.learning_rate)?;
        student.device().synchronize()?;
        self.steps += 1;
        Ok(losses[0][0])
    }

    /// Rows computed at once, where they go one micro-batch after another.
    pub fn micro_tokens(&self) -> Option<usize> {
        match self.cut {
            Cut::Micro(micro) => Some(micro.rows()),
            Cut::Parts(_) => None,
        }
    }
}

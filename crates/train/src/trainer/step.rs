//! One optimizer step.

use super::Trainer;
use super::dump;
use super::interval::BatchLosses;
use super::micro::Piece;
use super::parts::{PartLosses, Whole, numbered};
use super::run::Run;
use crate::comm::Reduction;
use crate::data::Batch;
use crate::optim::Gradients;
use crate::{Error, Result};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Number and sequences of a batch.
type Drawn = (u64, Vec<u32>);

impl Run<'_> {
    /// Takes one step; returns whether the run is to end after it.
    pub(super) fn step(&mut self) -> Result<bool> {
        let begun = Instant::now();
        let trainer = self.trainer;
        trainer.student.set_grid(self.state.step + 1, self.total)?;
        let (mut parts, mut drawn, mut tokens) = (vec![], vec![], 0);
        let mut reduction = Reduction::new(trainer.group, trainer.student);
        for round in 1..=trainer.recipe.accumulation {
            let (index, sequences) = self.order.next();
            let batch = trainer.course.draw(index, sequences)?;
            let whole = Whole::new(index, &batch, trainer.course);
            tokens += whole.rows();
            let piece = trainer.piece(batch);
            drawn.push((index, sequences.to_vec()));
            // In the first step pieces may still prove too large, and have to be free to be computed again.
            let shared = self.warm && trainer.group.world() > 1;
            let last = shared && round == trainer.recipe.accumulation;
            parts.push(trainer.computation().accumulate((whole, piece), &mut self.cut, &mut reduction, last)?);
        }
        self.warm = true;
        let gradients = reduction.finish()?;
        let mut losses = PartLosses::sum(&parts)?;
        let stop = trainer.agree(&mut losses)?;
        self.state.step += 1;
        self.state.tokens += tokens;
        self.update(&losses, gradients, &drawn)?;
        self.state.batch = self.order.position();
        self.state.epochs.0 = self.order.epochs();
        self.state.interval.add_work(tokens, begun.elapsed().as_secs_f64());
        Ok(stop)
    }

    /// Changes the weights, or leaves the step out when a loss or the gradients are not finite.
    fn update(&mut self, losses: &[BatchLosses], gradients: Gradients, drawn: &[Drawn]) -> Result<()> {
        let (trainer, step) = (self.trainer, self.state.step);
        let bad = losses.iter().enumerate().find_map(|(batch, losses)| {
            let value = losses.iter().copied().find(|value| !value.is_finite())?;
            Some((batch, Error::NonFinite { what: "the loss", value, step }))
        });
        let (suspects, cause) = match bad {
            Some((batch, error)) => (&drawn[batch..=batch], error),
            None => match self.optimizer.step(trainer.student, &gradients, self.rate()) {
                Ok(norm) => {
                    self.state.interval.add_step(losses, norm);
                    self.state.skipped_in_a_row = 0;
                    return Ok(());
                }
                Err(Error::NonFinite { what, value, .. }) => (drawn, Error::NonFinite { what, value, step }),
                Err(error) => return Err(error),
            },
        };
        self.state.skipped += 1;
        self.state.skipped_in_a_row += 1;
        if self.state.skipped_in_a_row <= trainer.skip_non_finite {
            let Error::NonFinite { what, value, .. } = cause else { return Err(cause) };
            self.note(&format!("step {step}: {what} is {value}; left out ({} so far)", self.state.skipped));
            return Ok(());
        }
        match trainer.folder.filter(|_| trainer.group.rank() == 0) {
            None => {
                // Rank 0 is writing, which an error from here would cut short.
                trainer.group.barrier()?;
                Err(cause)
            }
            Some(folder) => {
                let path = folder.join(format!("non-finite-step-{step:08}.safetensors"));
                let batches: Vec<Batch> =
                    suspects.iter().map(|(index, all)| trainer.course.draw(*index, all)).collect::<Result<_>>()?;
                dump::write(&path, &batches)?;
                trainer.group.barrier()?;
                Err(Error::Diverged { cause: Box::new(cause), batch: path.display().to_string() })
            }
        }
    }
}

impl Trainer<'_> {
    /// This rank's piece of a batch; none when there are fewer sequences than ranks.
    fn piece(&self, batch: Batch) -> Option<Piece> {
        numbered(0, batch.split(self.group.world())).into_iter().nth(self.group.rank())
    }

    /// Sums the losses over all ranks. Returns whether any of them was asked to stop, so that all stop after the same step.
    fn agree(&self, losses: &mut [BatchLosses]) -> Result<bool> {
        let stop = if self.stop.load(Ordering::Relaxed) { 1.0 } else { 0.0 };
        let mut values: Vec<f64> = losses.iter().flatten().copied().chain([stop]).collect();
        self.group.sum_f64(&mut values)?;
        losses.as_flattened_mut().copy_from_slice(&values[..values.len() - 1]);
        Ok(values[values.len() - 1] > 0.0)
    }
}

//! A run under way: what happens between steps.

use super::exact::Exact;
use super::order::Order;
use super::parts::Cut;
use super::{State, Summary, Trainer};
use crate::Result;
use crate::metrics::{EvaluationLine, MetricsFile, Progress};
use crate::optim::AdamW;
use std::path::PathBuf;
use std::time::Instant;

/// A [`Trainer`] and where it stands.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) trainer: &'a Trainer<'a>,
    pub(super) state: State,
    pub(super) optimizer: AdamW,
    pub(super) order: Order<'a>,
    pub(super) cut: Cut,
    /// Whether a step was taken since the start of the program.
    pub(super) warm: bool,
    pub(super) total: usize,
    progress: Progress,
    /// Of rank 0 alone.
    metrics: Option<MetricsFile>,
    held_out: Option<serde_json::Value>,
    message: String,
    started: Instant,
    /// Wall time before this start of the program.
    seconds_before: f64,
    last_save: Instant,
}

impl<'a> Run<'a> {
    pub(super) fn new(trainer: &'a Trainer<'a>, state: State, optimizer: AdamW, metrics: Option<MetricsFile>) -> Self {
        let total = trainer.total_steps();
        let progress = Progress::for_rank(total as u64, "steps", trainer.group.rank()).starting_at(state.step as u64);
        Self {
            order: Order::from(trainer.course.lengths(), trainer.recipe, trainer.course.grouped(), state.batch),
            cut: trainer.cut(state.micro_tokens),
            warm: false,
            total,
            progress,
            held_out: None,
            message: String::new(),
            metrics,
            started: Instant::now(),
            seconds_before: state.seconds.0,
            last_save: Instant::now(),
            trainer,
            state,
            optimizer,
        }
    }

    /// Whether steps are left.
    pub(super) fn goes_on(&self) -> bool {
        self.state.step < self.total && !self.state.is_settled(self.trainer.course.patience())
    }

    /// Learning rate of the step under way.
    pub(super) fn rate(&self) -> f64 {
        self.trainer.recipe.schedule.rate(self.state.step - 1, self.total)
    }

    /// A line for people.
    pub(super) fn note(&self, text: &str) {
        self.progress.note(text);
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Moves the bar, and writes a line of metrics when one is due.
    pub(super) fn report(&mut self) -> Result<()> {
        let step = self.state.step;
        if step.is_multiple_of(self.trainer.reporting.log_every.max(1)) || !self.goes_on() {
            let interval = std::mem::take(&mut self.state.interval);
            self.state.training_seconds.0 += interval.seconds();
            // Of steps that were all left out there is nothing to tell.
            if !interval.is_empty() {
                let (place, names) = ((step, self.state.epochs.0), self.trainer.course.names());
                let line = interval.line(names, place, self.rate(), self.seconds());
                if let Some(metrics) = &mut self.metrics {
                    metrics.write(&line)?;
                }
                self.state.last_loss = Some(Exact(line.loss));
                self.message = line.text();
            }
        }
        self.progress.set(step as u64, &self.message);
        Ok(())
    }

    /// Held-out figures when they are due, by rank 0 while the others wait. Returns whether they are the best so far.
    pub(super) fn evaluate(&mut self) -> Result<bool> {
        let (trainer, step) = (self.trainer, self.state.step);
        let every = trainer.reporting.eval_every;
        let due = !self.goes_on() || (every > 0 && step.is_multiple_of(every));
        if !due {
            return Ok(false);
        }
        let mut best = false;
        if let Some(metrics) = &mut self.metrics {
            trainer.student.settle_grid()?;
            if let Some(judgement) = trainer.course.judge()? {
                metrics.write(&EvaluationLine { step, held_out: &judgement.figures })?;
                self.note(&format!("step {step}: {}", judgement.text));
                best = self.state.is_best(judgement.loss);
                self.held_out = Some(judgement.figures);
            }
        }
        // How often in a row it was not the best decides over the end, for all ranks.
        let since = trainer.group.broadcast(self.state.since_best.to_le_bytes().to_vec())?;
        if let Ok(since) = since.try_into() {
            self.state.since_best = usize::from_le_bytes(since);
        }
        Ok(best)
    }

    /// Writes a checkpoint when `now` or when one is due, unless the run is over and its results are about to be written. Returns
    /// where it is.
    pub(super) fn save(&mut self, now: bool) -> Result<Option<PathBuf>> {
        let keeper = self.trainer.keeper.filter(|_| self.goes_on());
        let (Some(keeper), Some(metrics)) = (keeper, &self.metrics) else {
            return Ok(None);
        };
        if !now && !keeper.is_due(self.state.step, self.last_save.elapsed()) {
            return Ok(None);
        }
        let metrics_bytes = metrics.sync()?;
        self.state.seconds.0 = self.seconds();
        self.state.micro_tokens = match self.cut {
            Cut::Micro(micro) => Some(micro.rows()),
            Cut::Parts(_) => None,
        };
        let path = keeper.save(self.trainer.student, &self.optimizer, &self.state, metrics_bytes)?;
        self.last_save = Instant::now();
        Ok(Some(path))
    }

    /// What an interrupted run says.
    pub(super) fn farewell(&self, saved: Option<PathBuf>) -> String {
        self.progress.finish();
        let mut text = format!("interrupted after step {} of {}", self.state.step, self.total);
        if let (Some(path), Some(run)) = (saved, self.trainer.folder) {
            text +=
                &format!("; everything is saved in {}: go on with `train resume {}`", path.display(), run.display());
        }
        text
    }

    /// The summary of a run that has come to its end.
    pub(super) fn finish(self) -> Summary {
        self.progress.finish();
        let recipe = self.trainer.recipe;
        Summary {
            steps: self.state.step,
            skipped: self.state.skipped,
            tokens: self.state.tokens,
            effective_batch: recipe.batch_size * recipe.accumulation,
            seconds: self.seconds(),
            tokens_per_second: self.state.tokens as f64 / self.state.training_seconds.0.max(1e-9),
            loss: self.state.last_loss.map_or(f64::NAN, |loss| loss.0),
            best_step: self.state.best.map(|best| best.step),
            held_out: self.held_out,
        }
    }
}

impl Trainer<'_> {
    /// How batches are cut; `known` rows are what a GPU took before.
    fn cut(&self, known: Option<usize>) -> Cut {
        let known = known.filter(|_| !self.student.device().is_cpu());
        self.computation().cut(self.group.world(), self.micro_tokens.or(known), self.free_memory)
    }
}

//! The training loop, the same for pretraining and distillation.

use crate::data::{Batch, Dataset, Masker, batches};
use crate::eval::{Evaluation, EvaluationOptions, evaluate};
use crate::loss::{Objective, losses};
use crate::metrics::{EvaluationLine, MetricsFile, Progress, TrainingLine};
use crate::model::Model;
use crate::ops::Dropout;
use crate::optim::{AdamW, Gradients};
use crate::recipe::Recipe;
use crate::rng::{Purpose, stream};
use crate::{Error, Result};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};
use rayon::prelude::*;
use std::time::Instant;

/// When to report.
#[derive(Clone, Copy, Debug)]
pub struct Reporting {
    /// Steps between lines of metrics.
    pub log_every: usize,
    /// Steps between held-out evaluations; 0: only at the end.
    pub eval_every: usize,
    /// How to evaluate.
    pub evaluation: EvaluationOptions,
}

/// Everything a run needs. All randomness derives from the recipe's seed and the batch number.
#[derive(Debug)]
pub struct Trainer<'a> {
    /// The model being trained.
    pub student: &'a Model,
    /// The model it learns from.
    pub teacher: Option<&'a Model>,
    /// Training text.
    pub data: &'a Dataset,
    /// Held-out text.
    pub held_out: Option<&'a Dataset>,
    /// Draws the masked-LM targets of training.
    pub masker: &'a Masker,
    /// Draws those of held-out evaluations.
    pub held_out_masker: &'a Masker,
    /// All values.
    pub recipe: &'a Recipe,
    /// When to report.
    pub reporting: Reporting,
}

/// What a run came to.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// Optimizer steps.
    pub steps: usize,
    /// Real tokens seen.
    pub tokens: usize,
    /// Wall time of the loop.
    pub seconds: f64,
    /// Real tokens per second of training, evaluations excluded.
    pub tokens_per_second: f64,
    /// Mean weighted loss of the last reported interval.
    pub loss: f64,
    /// Last held-out figures.
    pub held_out: Option<Evaluation>,
}

/// Sums since the last line of metrics.
#[derive(Default)]
struct Interval {
    batches: usize,
    steps: usize,
    tokens: usize,
    losses: [f64; 5],
    norm: f64,
}

impl Trainer<'_> {
    /// Optimizer steps of the whole run.
    pub fn total_steps(&self) -> usize {
        let recipe = self.recipe;
        recipe.steps.unwrap_or_else(|| {
            let batches = batches::per_epoch(self.data.lengths(), recipe.batch_size) as f64;
            ((batches * recipe.epochs / recipe.accumulation as f64).ceil() as usize).max(1)
        })
    }

    /// Trains to the end; the student's tensors change in place.
    pub fn run(&self, metrics: &mut MetricsFile) -> Result<Summary> {
        let recipe = self.recipe;
        let total = self.total_steps();
        let mut optimizer = AdamW::new(recipe.optimizer.clone(), self.student)?;
        let mut order = Order::new(self.data, recipe);
        let mut progress = Progress::new(total as u64, "steps");
        let (start, mut mark) = (Instant::now(), Instant::now());
        let (mut interval, mut tokens, mut training_seconds) = (Interval::default(), 0, 0.0);
        let (mut last_loss, mut held_out, mut rate_shown) = (f64::NAN, None, 0.0);
        for step in 1..=total {
            self.student.set_grid(step, total)?;
            let mut gradients = Gradients::default();
            for _ in 0..recipe.accumulation {
                let (index, sequences) = order.next();
                let rows = self.accumulate(index, &sequences, step, &mut gradients, &mut interval)?;
                tokens += rows;
            }
            let rate = recipe.schedule.rate(step - 1, total);
            interval.norm += optimizer.step(self.student, &gradients, rate)?;
            interval.steps += 1;
            let message = || format!("loss {last_loss:.4}  {rate_shown:.0} tokens/s");
            progress.set(step as u64, &message());
            if step % self.reporting.log_every.max(1) == 0 || step == total {
                let seconds = mark.elapsed().as_secs_f64();
                training_seconds += seconds;
                let line = interval.line(step, order.epochs(), rate, seconds, start);
                metrics.write(&line)?;
                (last_loss, rate_shown) = (line.loss, line.tokens_per_second);
                interval = Interval::default();
                mark = Instant::now();
            }
            let every = self.reporting.eval_every;
            if let Some(data) = self.held_out
                && (step == total || (every > 0 && step % every == 0))
            {
                let before = mark.elapsed();
                let teacher = self.teacher;
                let options = self.reporting.evaluation;
                self.student.settle_grid()?;
                let figures = evaluate(self.student, teacher, data, self.held_out_masker, options, |_| {})?;
                metrics.write(&EvaluationLine { step, held_out: &figures })?;
                progress.note(&format!("step {step}: {}", figures.text()));
                held_out = Some(figures);
                // The clock of the training speed stands still during evaluations.
                mark = Instant::now().checked_sub(before).unwrap_or_else(Instant::now);
            }
        }
        progress.finish();
        Ok(Summary {
            steps: total,
            tokens,
            seconds: start.elapsed().as_secs_f64(),
            tokens_per_second: tokens as f64 / training_seconds.max(1e-9),
            loss: last_loss,
            held_out,
        })
    }

    /// Forward and backward pass of one batch; returns its number of tokens.
    fn accumulate(
        &self,
        index: u64,
        sequences: &[u32],
        step: usize,
        gradients: &mut Gradients,
        interval: &mut Interval,
    ) -> Result<usize> {
        let recipe = self.recipe;
        let mut rng = stream(recipe.seed, Purpose::Masking, index);
        let batch = self.data.batch(sequences, self.masker, &mut rng)?;
        let rows = batch.rows();
        let labelled = batch.labelled().0.len().max(1);
        let parts: Vec<(usize, Batch)> = batch.split(recipe.parts).into_iter().enumerate().collect();
        // Each part's losses are means over its own rows; weighted by its share they add up to the batch's.
        let computed: Vec<([f64; 5], GradStore)> = parts
            .par_iter()
            .map(|(part, batch)| {
                let share = batch.rows() as f64 / rows as f64;
                let masked_share = batch.labelled().0.len() as f64 / labelled as f64;
                let stream_index = index * recipe.parts as u64 + *part as u64;
                let mut dropout = Dropout::on(stream(recipe.seed, Purpose::Dropout, stream_index));
                let objective = Objective {
                    alpha_ce: recipe.objective.alpha_ce * recipe.objective.ce_share(share, masked_share),
                    alpha_mse: recipe.objective.alpha_mse * recipe.objective.ce_share(share, masked_share),
                    alpha_mlm: recipe.objective.alpha_mlm * masked_share,
                    alpha_cos: recipe.objective.alpha_cos * share,
                    ..recipe.objective.clone()
                };
                let losses = losses(self.student, self.teacher, batch, &objective, &mut dropout)?;
                let scalars = [
                    scalar(&losses.total)?,
                    scalar(&losses.ce)? * recipe.objective.ce_share(share, masked_share),
                    scalar(&losses.mlm)? * masked_share,
                    scalar(&losses.cos)? * share,
                    scalar(&losses.mse)? * recipe.objective.ce_share(share, masked_share),
                ];
                let loss = match recipe.accumulation {
                    1 => losses.total,
                    n => (losses.total / n as f64)?,
                };
                Ok((scalars, loss.backward()?))
            })
            .collect::<Result<_>>()?;
        for (scalars, store) in computed {
            for (sum, value) in interval.losses.iter_mut().zip(scalars) {
                if !value.is_finite() {
                    return Err(Error::NonFinite { what: "the loss", value, step });
                }
                *sum += value;
            }
            gradients.add(self.student, store)?;
        }
        interval.batches += 1;
        interval.tokens += rows;
        Ok(rows)
    }
}

fn scalar(t: &Tensor) -> Result<f64> {
    Ok(t.to_dtype(DType::F64)?.to_scalar::<f64>()?)
}

impl Interval {
    fn line(&self, step: usize, epoch: f64, rate: f64, seconds: f64, start: Instant) -> TrainingLine {
        let [loss, loss_ce, loss_mlm, loss_cos, loss_mse] = self.losses.map(|sum| sum / self.batches.max(1) as f64);
        TrainingLine {
            step,
            epoch,
            loss,
            loss_ce,
            loss_mlm,
            loss_cos,
            loss_mse,
            learning_rate: rate,
            grad_norm: self.norm / self.steps.max(1) as f64,
            tokens_per_second: self.tokens as f64 / seconds.max(1e-9),
            seconds: start.elapsed().as_secs_f64(),
        }
    }
}

/// Batches in order, epoch after epoch. Batch `n` is the same however the run got there.
struct Order<'a> {
    lengths: Vec<usize>,
    recipe: &'a Recipe,
    epoch: Vec<Vec<u32>>,
    next: usize,
    epochs: u64,
}

impl<'a> Order<'a> {
    fn new(data: &Dataset, recipe: &'a Recipe) -> Self {
        let mut order = Self { lengths: data.lengths().collect(), recipe, epoch: vec![], next: 0, epochs: 0 };
        order.shuffle();
        order
    }

    fn shuffle(&mut self) {
        let mut rng = stream(self.recipe.seed, Purpose::Order, self.epochs);
        self.epoch = batches::epoch(&self.lengths, self.recipe.batch_size, &mut rng);
    }

    /// Number of the batch in the run, and its sequences.
    fn next(&mut self) -> (u64, Vec<u32>) {
        if self.next == self.epoch.len() {
            self.epochs += 1;
            self.next = 0;
            self.shuffle();
        }
        let index = self.epochs * self.epoch.len() as u64 + self.next as u64;
        self.next += 1;
        (index, self.epoch[self.next - 1].clone())
    }

    fn epochs(&self) -> f64 {
        self.epochs as f64 + self.next as f64 / self.epoch.len() as f64
    }
}

//! Pretraining and distillation: masked text, soft targets and hidden states.

use super::course::{Course, Judgement, LOSSES, Task, TaskLosses};
use crate::data::{Batch, Dataset, Masker};
use crate::eval::{EvaluationOptions, evaluate};
use crate::loss::{Objective, losses};
use crate::model::Model;
use crate::ops::Dropout;
use crate::rng::{Purpose, stream};
use crate::{Error, Result};

/// The losses of [`crate::loss`].
#[derive(Clone, Copy, Debug)]
pub struct MaskedTask<'a> {
    /// The model being trained.
    pub student: &'a Model,
    /// The model it learns from.
    pub teacher: Option<&'a Model>,
    /// Weights of the losses.
    pub objective: &'a Objective,
}

/// The same over prepared text.
#[derive(Debug)]
pub struct MaskedCourse<'a> {
    /// Models and losses.
    pub task: MaskedTask<'a>,
    /// Training text.
    pub data: &'a Dataset,
    /// Held-out text.
    pub held_out: Option<&'a Dataset>,
    /// Draws the masked-LM targets of training.
    pub masker: &'a Masker,
    /// Draws those of held-out evaluations.
    pub held_out_masker: &'a Masker,
    /// Seed of the masks of training.
    pub seed: u64,
    /// How to evaluate.
    pub evaluation: EvaluationOptions,
}

impl Task for MaskedTask<'_> {
    fn names(&self) -> [&'static str; LOSSES] {
        // The last is off in the published recipe, and left out of the file where it has no weight.
        let mse = if self.objective.alpha_mse > 0.0 { "loss_mse" } else { "" };
        ["loss_ce", "loss_mlm", "loss_cos", mse]
    }

    fn amounts(&self, batch: &Batch) -> [f64; LOSSES] {
        let (rows, masked) = (batch.rows() as f64, batch.labelled().0.len() as f64);
        let logits = self.objective.ce_share(rows, masked);
        [logits, masked, rows, logits]
    }

    fn losses(&self, batch: &Batch, shares: [f64; LOSSES], dropout: &mut Dropout) -> Result<TaskLosses> {
        let objective = self.objective;
        let weighted = Objective {
            alpha_ce: objective.alpha_ce * shares[0],
            alpha_mlm: objective.alpha_mlm * shares[1],
            alpha_cos: objective.alpha_cos * shares[2],
            alpha_mse: objective.alpha_mse * shares[3],
            ..objective.clone()
        };
        let losses = losses(self.student, self.teacher, batch, &weighted, dropout)?;
        Ok(TaskLosses { total: losses.total, parts: [losses.ce, losses.mlm, losses.cos, losses.mse] })
    }
}

impl Task for MaskedCourse<'_> {
    fn names(&self) -> [&'static str; LOSSES] {
        self.task.names()
    }

    fn amounts(&self, batch: &Batch) -> [f64; LOSSES] {
        self.task.amounts(batch)
    }

    fn losses(&self, batch: &Batch, shares: [f64; LOSSES], dropout: &mut Dropout) -> Result<TaskLosses> {
        self.task.losses(batch, shares, dropout)
    }
}

impl Course for MaskedCourse<'_> {
    fn lengths(&self) -> Vec<usize> {
        self.data.lengths().collect()
    }

    fn grouped(&self) -> bool {
        true
    }

    fn draw(&self, index: u64, sequences: &[u32]) -> Result<Batch> {
        self.data.batch(sequences, self.masker, &mut stream(self.seed, Purpose::Masking, index))
    }

    fn judge(&self) -> Result<Option<Judgement>> {
        let Some(data) = self.held_out else {
            return Ok(None);
        };
        let (student, teacher) = (self.task.student, self.task.teacher);
        let found = evaluate(student, teacher, data, self.held_out_masker, self.evaluation, |_| {})?;
        let figures = serde_json::to_value(&found).map_err(|e| Error::Data(e.to_string()))?;
        Ok(Some(Judgement { figures, text: found.text(), loss: found.mlm_loss }))
    }

    fn patience(&self) -> Option<usize> {
        None
    }
}

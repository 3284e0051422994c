//! The training objective: soft targets, masked LM and hidden-state cosine, weighted.

use crate::data::Batch;
use crate::model::Model;
use crate::ops::{Dropout, Projection, Targets, VocabularyLoss, cosine_loss, vocabulary_loss};
use crate::{Error, Result};
use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// Weights of the losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Weight of `L_ce`: `T^2 KL(softmax(t/T) || softmax(s/T))`, averaged over tokens.
    pub alpha_ce: f64,
    /// Weight of `L_mlm`: cross-entropy at the masked tokens.
    pub alpha_mlm: f64,
    /// Weight of `L_cos`: mean of `1 - cos` between the last hidden states of all tokens.
    pub alpha_cos: f64,
    /// Weight of `L_mse`: squared differences of the logits, summed over the vocabulary, averaged over tokens. Off in the published
    /// recipe.
    pub alpha_mse: f64,
    /// Temperature `T` of the soft targets.
    pub temperature: f64,
    /// Takes `L_ce` and `L_mse` over the masked tokens only instead of all.
    pub soft_targets_on_masked_only: bool,
}

impl Objective {
    /// Masked LM alone, as a teacher is pretrained.
    pub const MASKED_LM: Self = Self {
        alpha_ce: 0.0,
        alpha_mlm: 1.0,
        alpha_cos: 0.0,
        alpha_mse: 0.0,
        temperature: 1.0,
        soft_targets_on_masked_only: false,
    };

    /// DistilBERT's weights.
    pub const DISTILBERT: Self = Self {
        alpha_ce: 5.0,
        alpha_mlm: 2.0,
        alpha_cos: 1.0,
        alpha_mse: 0.0,
        temperature: 2.0,
        soft_targets_on_masked_only: false,
    };

    /// Whether the teacher's logits take part.
    pub fn needs_teacher_logits(&self) -> bool {
        self.alpha_ce > 0.0 || self.alpha_mse > 0.0
    }

    /// Which share of a batch's soft-target loss falls to a part with these shares of its tokens and masked tokens.
    pub fn ce_share(&self, tokens: f64, masked: f64) -> f64 {
        if self.soft_targets_on_masked_only { masked } else { tokens }
    }

    /// Whether a teacher takes part.
    pub fn needs_teacher(&self) -> bool {
        self.needs_teacher_logits() || self.alpha_cos > 0.0
    }

    /// Fails on weights that make no loss.
    pub fn check(&self) -> Result<()> {
        let weights = [
            ("alpha-ce", self.alpha_ce),
            ("alpha-mlm", self.alpha_mlm),
            ("alpha-cos", self.alpha_cos),
            ("alpha-mse", self.alpha_mse),
        ];
        for (name, value) in weights {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Config(format!("{name} is {value}; give a number of at least 0")));
            }
        }
        if weights.iter().map(|(_, value)| value).sum::<f64>() == 0.0 {
            return Err(Error::Config("all loss weights are 0; give at least one a weight".into()));
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(Error::Config(format!("the temperature is {}; give a positive number", self.temperature)));
        }
        Ok(())
    }
}

/// Scalars of one batch; gradients flow from `total`.
#[derive(Debug)]
pub struct Losses {
    /// The weighted sum.
    pub total: Tensor,
    /// Soft-target loss.
    pub ce: Tensor,
    /// Squared differences of the logits.
    pub mse: Tensor,
    /// Masked-LM loss.
    pub mlm: Tensor,
    /// Cosine loss.
    pub cos: Tensor,
}

/// Forward pass of student and, where the weights ask for it, teacher.
pub fn losses(
    student: &Model,
    teacher: Option<&Model>,
    batch: &Batch,
    objective: &Objective,
    dropout: &mut Dropout,
) -> Result<Losses> {
    let device = student.device();
    let tokens = batch.tokens(device)?;
    let teacher_last = match teacher.filter(|_| objective.needs_teacher()) {
        Some(teacher) => {
            let mut states = teacher.hidden_states(&tokens, &mut Dropout::off())?;
            states.pop().map(|last| (teacher, last))
        }
        None => None,
    };
    if objective.needs_teacher() && teacher_last.is_none() {
        return Err(Error::Config("the loss weights ask for a teacher and there is none".into()));
    }
    let mut states = student.hidden_states(&tokens, dropout)?;
    let last = states.pop().ok_or_else(|| Error::Config("a student without layers".into()))?;
    drop(states);

    // Only the rows whose logits matter reach the head.
    let soft = objective.needs_teacher_logits();
    let (masked, labels) = batch.labelled();
    let all_rows = soft && !objective.soft_targets_on_masked_only;
    let (select, labels) = if all_rows {
        (None, batch.labels.clone())
    } else {
        (Some(Tensor::from_vec(masked, labels.len(), device)?), labels)
    };
    let project = |model: &Model, hidden: &Tensor| -> candle_core::Result<Projection> {
        match &select {
            Some(rows) => model.project(&hidden.index_select(rows, 0)?),
            None => model.project(hidden),
        }
    };
    let vocabulary = if labels.is_empty() {
        // Nothing to predict, as in a part of a batch that happens to hold no target.
        let zero = || Tensor::zeros((), DType::F32, device);
        VocabularyLoss { total: zero()?, ce: zero()?, mse: zero()?, mlm: zero()? }
    } else {
        let targets = Targets {
            labels,
            teacher: teacher_last
                .as_ref()
                .filter(|_| soft)
                .map(|(teacher, last)| project(teacher, last))
                .transpose()?,
            temperature: objective.temperature,
            alpha_ce: objective.alpha_ce,
            alpha_mse: objective.alpha_mse,
            alpha_mlm: objective.alpha_mlm,
        };
        vocabulary_loss(&project(student, &last)?, targets)?
    };
    let (total, cos) = match &teacher_last {
        Some((_, teacher_last)) if objective.alpha_cos > 0.0 => {
            let cos = cosine_loss(&student.compared(&last)?, teacher_last)?;
            ((vocabulary.total + (&cos * objective.alpha_cos)?)?, cos.detach())
        }
        _ => (vocabulary.total, Tensor::zeros((), DType::F32, device)?),
    };
    Ok(Losses { total, ce: vocabulary.ce, mse: vocabulary.mse, mlm: vocabulary.mlm, cos })
}

//! Labels with their scores, of a text or of one token.

use distil_format::{Architecture, Artifact, Problem};
use distil_kernels::{Epilogue, exp, tanh};

use crate::buffers::Buffers;
use crate::error::ModelError;
use crate::linear::Rows;
use crate::model::Model;

/// The scores of a classified text or token.
#[derive(Clone, Copy, Debug)]
pub struct Classification<'s> {
    artifact: &'s Artifact<'s>,
    logits: &'s [f32],
    values: &'s [f32],
}

impl<'s> Classification<'s> {
    /// How the scores are read.
    pub fn problem(&self) -> Problem {
        self.artifact.config().problem
    }

    /// Raw scores, one for each label.
    pub fn logits(&self) -> &'s [f32] {
        self.logits
    }

    /// What the scores mean, one for each label: their softmax if one label is right, the sigmoid of each if each is
    /// right or not, the scores themselves in a regression.
    pub fn values(&self) -> &'s [f32] {
        self.values
    }

    /// Number of the best label; the first one on a tie.
    pub fn best(&self) -> usize {
        best(self.logits)
    }

    /// Name of the best label.
    pub fn label(&self) -> &'s str {
        self.name(self.best())
    }

    /// Probability of the best label; 1.0 in a regression, which knows none.
    pub fn probability(&self) -> f32 {
        match self.problem() {
            Problem::Regression => 1.0,
            _ => self.values.get(self.best()).copied().unwrap_or(0.0),
        }
    }

    /// Name of label `i`; empty for one that there is not.
    pub fn name(&self, i: usize) -> &'s str {
        self.artifact.label(i).unwrap_or("")
    }

    /// Numbers of the labels that hold: the best one, or of labels of which each is right or not those with a
    /// probability of at least 0.5. In a regression all of them.
    pub fn holding(&self) -> impl Iterator<Item = usize> + use<'s> {
        let (problem, best, logits) = (self.problem(), self.best(), self.logits);
        (0..logits.len()).filter(move |&i| match problem {
            Problem::SingleLabel => i == best,
            Problem::MultiLabel => logits[i] >= 0.0,
            Problem::Regression => true,
        })
    }
}

/// The place of the largest score, the first one on a tie.
pub(crate) fn best(scores: &[f32]) -> usize {
    (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

/// The text in `buffers.x`, by its first token.
///
/// DistilBERT: W_2 relu(W_1 x_cls + b_1) + b_2; BERT: the pooler's tanh in place of relu.
pub(crate) fn of_text<'s>(model: &Model<'s>, buffers: &'s mut Buffers) -> Result<Classification<'s>, ModelError> {
    let (kernels, config) = (model.kernels(), model.config());
    let h = config.hidden as usize;
    let head = model.classifier()?;
    let relu = config.architecture == Architecture::DistilBert;
    let epilogue = if relu { Epilogue::Relu } else { Epilogue::Store };

    let first = &buffers.x[..h];
    let rows = Rows::quantize(kernels, first, h, &mut buffers.row, &[&head.pre]);
    rows.apply(kernels, &head.pre, 0..h, epilogue, buffers.inner, h);
    if !relu {
        buffers.inner.iter_mut().for_each(|x| *x = tanh(*x));
    }
    let rows = Rows::quantize(kernels, buffers.inner, h, &mut buffers.row, &[&head.out]);
    let labels = config.labels as usize;
    rows.apply(kernels, &head.out, 0..labels, Epilogue::Store, &mut buffers.scores[..labels], labels);
    Ok(read(model, buffers.scores))
}

/// One token of the text in `buffers.x`: W x + b.
pub(crate) fn of_token<'s>(
    model: &Model<'s>,
    position: usize,
    buffers: &'s mut Buffers,
) -> Result<Classification<'s>, ModelError> {
    let (kernels, config) = (model.kernels(), model.config());
    let (h, labels) = (config.hidden as usize, config.labels as usize);
    let head = model.token_classifier()?;
    let row = &buffers.x[position * h..(position + 1) * h];
    let rows = Rows::quantize(kernels, row, h, &mut buffers.row, &[&head]);
    rows.apply(kernels, &head, 0..labels, Epilogue::Store, &mut buffers.scores[..labels], labels);
    Ok(read(model, buffers.scores))
}

/// Reads the logits, the first `labels` scores, as the problem has them; the next `labels` scores become the values.
fn read<'s>(model: &Model<'s>, scores: &'s mut [f32]) -> Classification<'s> {
    let config = model.config();
    let labels = config.labels as usize;
    let (logits, rest) = scores.split_at_mut(labels);
    let values = &mut rest[..labels];
    values.copy_from_slice(logits);
    match config.problem {
        Problem::SingleLabel => model.kernels().softmax(values),
        Problem::MultiLabel => values.iter_mut().for_each(|x| *x = sigmoid(*x)),
        Problem::Regression => {}
    }
    Classification { artifact: model.artifact(), logits, values }
}

/// 1 / (1 + e^-x), without a denormal on the way: below zero as e^x / (1 + e^x).
fn sigmoid(x: f32) -> f32 {
    if x < 0.0 {
        let power = exp(x);
        power / (1.0 + power)
    } else {
        1.0 / (1.0 + exp(0.0 - x))
    }
}

#[cfg(test)]
mod tests {
    use super::{best, sigmoid};

    #[test]
    fn sigmoid_is_symmetric_and_normal() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert!((sigmoid(1.0) - 0.731_058_6).abs() < 1e-7);
        for x in [0.25, 3.0, 17.0, 80.0, 1e4, f32::MAX] {
            assert!((sigmoid(x) + sigmoid(-x) - 1.0).abs() < 1e-7, "{x}");
            assert!(sigmoid(-x).is_normal() && sigmoid(-x) < 0.5, "{x}");
        }
    }

    #[test]
    fn the_first_of_equals_is_the_best() {
        assert_eq!(best(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(best(&[-1.0]), 0);
    }
}

//! From hidden states to answers: pooling, and the masked-LM projection.

use distil_format::{Config, Pooling};
use distil_kernels::{Epilogue, exp, rsqrt};

use crate::buffers::Buffers;
use crate::error::ModelError;
use crate::linear::Rows;
use crate::model::Model;
use crate::plan::VOCABULARY_CHUNK;

/// One vocabulary entry proposed for a masked position.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Vocabulary entry.
    pub id: u32,
    /// Its raw score.
    pub logit: f32,
    /// Its share of the softmax over the whole vocabulary.
    pub probability: f32,
}

/// What the masked-LM head says of one position, apart from the candidates themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Candidates that were filled in, best first.
    pub candidates: usize,
    /// The highest logit.
    pub max: f32,
    /// Sum over the vocabulary of exp(logit - max): the loss of an entry is max + ln(sum) - logit.
    pub sum: f32,
    /// Logit of the entry asked for.
    pub target: Option<f32>,
}

/// Pools `n` hidden states into `buffers.pooled`.
pub(crate) fn pool(model: &Model, n: usize, buffers: &mut Buffers) {
    let (kernels, config) = (model.kernels(), model.config());
    let h = config.hidden as usize;
    let pooled = &mut *buffers.pooled;
    match config.pooling {
        Pooling::Cls => pooled.copy_from_slice(&buffers.x[..h]),
        Pooling::Mean => {
            pooled.fill(0.0);
            for row in buffers.x[..n * h].chunks_exact(h) {
                kernels.add(row, pooled);
            }
            kernels.scale(1.0 / n as f32, pooled);
        }
    }
    if config.normalize {
        // The floor keeps an all-zero vector at zero instead of dividing by zero.
        let sum = kernels.sum_squares(pooled).max(1e-24);
        kernels.scale(rsqrt(sum), pooled);
    }
}

/// Scores every vocabulary entry at one position, a chunk at a time, and keeps the best in `top`.
pub(crate) fn predict(
    model: &Model,
    position: usize,
    target: Option<u32>,
    top: &mut [Candidate],
    buffers: &mut Buffers,
) -> Result<Prediction, ModelError> {
    let (kernels, config): (_, &Config) = (model.kernels(), model.config());
    let (h, entries) = (config.hidden as usize, config.vocab_size as usize);
    let head = model.masked_lm()?;

    let row = &buffers.x[position * h..(position + 1) * h];
    let rows = Rows::quantize(kernels, row, h, &mut buffers.row, &[&head.transform]);
    rows.apply(kernels, &head.transform, 0..h, Epilogue::Gelu, buffers.inner, h);
    kernels.layer_norm(buffers.inner, head.norm.weight, head.norm.bias, config.layer_norm_eps);

    let rows = Rows::quantize(kernels, buffers.inner, h, &mut buffers.row, &[&head.projection]);
    let mut result = Prediction { candidates: 0, max: f32::MIN, sum: 0.0, target: None };
    for first in (0..entries).step_by(VOCABULARY_CHUNK) {
        let count = VOCABULARY_CHUNK.min(entries - first);
        let logits = &mut buffers.scores[..count];
        rows.apply(kernels, &head.projection, first..first + count, Epilogue::Store, logits, count);
        for (id, &logit) in (first as u32..).zip(&*logits) {
            if logit > result.max {
                result.sum = result.sum * exp(result.max - logit) + 1.0;
                result.max = logit;
            } else {
                result.sum += exp(logit - result.max);
            }
            if target == Some(id) {
                result.target = Some(logit);
            }
            let candidate = Candidate { id, logit, probability: 0.0 };
            result.candidates = insert(top, result.candidates, candidate, |candidate| candidate.logit);
        }
    }
    for candidate in &mut top[..result.candidates] {
        candidate.probability = exp(candidate.logit - result.max) / result.sum;
    }
    Ok(result)
}

/// Keeps `top[..filled]` sorted by falling score, what came first before what came later on a tie; returns the new number
/// filled.
pub(crate) fn insert<T: Copy>(top: &mut [T], filled: usize, new: T, score: impl Fn(&T) -> f32) -> usize {
    let mut at = filled;
    while at > 0 && score(&new) > score(&top[at - 1]) {
        at -= 1;
    }
    if at == top.len() {
        return filled;
    }
    let filled = (filled + 1).min(top.len());
    top[at..filled].rotate_right(1);
    top[at] = new;
    filled
}

#[cfg(test)]
mod tests {
    use super::{Candidate, insert};

    #[test]
    fn the_best_candidates_are_kept_in_order() {
        let mut top = [Candidate::default(); 3];
        let mut filled = 0;
        for (id, logit) in [1.0, 5.0, 3.0, 5.0, 0.5, 4.0].into_iter().enumerate() {
            let candidate = Candidate { id: id as u32, logit, probability: 0.0 };
            filled = insert(&mut top, filled, candidate, |candidate| candidate.logit);
        }
        assert_eq!(filled, 3);
        assert_eq!(top.map(|c| c.id), [1, 3, 5]);
        assert_eq!(insert(&mut [], 0, Candidate::default(), |candidate| candidate.logit), 0);
    }
}

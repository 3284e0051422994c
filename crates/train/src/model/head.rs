//! The masked-LM head: dense, GELU, LayerNorm, then the tied projection onto the vocabulary.

use super::config::ModelConfig;
use super::encoder::Pair;
use super::grid::Source;
use super::names::{Part, Slot};
use crate::ops::Projection;
use crate::qat::{self, Parameter};
use candle_core::{D, DType, Result, Tensor};

/// Head over the word embeddings of the encoder.
#[derive(Debug)]
pub struct MaskedLmHead {
    transform: Pair,
    norm: Pair,
    words: Parameter,
    bias: Parameter,
    eps: f64,
}

impl MaskedLmHead {
    pub(super) fn new(config: &ModelConfig, source: Source, dtype: DType) -> Result<Self> {
        Ok(Self {
            transform: Pair::matrix(source, Part::Transform, dtype)?,
            norm: Pair::new(source, Part::TransformNorm)?,
            words: source.get(Part::Words, Slot::Weight)?,
            bias: source.get(Part::Decoder, Slot::Bias)?,
            eps: config.layer_norm_eps,
        })
    }

    /// Transforms hidden rows `[n, hidden]`; the product with the vocabulary is left to the loss.
    pub fn project(&self, hidden: &Tensor) -> Result<Projection> {
        let mut hidden = self.norm.norm(&self.transform.linear_gelu(hidden)?, self.eps)?;
        if self.words.on_grid() {
            hidden = qat::round_rows(&hidden, hidden.dim(D::Minus1)?)?;
        }
        Ok(Projection { hidden, weight: self.words.value()?, bias: self.bias.value()? })
    }
}

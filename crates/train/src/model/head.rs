//! The masked-LM head: dense, GELU, LayerNorm, then the tied projection onto the vocabulary.

use super::config::ModelConfig;
use super::encoder::Pair;
use super::names::{Part, Slot};
use super::parameters::Parameters;
use crate::ops::{Projection, gelu};
use candle_core::{DType, Result, Tensor};

/// Head over the word embeddings of the encoder.
#[derive(Debug)]
pub struct MaskedLmHead {
    transform: Pair,
    norm: Pair,
    words: Tensor,
    bias: Tensor,
    eps: f64,
    dtype: DType,
}

impl MaskedLmHead {
    /// Takes its tensors from `parameters`.
    pub fn new(config: &ModelConfig, parameters: &Parameters, dtype: DType) -> Result<Self> {
        Ok(Self {
            transform: Pair::new(parameters, Part::Transform)?,
            norm: Pair::new(parameters, Part::TransformNorm)?,
            words: parameters.get(Part::Words, Slot::Weight)?,
            bias: parameters.get(Part::Decoder, Slot::Bias)?,
            eps: config.layer_norm_eps,
            dtype,
        })
    }

    /// Transforms hidden rows `[n, hidden]`; the product with the vocabulary is left to the loss.
    pub fn project(&self, hidden: &Tensor) -> Result<Projection> {
        let hidden = self.norm.norm(&gelu(&self.transform.linear(hidden)?)?, self.eps)?;
        Ok(Projection { hidden, weight: self.words.to_dtype(self.dtype)?, bias: self.bias.to_dtype(self.dtype)? })
    }
}

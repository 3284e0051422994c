//! The sum of word, position and token-type embeddings, normalized, with dropout.

use super::{Mask, dropout_rows, layer_norm};
use candle_core::{DType, Result, Tensor};
use std::sync::Arc;

/// Tables, and what is looked up in them.
#[derive(Debug)]
pub struct Looked<'a> {
    /// `[vocabulary, h]`.
    pub words: &'a Tensor,
    /// `[positions, h]`.
    pub positions: &'a Tensor,
    /// `[types, h]`: the first row is added to every sum.
    pub types: Option<&'a Tensor>,
    /// Word of each row, `[n]`.
    pub ids: &'a Tensor,
    /// Position of each row, `[n]`.
    pub places: &'a Tensor,
    /// Both again, on the host.
    pub on_host: &'a [Arc<[u32]>; 2],
    /// Of the LayerNorm, `[h]`.
    pub gamma: &'a Tensor,
    /// Of the LayerNorm, `[h]`.
    pub beta: &'a Tensor,
    /// Of the LayerNorm.
    pub eps: f64,
}

/// `dropout(LayerNorm(word + position + type))`, `[n, h]` in `dtype`.
pub fn embeddings(looked: &Looked<'_>, mask: Option<Mask>, dtype: DType) -> Result<Tensor> {
    super::trace::embeddings(looked, mask)?;
    #[cfg(feature = "cuda")]
    if looked.words.device().is_cuda() {
        return super::gpu::embeddings(looked, mask, dtype);
    }
    let _pause = super::trace::pause();
    let mut x = (looked.words.index_select(looked.ids, 0)? + looked.positions.index_select(looked.places, 0)?)?;
    if let Some(types) = looked.types {
        x = x.broadcast_add(&types.get(0)?)?;
    }
    dropout_rows(&layer_norm(&x.to_dtype(dtype)?, looked.gamma, looked.beta, looked.eps)?, mask)
}

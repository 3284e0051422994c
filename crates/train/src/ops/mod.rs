//! Differentiable operations on candle tensors.
//!
//! Each public function picks a fused implementation on the CPU in `f32` (a candle custom operation with its own
//! backward pass) and a composition of candle's differentiable operations everywhere else. candle's own
//! `LayerNorm::forward` and `softmax_last_dim` are never used: they cut gradients without an error.

mod attention;
mod cosine;
mod dropout;
mod gelu;
mod layer_norm;
mod linear;
mod machine;
pub mod math;
mod plan;
mod storage;
mod vocabulary;

pub use attention::{Sequences, attention};
pub use cosine::cosine_loss;
pub use dropout::{Dropout, Mask, dropout_add, dropout_rows};
pub use gelu::gelu;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use vocabulary::{
    IGNORE, Projection, RowStatistics, Targets, VocabularyLoss, vocabulary_loss, vocabulary_statistics,
};

use candle_core::{DType, Tensor};

/// Whether the fused CPU implementation applies to `x`.
fn fused(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

#[cfg(test)]
pub(crate) mod testing;

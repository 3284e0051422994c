//! Differentiable operations on candle tensors.
//!
//! Each public function picks a fused implementation on the CPU in `f32` (a candle custom operation with its own
//! backward pass), kernels of its own on GPUs, and a composition of candle's differentiable operations everywhere else. candle's own
//! `LayerNorm::forward` and `softmax_last_dim` are never used: they cut gradients without an error.

mod attention;
mod cosine;
mod dropout;
mod embeddings;
mod gelu;
#[cfg(feature = "cuda")]
pub(crate) mod gpu;
mod layer_norm;
mod linear;
#[cfg_attr(not(any(test, feature = "cuda")), allow(dead_code, reason = "without a GPU plans are only counted"))]
pub(crate) mod machine;
pub mod math;
#[cfg_attr(not(any(test, feature = "cuda")), allow(dead_code, reason = "without a GPU plans are only counted"))]
pub(crate) mod plan;
mod residual;
mod storage;
#[cfg_attr(not(any(test, feature = "cuda")), allow(dead_code, reason = "on the CPU candle collects the gradients"))]
mod tape;
pub mod trace;
mod vocabulary;

pub use attention::{Sequences, attention};
pub use cosine::cosine_loss;
pub use dropout::{Dropout, Mask, dropout_add, dropout_rows};
pub use embeddings::{Looked, embeddings};
pub use gelu::gelu;
pub use layer_norm::layer_norm;
pub use linear::{linear, linear_gelu, linear_stacked};
pub use residual::residual_norm;
pub(crate) use storage::{dot, for_rows, max, slice, sum_by, vectorized, with_slice};
pub use tape::{differentiate, differentiate_into};
pub use vocabulary::{
    IGNORE, Projection, RowStatistics, Targets, VocabularyLoss, vocabulary_loss, vocabulary_statistics,
};

use candle_core::{DType, Tensor};

/// Whether the fused CPU implementation applies to `x`.
pub(crate) fn fused(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

#[cfg(test)]
pub(crate) mod testing;

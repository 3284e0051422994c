//! What an instruction set provides: one function for each operation, on arguments that are already
//! checked.

use core::ops::Range;

use crate::isa::Isa;
use crate::layout::{Group, Layout, Width};
use crate::matrix::{Epilogue, Integers, RowScale, Scales, Vector};
use crate::scalar::f16_to_f32;

/// The functions of one instruction set.
///
/// They are `unsafe` to call because the instruction set must exist on this machine; their slices
/// have the lengths that [`Kernels`](crate::Kernels) checked.
#[allow(clippy::type_complexity, reason = "the operations' signatures, with names for their arguments")]
pub(crate) struct Operations {
    pub(crate) isa: Isa,
    /// The tiled layout that its int8 product reads best.
    pub(crate) layout: Layout,
    /// Rows of `k` floats, `stride` apart.
    pub(crate) quantize_rows: unsafe fn(x: &[f32], stride: usize, k: usize, values: &mut [i8], scales: &mut [RowScale]),
    pub(crate) matmul_int8: unsafe fn(&Int8Product<'_>, out: &mut [f32]),
    pub(crate) matmul_f32: unsafe fn(&FloatProduct<'_>, out: &mut [f32]),
    pub(crate) gemm_f32: unsafe fn(&Gemm<'_>, out: &mut [f32]),
    pub(crate) softmax: unsafe fn(row: &mut [f32]),
    pub(crate) layer_norm: unsafe fn(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32),
    pub(crate) norm_quantize:
        unsafe fn(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32, values: &mut [i8]) -> RowScale,
    pub(crate) attention_weights: unsafe fn(scores: &mut [f32], token_scales: &[f32], values: &mut [i8]) -> RowScale,
    pub(crate) add_dequantized: unsafe fn(values: &[i8], scale: f32, out: &mut [f32]),
    pub(crate) add_dequantized_grouped: unsafe fn(&GroupedRow<'_>, out: &mut [f32]),
    pub(crate) add: unsafe fn(x: &[f32], out: &mut [f32]),
    pub(crate) scale: unsafe fn(factor: f32, x: &mut [f32]),
    pub(crate) sum_squares: unsafe fn(x: &[f32]) -> f32,
    pub(crate) gelu: unsafe fn(x: &mut [f32]),
}

/// What every product of rows with a weight matrix has beside its operands.
#[derive(Clone)]
pub(crate) struct Output<'a> {
    /// The channels to make, not empty.
    pub(crate) channels: Range<usize>,
    pub(crate) bias: Option<Vector<'a>>,
    pub(crate) epilogue: Epilogue,
    /// Floats from one output row to the next, at least the number of channels.
    pub(crate) stride: usize,
}

impl Output<'_> {
    /// The bias of `channel`, zero without one.
    #[inline(always)]
    pub(crate) fn bias(&self, channel: usize) -> f32 {
        match self.bias {
            None => 0.0,
            Some(Vector::F32(values)) => values[channel],
            Some(Vector::F16(values)) => f16_to_f32(values[channel]),
        }
    }
}

/// `out = epilogue(values x weights^T * scales + bias)`; there is at least one row.
pub(crate) struct Int8Product<'a> {
    /// `scales.len()` rows, `quantized_stride(k)` apart, zero beyond `k`.
    pub(crate) values: &'a [i8],
    pub(crate) scales: &'a [RowScale],
    pub(crate) weights: Integers<'a>,
    /// One for each channel, or more.
    pub(crate) weight_scales: Scales<'a>,
    pub(crate) layout: Layout,
    pub(crate) k: usize,
    pub(crate) output: Output<'a>,
}

/// A row of a 4-bit or 3-bit table.
pub(crate) struct GroupedRow<'a> {
    /// Its weights, padded to a whole group.
    pub(crate) packed: &'a [u8],
    pub(crate) width: Width,
    /// One for each group.
    pub(crate) groups: &'a [u8],
    pub(crate) group: Group,
    pub(crate) scale: f32,
}

/// `out = epilogue(x x weights^T + bias)`; there is at least one row.
pub(crate) struct FloatProduct<'a> {
    /// `rows` rows of `k`.
    pub(crate) x: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) weights: &'a [f32],
    pub(crate) layout: Layout,
    pub(crate) k: usize,
    pub(crate) output: Output<'a>,
}

/// `out[i][j] = scale * sum over k of a[i][k] * b[k][j]`; no dimension is zero.
pub(crate) struct Gemm<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) a_stride: usize,
    pub(crate) rows: usize,
    pub(crate) b: &'a [f32],
    pub(crate) b_stride: usize,
    pub(crate) k: usize,
    pub(crate) n: usize,
    pub(crate) scale: f32,
    pub(crate) out_stride: usize,
}

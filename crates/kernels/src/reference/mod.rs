//! The definition of every operation, in plain Rust for any target: slow where that is clearer.

mod float;
mod grouped;
mod int8;
mod rows;

use crate::LANES;
use crate::isa::Isa;
use crate::layout::Layout;
use crate::matrix::Epilogue;
use crate::operations::Operations;
use crate::scalar::{gelu, max};

/// The reference as an instruction set.
pub(crate) static OPERATIONS: Operations = Operations {
    isa: Isa::Reference,
    layout: Layout::Tile16,
    quantize_rows: int8::quantize_rows,
    matmul_int8: int8::matmul,
    matmul_f32: float::matmul,
    gemm_f32: float::gemm,
    softmax: rows::softmax,
    layer_norm: rows::layer_norm,
    norm_quantize: rows::norm_quantize,
    attention_weights: rows::attention_weights,
    add_dequantized: rows::add_dequantized,
    add_dequantized_grouped: grouped::add_dequantized,
    add: rows::add,
    scale: rows::scale,
    sum_squares: rows::sum_squares,
    gelu: rows::gelu,
};

/// The sum of a row: element `i` goes to lane `i % 16`, then the lanes are folded in half until one
/// is left.
fn lane_sum(values: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0.0; LANES];
    for (i, value) in values.enumerate() {
        lanes[i % LANES] += value;
    }
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

/// Stores one value of a matrix product.
#[inline(always)]
fn store(epilogue: Epilogue, value: f32, out: &mut f32) {
    *out = match epilogue {
        Epilogue::Store => value,
        Epilogue::Gelu => gelu(value),
        Epilogue::Relu => max(0.0, value),
        Epilogue::Add => *out + value,
    };
}

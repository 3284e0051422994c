//! The operations, written once over [`Simd`] and compiled into each instruction set.
//!
//! Every function here is `#[inline(always)]`: it has no instruction set of its own and becomes
//! part of the `#[target_feature]` function that [`instantiate`] makes of it.

#[cfg_attr(target_arch = "aarch64", allow(dead_code, reason = "a product there is one of tiles"))]
mod block;
mod elementwise;
mod float;
mod functions;
mod in_place;
mod int8;
mod output;
mod panels;
mod quantize;
mod row_major;
mod rows;
mod simd;
mod tail;

pub(crate) use elementwise::{add, add_dequantized, add_dequantized_grouped, gelu, scale};
pub(crate) use float::{gemm, matmul as matmul_f32};
pub(crate) use in_place::{in_place, nibbles};
pub(crate) use int8::{Int8, Way};
pub(crate) use panels::in_panels;
pub(crate) use quantize::quantize_rows;
pub(crate) use row_major::row_major;
pub(crate) use rows::{attention_weights, layer_norm, norm_quantize, softmax, sum_squares};
pub(crate) use simd::Simd;
// For inner loops of blocks, and for products of tiles.
#[allow(unused_imports, reason = "every architecture has one of the two")]
pub(crate) use {
    block::{Block, NibbleBlock},
    int8::{RUN, Sums},
    tail::{Tail, finish},
};

/// Makes the `OPERATIONS` of an instruction set.
///
/// `$token` is its [`Simd`] and [`Int8`] type, whose `new` needs `$features`; `$rows` and
/// `$columns` are the outputs that its float products keep in registers: rows, and groups of 16
/// columns.
macro_rules! instantiate {
    ($isa:expr, $token:ty, $features:literal, $rows:literal x $columns:literal) => {
        /// The operations of this instruction set.
        pub(in crate::native) static OPERATIONS: Operations = Operations {
            isa: $isa,
            layout: <$token as Int8>::LAYOUT,
            quantize_rows,
            matmul_int8,
            matmul_f32,
            gemm_f32,
            softmax,
            layer_norm,
            norm_quantize,
            attention_weights,
            add_dequantized,
            add_dequantized_grouped,
            add,
            scale,
            sum_squares,
            gelu,
        };

        #[target_feature(enable = $features)]
        fn quantize_rows(x: &[f32], stride: usize, k: usize, values: &mut [i8], scales: &mut [RowScale]) {
            vector::quantize_rows(<$token>::new(), x, stride, k, values, scales);
        }
        #[target_feature(enable = $features)]
        fn matmul_int8(product: &Int8Product<'_>, out: &mut [f32]) {
            match vector::Way::of::<$token>(product) {
                vector::Way::RowMajor => row_major(product, out),
                vector::Way::InPlace => in_place(product, out),
                vector::Way::Nibbles => nibbles(product, out),
                vector::Way::Panels => in_panels(product, out),
                vector::Way::Tiles => <$token>::new().tiles(product, out),
            }
        }
        #[target_feature(enable = $features)]
        #[inline(never)]
        fn row_major(product: &Int8Product<'_>, out: &mut [f32]) {
            vector::row_major(<$token>::new(), product, out);
        }
        #[target_feature(enable = $features)]
        #[inline(never)]
        fn in_place(product: &Int8Product<'_>, out: &mut [f32]) {
            vector::in_place(<$token>::new(), product, out);
        }
        #[target_feature(enable = $features)]
        #[inline(never)]
        fn nibbles(product: &Int8Product<'_>, out: &mut [f32]) {
            vector::nibbles(<$token>::new(), product, out);
        }
        #[target_feature(enable = $features)]
        #[inline(never)]
        fn in_panels(product: &Int8Product<'_>, out: &mut [f32]) {
            vector::in_panels(<$token>::new(), product, out);
        }
        #[target_feature(enable = $features)]
        fn matmul_f32(product: &FloatProduct<'_>, out: &mut [f32]) {
            vector::matmul_f32::<$token, $rows, $columns>(<$token>::new(), product, out);
        }
        #[target_feature(enable = $features)]
        fn gemm_f32(gemm: &Gemm<'_>, out: &mut [f32]) {
            vector::gemm::<$token, $rows, $columns>(<$token>::new(), gemm, out);
        }
        #[target_feature(enable = $features)]
        fn softmax(row: &mut [f32]) {
            vector::softmax(<$token>::new(), row);
        }
        #[target_feature(enable = $features)]
        fn layer_norm(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
            vector::layer_norm(<$token>::new(), row, gamma, beta, eps);
        }
        #[target_feature(enable = $features)]
        fn norm_quantize(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32, values: &mut [i8]) -> RowScale {
            vector::norm_quantize(<$token>::new(), row, gamma, beta, eps, values)
        }
        #[target_feature(enable = $features)]
        fn attention_weights(scores: &mut [f32], token_scales: &[f32], values: &mut [i8]) -> RowScale {
            vector::attention_weights(<$token>::new(), scores, token_scales, values)
        }
        #[target_feature(enable = $features)]
        fn add_dequantized_grouped(row: &GroupedRow<'_>, out: &mut [f32]) {
            vector::add_dequantized_grouped(<$token>::new(), row, out);
        }
        #[target_feature(enable = $features)]
        fn add_dequantized(values: &[i8], scale: f32, out: &mut [f32]) {
            vector::add_dequantized(<$token>::new(), values, scale, out);
        }
        #[target_feature(enable = $features)]
        fn add(x: &[f32], out: &mut [f32]) {
            vector::add(<$token>::new(), x, out);
        }
        #[target_feature(enable = $features)]
        fn scale(factor: f32, x: &mut [f32]) {
            vector::scale(<$token>::new(), factor, x);
        }
        #[target_feature(enable = $features)]
        fn sum_squares(x: &[f32]) -> f32 {
            vector::sum_squares(<$token>::new(), x)
        }
        #[target_feature(enable = $features)]
        fn gelu(x: &mut [f32]) {
            vector::gelu(<$token>::new(), x);
        }
    };
}
pub(crate) use instantiate;

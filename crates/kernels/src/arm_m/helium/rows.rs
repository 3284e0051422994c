//! Operations on rows of floats that need a sum or the largest element.

use super::asm::helium;
use super::elementwise::{largest, multiply, scale};
use super::quantize::{quantize, round};
use super::sums::{sum, sum_squares_about};
use crate::matrix::RowScale;
use crate::scalar::{EXP, LN2_HIGH, LN2_LOW, LOG2_E, MAGIC, SMALLEST, SOFTMAX_LOW, rsqrt};

/// Softmax of a row.
pub(super) fn softmax(row: &mut [f32]) {
    exp_below(row, largest(row));
    scale(1.0 / sum(row), row);
}

/// The softmax of a row of attention scores, times the scales of the tokens, quantized.
pub(super) fn attention_weights(scores: &mut [f32], token_scales: &[f32], values: &mut [i8]) -> RowScale {
    exp_below(scores, largest(scores));
    let sum = sum(scores);
    let largest = multiply(scores, token_scales);
    let sum_of_values = round(scores, largest, values);
    if largest < SMALLEST {
        RowScale::default()
    } else {
        RowScale { scale: largest / (127.0 * sum), sum: sum_of_values }
    }
}

/// Layer normalization of a row.
pub(super) fn layer_norm(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    assert!(gamma.len() == row.len() && beta.len() == row.len());
    let inverse = 1.0 / row.len() as f32;
    let mean = sum(row) * inverse;
    let variance = sum_squares_about(row, mean) * inverse;
    // SAFETY: the three slices have `n` elements.
    unsafe {
        helium!(
            [
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{row}]",
                "vsub.f32 q0, q0, {mean}",
                "vldrw.u32 q1, [{gamma}], #16",
                "vmul.f32 q0, q0, {rstd}",
                "vldrw.u32 q2, [{beta}], #16",
                "vmul.f32 q0, q0, q1",
                "vadd.f32 q0, q0, q2",
                "vstrw.32 q0, [{row}], #16",
                "letp lr, 2b",
                "3:",
            ]
            row = inout(reg) row.as_mut_ptr() => _,
            gamma = inout(reg) gamma.as_ptr() => _,
            beta = inout(reg) beta.as_ptr() => _,
            mean = in(reg) mean.to_bits(),
            rstd = in(reg) rsqrt(variance + eps).to_bits(),
            n = in(reg) row.len(),
        );
    }
}

/// Layer normalization of a row, which is then quantized.
pub(super) fn norm_quantize(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32, values: &mut [i8]) -> RowScale {
    layer_norm(row, gamma, beta, eps);
    quantize(row, values)
}

/// Constants of the loop below that have no register of their own.
static TABLE: [f32; 5] = [SOFTMAX_LOW, EXP[5], EXP[4], EXP[3], EXP[2]];
// The polynomial ends with these two.
const _: () = assert!(EXP.len() == 7 && EXP[1] == 1.0 && EXP[0] == 1.0);

/// e to the difference from `largest`, which is taken no lower than -64.
///
/// That is [`exp`](crate::scalar::exp) without its own limits, which such differences are within.
fn exp_below(x: &mut [f32], largest: f32) {
    // SAFETY: the slice has `n` elements, and the table those that are read.
    unsafe {
        helium!(
            [
                "wlstp.32 lr, {t}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}]",
                "ldr {t}, [{table}]",
                "vsub.f32 q0, q0, {largest}",
                "vdup.32 q1, {t}",
                "vmaxnm.f32 q0, q0, q1",
                "vmul.f32 q1, q0, {log2_e}",
                "vadd.f32 q1, q1, {magic}",
                "vsub.f32 q2, q1, {magic}",
                "vmul.f32 q3, q2, {high}",
                "vsub.f32 q0, q0, q3",
                "vmul.f32 q3, q2, {low}",
                "ldr {t}, [{table}, #4]",
                "vsub.f32 q0, q0, q3",
                "vmul.f32 q2, q0, {c6}",
                "vadd.f32 q2, q2, {t}",
                "ldr {t}, [{table}, #8]",
                "vmul.f32 q2, q2, q0",
                "vadd.f32 q2, q2, {t}",
                "ldr {t}, [{table}, #12]",
                "vmul.f32 q2, q2, q0",
                "vadd.f32 q2, q2, {t}",
                "ldr {t}, [{table}, #16]",
                "vmul.f32 q2, q2, q0",
                "vadd.f32 q2, q2, {t}",
                "vshl.i32 q1, q1, #23",
                "vmul.f32 q2, q2, q0",
                "vadd.f32 q2, q2, {one}",
                "vmul.f32 q2, q2, q0",
                "vadd.f32 q2, q2, {one}",
                "vadd.i32 q2, q2, q1",
                "vstrw.32 q2, [{x}], #16",
                "letp lr, 2b",
                "3:",
            ]
            x = inout(reg) x.as_mut_ptr() => _,
            table = in(reg) TABLE.as_ptr(),
            t = inout(reg) x.len() => _,
            largest = in(reg) largest.to_bits(),
            log2_e = in(reg) LOG2_E.to_bits(),
            magic = in(reg) MAGIC.to_bits(),
            high = in(reg) LN2_HIGH.to_bits(),
            low = in(reg) LN2_LOW.to_bits(),
            c6 = in(reg) EXP[6].to_bits(),
            one = in(reg) 1.0_f32.to_bits(),
        );
    }
}

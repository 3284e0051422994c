//! Row quantization.

use super::asm::helium;
use super::elementwise::magnitude;
use crate::matrix::{RowScale, quantized_stride};
use crate::scalar::{MAGIC, SMALLEST};

/// Quantizes rows of `k` floats.
pub(super) fn quantize_rows(x: &[f32], stride: usize, k: usize, values: &mut [i8], scales: &mut [RowScale]) {
    let rows = x.chunks(stride).map(|x| &x[..k]).zip(values.chunks_exact_mut(quantized_stride(k)));
    for ((x, values), row) in rows.zip(scales) {
        *row = quantize(x, values);
    }
}

/// Quantizes one row.
pub(super) fn quantize(x: &[f32], values: &mut [i8]) -> RowScale {
    let largest = magnitude(x);
    let sum = round(x, largest, values);
    if largest < SMALLEST { RowScale::default() } else { RowScale { scale: largest / 127.0, sum } }
}

/// Rounds to steps of `largest / 127`, pads with zeros, and returns the sum of the steps.
pub(super) fn round(x: &[f32], largest: f32, values: &mut [i8]) -> i32 {
    if largest < SMALLEST {
        values.fill(0);
        return 0;
    }
    let (values, padding) = values.split_at_mut(x.len());
    padding.fill(0);
    let mut sum = 0_i32;
    // The low byte of the shifted number is the rounded one, and its bits are that number plus those
    // of `MAGIC`, so their sum is the sum of the steps and `n` times `MAGIC`.
    //
    // SAFETY: both slices have `n` elements (`split_at_mut`).
    unsafe {
        helium!(
            [
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vmul.f32 q0, q0, {inverse}",
                "vadd.f32 q0, q0, {magic}",
                "vstrb.32 q0, [{values}], #4",
                "vaddva.s32 r0, q0",
                "letp lr, 2b",
                "3:",
            ]
            x = inout(reg) x.as_ptr() => _,
            values = inout(reg) values.as_mut_ptr() => _,
            inverse = in(reg) (127.0 / largest).to_bits(),
            magic = in(reg) MAGIC.to_bits(),
            n = in(reg) x.len(),
            inout("r0") sum,
        );
    }
    sum.wrapping_sub((x.len() as i32).wrapping_mul(MAGIC.to_bits() as i32))
}

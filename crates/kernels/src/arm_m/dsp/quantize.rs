//! Row quantization, four values side by side: see `output` for why.

use crate::matrix::{RowScale, quantized_stride};
use crate::native::panel::CHANNELS;
use crate::scalar::{MAGIC, SMALLEST, abs};

/// Quantizes rows of `k` floats.
pub(super) fn quantize_rows(x: &[f32], stride: usize, k: usize, values: &mut [i8], scales: &mut [RowScale]) {
    let rows = x.chunks(stride).map(|x| &x[..k]).zip(values.chunks_exact_mut(quantized_stride(k)));
    for ((x, values), row) in rows.zip(scales) {
        *row = quantize(x, values);
    }
}

/// Quantizes one row.
pub(super) fn quantize(x: &[f32], values: &mut [i8]) -> RowScale {
    let (fours, rest) = x.as_chunks::<CHANNELS>();
    // Magnitudes compare as integers do.
    let magnitude = |x: f32| abs(x).to_bits();
    let mut largest = [0; CHANNELS];
    for four in fours {
        for i in 0..CHANNELS {
            largest[i] = largest[i].max(magnitude(four[i]));
        }
    }
    let largest = rest.iter().map(|&x| magnitude(x)).chain(largest).max().unwrap_or(0);
    let largest = f32::from_bits(largest);
    let sum = round(x, largest, values);
    if largest < SMALLEST { RowScale::default() } else { RowScale { scale: largest / 127.0, sum } }
}

/// Rounds to steps of `largest / 127`, pads with zeros, and returns the sum of the steps.
pub(super) fn round(x: &[f32], largest: f32, values: &mut [i8]) -> i32 {
    if largest < SMALLEST {
        values.fill(0);
        return 0;
    }
    let inverse = 127.0 / largest;
    let (values, padding) = values.split_at_mut(x.len());
    padding.fill(0);
    let (fours, rest) = x.as_chunks::<CHANNELS>();
    let (outs, out_rest) = values.as_chunks_mut::<CHANNELS>();
    // The low byte of the shifted number is the rounded one, and its bits are that number plus those
    // of `MAGIC`.
    let mut sum = 0_u32;
    for (four, out) in fours.iter().zip(outs) {
        let mut bits = [0; CHANNELS];
        for i in 0..CHANNELS {
            bits[i] = (four[i] * inverse + MAGIC).to_bits();
        }
        for i in 0..CHANNELS {
            sum = sum.wrapping_add(bits[i]);
            out[i] = bits[i] as i8;
        }
    }
    for (&x, out) in rest.iter().zip(out_rest) {
        let bits = (x * inverse + MAGIC).to_bits();
        sum = sum.wrapping_add(bits);
        *out = bits as i8;
    }
    sum.wrapping_sub((x.len() as u32).wrapping_mul(MAGIC.to_bits())) as i32
}

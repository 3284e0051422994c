//! Rows of floats to int8.

use super::Simd;
use super::simd::load_part;
use crate::LANES;
use crate::matrix::{RowScale, quantized_stride};
use crate::scalar::SMALLEST;

#[inline(always)]
pub(crate) fn quantize_rows<S: Simd>(
    s: S,
    x: &[f32],
    stride: usize,
    k: usize,
    values: &mut [i8],
    scales: &mut [RowScale],
) {
    let rows = x.chunks(stride).map(|x| &x[..k]).zip(values.chunks_exact_mut(quantized_stride(k)));
    for ((x, values), row) in rows.zip(scales) {
        *row = quantize_row(s, x, values);
    }
}

/// Quantizes one row by its largest magnitude.
#[inline(always)]
fn quantize_row<S: Simd>(s: S, x: &[f32], values: &mut [i8]) -> RowScale {
    quantize_by(s, x, magnitude(s, x), values)
}

/// Quantizes a row whose largest magnitude is known.
#[inline(always)]
pub(super) fn quantize_by<S: Simd>(s: S, x: &[f32], largest: f32, values: &mut [i8]) -> RowScale {
    let sum = quantize(s, x, largest, values);
    if largest < SMALLEST { RowScale::default() } else { RowScale { scale: largest / 127.0, sum } }
}

/// Rounds to steps of `largest / 127`, pads with zeros, and returns the sum of the steps.
#[inline(always)]
pub(super) fn quantize<S: Simd>(s: S, x: &[f32], largest: f32, values: &mut [i8]) -> i32 {
    if largest < SMALLEST {
        values.fill(0);
        return 0;
    }
    let factor = s.splat(127.0 / largest);
    let mut sums = s.splat_i32(0);
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (values, _) = values.as_chunks_mut::<LANES>();
    let (whole, padding) = values.split_at_mut(x.len());
    let ((fours, x), (value_fours, whole)) = (x.as_chunks::<4>(), whole.as_chunks_mut::<4>());
    for (x, values) in fours.iter().zip(value_fours) {
        for (x, values) in x.iter().zip(values) {
            sums = s.round_i8(s.mul(s.load(x), factor), values, sums);
        }
    }
    for (x, values) in x.iter().zip(whole) {
        sums = s.round_i8(s.mul(s.load(x), factor), values, sums);
    }
    padding.fill([0; LANES]);
    if let (false, Some(values)) = (x_rest.is_empty(), padding.first_mut()) {
        sums = s.round_i8(s.mul(load_part(s, x_rest, 0.0), factor), values, sums);
    }
    let mut lanes = [0; LANES];
    s.store_i32(sums, &mut lanes);
    // What is no number may have become any integer.
    lanes.into_iter().fold(0, i32::wrapping_add)
}

/// The largest magnitude.
#[inline(always)]
fn magnitude<S: Simd>(s: S, x: &[f32]) -> f32 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let (fours, whole) = whole.as_chunks::<4>();
    // Four at a time, which need not wait for each other.
    let mut several = [s.splat(0.0); 4];
    for x in fours {
        for (lanes, x) in several.iter_mut().zip(x) {
            *lanes = s.larger(*lanes, s.abs(s.load(x)));
        }
    }
    let mut lanes = s.larger(s.larger(several[0], several[1]), s.larger(several[2], several[3]));
    for x in whole {
        lanes = s.larger(lanes, s.abs(s.load(x)));
    }
    if !rest.is_empty() {
        lanes = s.larger(lanes, s.abs(load_part(s, rest, 0.0)));
    }
    s.largest(lanes)
}

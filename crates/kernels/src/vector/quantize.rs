//! Rows of floats to int8.

use super::Simd;
use super::simd::load_part;
use crate::LANES;
use crate::matrix::{RowScale, quantized_stride};
use crate::scalar::{MAGIC, SMALLEST, abs, max};

#[inline(always)]
pub(crate) fn quantize_rows<S: Simd>(s: S, x: &[f32], k: usize, values: &mut [i8], scales: &mut [RowScale]) {
    let rows = x.chunks_exact(k).zip(values.chunks_exact_mut(quantized_stride(k)));
    for ((x, values), row) in rows.zip(scales) {
        *row = quantize_row(s, x, values);
    }
}

/// Quantizes one row by its largest magnitude.
#[inline(always)]
pub(super) fn quantize_row<S: Simd>(s: S, x: &[f32], values: &mut [i8]) -> RowScale {
    let largest = magnitude(s, x);
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
    let (factor, magic) = (s.splat(127.0 / largest), s.splat(MAGIC));
    let mut sums = s.splat_i32(0);
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (values, _) = values.as_chunks_mut::<LANES>();
    let (whole, padding) = values.split_at_mut(x.len());
    for (x, values) in x.iter().zip(whole) {
        let q = s.low_byte(s.add(s.mul(s.load(x), factor), magic));
        sums = s.add_i32(sums, q);
        s.store_i8(q, values);
    }
    padding.fill([0; LANES]);
    if let (false, Some(values)) = (x_rest.is_empty(), padding.first_mut()) {
        let q = s.low_byte(s.add(s.mul(load_part(s, x_rest, 0.0), factor), magic));
        sums = s.add_i32(sums, q);
        s.store_i8(q, values);
    }
    let mut lanes = [0; LANES];
    s.store_i32(sums, &mut lanes);
    lanes.iter().sum()
}

/// The largest magnitude.
#[inline(always)]
fn magnitude<S: Simd>(s: S, x: &[f32]) -> f32 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut lanes = s.splat(0.0);
    for x in whole {
        lanes = s.max(s.abs(s.load(x)), lanes);
    }
    let mut last = [0.0; LANES];
    s.store(lanes, &mut last);
    last.iter().chain(rest).fold(0.0, |largest, &x| max(abs(x), largest))
}

//! Operations with a sum over the row.
//!
//! A last group of fewer than 16 elements is padded so that the other lanes take a zero: a lane is
//! never -0.0, so that changes nothing.

use super::Simd;
use super::elementwise::map;
use super::functions::exp;
use super::quantize::{quantize, quantize_row};
use super::simd::{load_part, store_part};
use crate::LANES;
use crate::matrix::RowScale;
use crate::scalar::{SMALLEST, SOFTMAX_LOW, max, rsqrt};

/// The lane sum of `f` of each element; `f(fill)` must be zero.
#[inline(always)]
fn sum<S: Simd>(s: S, x: &[f32], fill: f32, f: impl Fn(S::F32) -> S::F32) -> f32 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut lanes = s.splat(0.0);
    for x in whole {
        lanes = s.add(lanes, f(s.load(x)));
    }
    if !rest.is_empty() {
        lanes = s.add(lanes, f(load_part(s, rest, fill)));
    }
    s.sum(lanes)
}

#[inline(always)]
pub(crate) fn sum_squares<S: Simd>(s: S, x: &[f32]) -> f32 {
    sum(
        s,
        x,
        0.0,
        #[inline(always)]
        |x| s.mul(x, x),
    )
}

#[inline(always)]
pub(crate) fn softmax<S: Simd>(s: S, row: &mut [f32]) {
    let sum = exponentials(s, row);
    let inverse = s.splat(1.0 / sum);
    map(
        s,
        row,
        #[inline(always)]
        |x| s.mul(x, inverse),
    );
}

#[inline(always)]
pub(crate) fn attention_weights<S: Simd>(
    s: S,
    scores: &mut [f32],
    token_scales: &[f32],
    values: &mut [i8],
) -> RowScale {
    let sum = exponentials(s, scores);
    let (whole, rest) = scores.as_chunks_mut::<LANES>();
    let (scales, scales_rest) = token_scales.as_chunks::<LANES>();
    let mut lanes = s.splat(0.0);
    for (x, scales) in whole.iter_mut().zip(scales) {
        let weights = s.mul(s.load(x), s.load(scales));
        lanes = s.max(weights, lanes);
        s.store(weights, x);
    }
    let mut last = [0.0; LANES];
    s.store(lanes, &mut last);
    for (x, scale) in rest.iter_mut().zip(scales_rest) {
        *x *= scale;
    }
    let largest = last.iter().chain(&*rest).fold(0.0, |largest, &x| max(x, largest));
    let sum_of_values = quantize(s, scores, largest, values);
    if largest < SMALLEST {
        RowScale::default()
    } else {
        RowScale { scale: largest / (127.0 * sum), sum: sum_of_values }
    }
}

/// Replaces each element by e to its difference from the largest; returns their sum.
#[inline(always)]
fn exponentials<S: Simd>(s: S, row: &mut [f32]) -> f32 {
    let largest = s.splat(largest(s, row));
    let (whole, rest) = row.as_chunks_mut::<LANES>();
    let mut lanes = s.splat(0.0);
    for x in whole {
        let e = term(s, s.load(x), largest);
        lanes = s.add(lanes, e);
        s.store(e, x);
    }
    if !rest.is_empty() {
        store_part(s, term(s, load_part(s, rest, 0.0), largest), rest);
        lanes = s.add(lanes, load_part(s, rest, 0.0));
    }
    s.sum(lanes)
}

/// e to the difference from the largest element.
#[inline(always)]
fn term<S: Simd>(s: S, x: S::F32, largest: S::F32) -> S::F32 {
    exp(s, s.max(s.splat(SOFTMAX_LOW), s.sub(x, largest)))
}

/// The largest element, minus infinity of none.
#[inline(always)]
fn largest<S: Simd>(s: S, row: &[f32]) -> f32 {
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut lanes = s.splat(f32::NEG_INFINITY);
    for x in whole {
        lanes = s.max(lanes, s.load(x));
    }
    let mut last = [0.0; LANES];
    s.store(lanes, &mut last);
    last.iter().chain(rest).fold(f32::NEG_INFINITY, |largest, &x| max(largest, x))
}

#[inline(always)]
pub(crate) fn layer_norm<S: Simd>(s: S, row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let inverse = 1.0 / row.len() as f32;
    let mean = sum(
        s,
        row,
        0.0,
        #[inline(always)]
        |x| x,
    ) * inverse;
    let center = s.splat(mean);
    let variance = sum(
        s,
        row,
        mean,
        #[inline(always)]
        |x| {
            let d = s.sub(x, center);
            s.mul(d, d)
        },
    ) * inverse;
    let rstd = s.splat(rsqrt(variance + eps));
    let (whole, rest) = row.as_chunks_mut::<LANES>();
    let (gamma, gamma_rest) = gamma.as_chunks::<LANES>();
    let (beta, beta_rest) = beta.as_chunks::<LANES>();
    for ((x, gamma), beta) in whole.iter_mut().zip(gamma).zip(beta) {
        s.store(normal(s, s.sub(s.load(x), center), rstd, s.load(gamma), s.load(beta)), x);
    }
    if !rest.is_empty() {
        let (gamma, beta) = (load_part(s, gamma_rest, 0.0), load_part(s, beta_rest, 0.0));
        store_part(s, normal(s, s.sub(load_part(s, rest, 0.0), center), rstd, gamma, beta), rest);
    }
}

#[inline(always)]
pub(crate) fn norm_quantize<S: Simd>(
    s: S,
    row: &mut [f32],
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
    values: &mut [i8],
) -> RowScale {
    layer_norm(s, row, gamma, beta, eps);
    quantize_row(s, row, values)
}

/// The normalized and scaled value of a difference from the mean.
#[inline(always)]
fn normal<S: Simd>(s: S, difference: S::F32, rstd: S::F32, gamma: S::F32, beta: S::F32) -> S::F32 {
    s.add(s.mul(s.mul(difference, rstd), gamma), beta)
}

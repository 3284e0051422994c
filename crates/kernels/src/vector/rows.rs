//! Operations with a sum over the row.
//!
//! A last group of fewer than 16 elements is padded so that the other lanes take a zero: a lane is
//! never -0.0, so that changes nothing.

use super::Simd;
use super::elementwise::map;
use super::functions::exp_within;
use super::quantize::{quantize, quantize_by};
use super::simd::{load_part, store_part};
use crate::LANES;
use crate::matrix::RowScale;
use crate::scalar::{SMALLEST, SOFTMAX_LOW, rsqrt};

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
    let highest = s.splat(highest(s, scores));
    let (whole, rest) = scores.as_chunks_mut::<LANES>();
    let (scales, scales_rest) = token_scales.as_chunks::<LANES>();
    let (mut lanes, mut largest) = (s.splat(0.0), s.splat(0.0));
    for (x, scales) in whole.iter_mut().zip(scales) {
        let e = term(s, s.load(x), highest);
        lanes = s.add(lanes, e);
        let weights = s.mul(e, s.load(scales));
        largest = s.larger(largest, weights);
        s.store(weights, x);
    }
    if !rest.is_empty() {
        store_part(s, term(s, load_part(s, rest, 0.0), highest), rest);
        let e = load_part(s, rest, 0.0);
        lanes = s.add(lanes, e);
        let weights = s.mul(e, load_part(s, scales_rest, 0.0));
        largest = s.larger(largest, weights);
        store_part(s, weights, rest);
    }
    let (sum, largest) = (s.sum(lanes), s.largest(largest));
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
    let highest = s.splat(highest(s, row));
    let (whole, rest) = row.as_chunks_mut::<LANES>();
    let mut lanes = s.splat(0.0);
    for x in whole {
        let e = term(s, s.load(x), highest);
        lanes = s.add(lanes, e);
        s.store(e, x);
    }
    if !rest.is_empty() {
        store_part(s, term(s, load_part(s, rest, 0.0), highest), rest);
        lanes = s.add(lanes, load_part(s, rest, 0.0));
    }
    s.sum(lanes)
}

/// e to the difference from the largest element, which is in [-64, 0] then. That only one of two
/// zeros can be the largest element does not show: e to either difference is 1.
#[inline(always)]
fn term<S: Simd>(s: S, x: S::F32, highest: S::F32) -> S::F32 {
    exp_within(s, s.larger(s.splat(SOFTMAX_LOW), s.sub(x, highest)))
}

/// The largest element, minus infinity of none.
#[inline(always)]
fn highest<S: Simd>(s: S, row: &[f32]) -> f32 {
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut lanes = s.splat(f32::NEG_INFINITY);
    for x in whole {
        lanes = s.larger(lanes, s.load(x));
    }
    if !rest.is_empty() {
        lanes = s.larger(lanes, load_part(s, rest, f32::NEG_INFINITY));
    }
    s.largest(lanes)
}

#[inline(always)]
pub(crate) fn layer_norm<S: Simd>(s: S, row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    normalize(
        s,
        row,
        gamma,
        beta,
        eps,
        #[inline(always)]
        |_| {},
    );
}

/// Normalizes a row, giving each group of lanes to `see`; beyond the end they are zero.
#[inline(always)]
fn normalize<S: Simd>(s: S, row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32, mut see: impl FnMut(S::F32)) {
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
        let value = normal(s, s.sub(s.load(x), center), rstd, s.load(gamma), s.load(beta));
        see(value);
        s.store(value, x);
    }
    if !rest.is_empty() {
        let (gamma, beta) = (load_part(s, gamma_rest, 0.0), load_part(s, beta_rest, 0.0));
        let value = normal(s, s.sub(load_part(s, rest, 0.0), center), rstd, gamma, beta);
        see(value);
        store_part(s, value, rest);
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
    let mut largest = s.splat(0.0);
    normalize(
        s,
        row,
        gamma,
        beta,
        eps,
        #[inline(always)]
        |value| largest = s.larger(largest, s.abs(value)),
    );
    quantize_by(s, row, s.largest(largest), values)
}

/// The normalized and scaled value of a difference from the mean.
#[inline(always)]
fn normal<S: Simd>(s: S, difference: S::F32, rstd: S::F32, gamma: S::F32, beta: S::F32) -> S::F32 {
    s.add(s.mul(s.mul(difference, rstd), gamma), beta)
}

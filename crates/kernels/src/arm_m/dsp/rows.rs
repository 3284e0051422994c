//! Operations on rows of floats that are made for every token.

use super::quantize::{quantize, round};
use crate::LANES;
use crate::matrix::RowScale;
use crate::native::panel::CHANNELS;
use crate::scalar::{EXP, LN2_HIGH, LN2_LOW, LOG2_E, MAGIC, SMALLEST, SOFTMAX_LOW, exp, max, rsqrt};

/// Softmax of a row.
pub(super) fn softmax(row: &mut [f32]) {
    exp_below(row, largest(row));
    let inverse = 1.0 / sum(row, |x| x);
    row.iter_mut().for_each(|x| *x *= inverse);
}

/// The softmax of a row of attention scores, times the scales of the tokens, quantized.
pub(super) fn attention_weights(scores: &mut [f32], token_scales: &[f32], values: &mut [i8]) -> RowScale {
    exp_below(scores, largest(scores));
    let sum = sum(scores, |x| x);
    let mut largest = 0.0;
    for (x, scale) in scores.iter_mut().zip(token_scales) {
        *x *= scale;
        largest = max(*x, largest);
    }
    let sum_of_values = round(scores, largest, values);
    if largest < SMALLEST {
        RowScale::default()
    } else {
        RowScale { scale: largest / (127.0 * sum), sum: sum_of_values }
    }
}

/// Layer normalization of a row.
pub(super) fn layer_norm(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let inverse = 1.0 / row.len() as f32;
    let mean = sum(row, |x| x) * inverse;
    let variance = sum(row, |x| (x - mean) * (x - mean)) * inverse;
    let rstd = rsqrt(variance + eps);
    for ((x, &gamma), &beta) in row.iter_mut().zip(gamma).zip(beta) {
        *x = ((*x - mean) * rstd) * gamma + beta;
    }
}

/// Layer normalization of a row, which is then quantized.
pub(super) fn norm_quantize(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32, values: &mut [i8]) -> RowScale {
    layer_norm(row, gamma, beta, eps);
    quantize(row, values)
}

/// The largest element; minus infinity of none.
fn largest(row: &[f32]) -> f32 {
    row.iter().fold(f32::NEG_INFINITY, |largest, &x| max(largest, x))
}

/// e to the difference from `largest`, which is taken no lower than -64.
fn exp_below(row: &mut [f32], largest: f32) {
    let (fours, rest) = row.as_chunks_mut::<CHANNELS>();
    for four in fours {
        // `exp` without its own limits, which such differences are within.
        let (mut f, mut power) = ([0.0; CHANNELS], [0; CHANNELS]);
        for i in 0..CHANNELS {
            let x = max(SOFTMAX_LOW, four[i] - largest);
            let shifted = x * LOG2_E + MAGIC;
            let whole = shifted - MAGIC;
            power[i] = shifted.to_bits() << 23;
            f[i] = (x - whole * LN2_HIGH) - whole * LN2_LOW;
        }
        let mut sums = [EXP[EXP.len() - 1]; CHANNELS];
        for &c in EXP[..EXP.len() - 1].iter().rev() {
            for i in 0..CHANNELS {
                sums[i] = sums[i] * f[i] + c;
            }
        }
        for i in 0..CHANNELS {
            four[i] = f32::from_bits(sums[i].to_bits().wrapping_add(power[i]));
        }
    }
    rest.iter_mut().for_each(|x| *x = exp(max(SOFTMAX_LOW, *x - largest)));
}

/// The sum of a function of each element, in 16 virtual lanes.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for x in whole {
        for i in 0..LANES {
            lanes[i] += f(x[i]);
        }
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane += f(x));
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

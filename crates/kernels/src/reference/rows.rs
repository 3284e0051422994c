//! Operations on rows of floats.

use super::{int8, lane_sum};
use crate::matrix::RowScale;
use crate::scalar::{self, SMALLEST, SOFTMAX_LOW, exp, max, rsqrt};

pub(super) fn softmax(row: &mut [f32]) {
    let largest = row.iter().fold(f32::NEG_INFINITY, |largest, &x| max(largest, x));
    for x in row.iter_mut() {
        *x = exp(max(SOFTMAX_LOW, *x - largest));
    }
    let inverse = 1.0 / lane_sum(row.iter().copied());
    scale(inverse, row);
}

pub(super) fn layer_norm(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let inverse = 1.0 / row.len() as f32;
    let mean = lane_sum(row.iter().copied()) * inverse;
    let variance = lane_sum(row.iter().map(|&x| (x - mean) * (x - mean))) * inverse;
    let rstd = rsqrt(variance + eps);
    for ((x, &gamma), &beta) in row.iter_mut().zip(gamma).zip(beta) {
        *x = ((*x - mean) * rstd) * gamma + beta;
    }
}

pub(super) fn norm_quantize(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32, values: &mut [i8]) -> RowScale {
    layer_norm(row, gamma, beta, eps);
    int8::quantize(row, values)
}

pub(super) fn attention_weights(scores: &mut [f32], token_scales: &[f32], values: &mut [i8]) -> RowScale {
    let largest = scores.iter().fold(f32::NEG_INFINITY, |largest, &x| max(largest, x));
    for x in scores.iter_mut() {
        *x = exp(max(SOFTMAX_LOW, *x - largest));
    }
    let sum = lane_sum(scores.iter().copied());
    for (x, scale) in scores.iter_mut().zip(token_scales) {
        *x *= scale;
    }
    let largest = scores.iter().fold(0.0, |largest, &x| max(x, largest));
    let sum_of_values = int8::round(scores, largest, values);
    if largest < SMALLEST {
        RowScale::default()
    } else {
        RowScale { scale: largest / (127.0 * sum), sum: sum_of_values }
    }
}

pub(super) fn add_dequantized(values: &[i8], scale: f32, out: &mut [f32]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out += f32::from(value) * scale;
    }
}

pub(super) fn add(x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out += x;
    }
}

pub(super) fn scale(factor: f32, x: &mut [f32]) {
    for x in x {
        *x *= factor;
    }
}

pub(super) fn sum_squares(x: &[f32]) -> f32 {
    lane_sum(x.iter().map(|&x| x * x))
}

pub(super) fn gelu(x: &mut [f32]) {
    for x in x {
        *x = scalar::gelu(*x);
    }
}

//! Row quantization and the int8 matrix product.

use super::{grouped, store};
use crate::layout::{self, Layout, PIECE, TILE, Width};
use crate::matrix::{Integers, RowScale, quantized_stride};
use crate::operations::Int8Product;
use crate::scalar::{MAGIC, SMALLEST, abs, max};

pub(super) fn quantize_rows(x: &[f32], stride: usize, k: usize, values: &mut [i8], scales: &mut [RowScale]) {
    let rows = x.chunks(stride).map(|x| &x[..k]).zip(values.chunks_exact_mut(quantized_stride(k)));
    for ((x, values), row) in rows.zip(scales) {
        *row = quantize(x, values);
    }
}

/// Quantizes one row.
pub(super) fn quantize(x: &[f32], values: &mut [i8]) -> RowScale {
    let largest = x.iter().fold(0.0, |largest, &x| max(abs(x), largest));
    let sum = round(x, largest, values);
    if largest < SMALLEST { RowScale::default() } else { RowScale { scale: largest / 127.0, sum } }
}

/// Rounds to steps of `largest / 127`, pads with zeros, and returns the sum of the steps.
pub(super) fn round(x: &[f32], largest: f32, values: &mut [i8]) -> i32 {
    values.fill(0);
    if largest < SMALLEST {
        return 0;
    }
    let inverse = 127.0 / largest;
    for (value, &x) in values.iter_mut().zip(x) {
        // The low byte of the shifted number is the rounded one.
        *value = (x * inverse + MAGIC).to_bits() as i8;
    }
    values.iter().map(|&value| i32::from(value)).sum()
}

pub(super) fn matmul(p: &Int8Product<'_>, out: &mut [f32]) {
    let rows = p.values.chunks_exact(quantized_stride(p.k)).zip(p.scales);
    for ((values, &row), out) in rows.zip(out.chunks_mut(p.output.stride)) {
        for (channel, out) in p.output.channels.clone().zip(out) {
            finish(p, row, channel, dot(p, channel, &values[..p.k]), out);
        }
    }
}

/// The exact sum of the products of a row with a channel, one run of neighbouring inputs after the
/// other.
fn dot(p: &Int8Product<'_>, channel: usize, values: &[i8]) -> i32 {
    match p.weights {
        Integers::Int8(weights) => {
            let (run, apart) = if p.layout == Layout::RowMajor { (p.k, p.k) } else { (p.layout.inputs(), PIECE) };
            let runs = weights[layout::offset_int8(channel, 0, p.k, p.layout)..].chunks(apart);
            values.chunks(run).zip(runs).map(|(values, weights)| multiply(values, weights.iter().copied())).sum()
        }
        Integers::Grouped { packed, groups, group, width: width @ Width::Three } => {
            multiply(values, grouped::weights((packed, width), (groups, group), channel, p.k, p.layout))
        }
        Integers::Grouped { packed: nibbles, groups, group, width: Width::Four } => {
            let row_major = p.layout == Layout::RowMajor;
            let (run, apart, groups_apart) = if row_major { (16, 16, 1) } else { (p.layout.inputs(), PIECE, TILE) };
            let (first, _) = layout::offset_int4(channel, 0, p.k, group, p.layout);
            let scales = &groups[layout::group_offset(channel, 0, p.k, group, p.layout)..];
            let pieces = nibbles[first..].chunks(apart * group.inputs() / (2 * run));
            let of_group = values.chunks(group.inputs()).zip(pieces).zip(scales.chunks(groups_apart));
            let sums = of_group.map(|((values, pieces), scale)| {
                // A piece holds two runs: one in the low nibbles, the next in the high ones.
                let halves = pieces.chunks(apart).flat_map(|piece| [(piece, false), (piece, true)]);
                let runs = values.chunks(run).zip(halves).map(|(values, (piece, high))| {
                    multiply(values, piece.iter().map(|&byte| grouped::weight(byte, high, scale[0])))
                });
                runs.sum::<i32>()
            });
            sums.sum()
        }
    }
}

/// The sum of the products of neighbouring inputs.
#[inline(always)]
fn multiply(values: &[i8], weights: impl Iterator<Item = i8>) -> i32 {
    values.iter().zip(weights).map(|(&a, w)| i32::from(a) * i32::from(w)).sum()
}

/// From the exact sum to the stored value.
#[inline(always)]
fn finish(p: &Int8Product<'_>, row: RowScale, channel: usize, sum: i32, out: &mut f32) {
    let scale = row.scale * p.weight_scales.get(channel);
    store(p.output.epilogue, sum as f32 * scale + p.output.bias(channel), out);
}

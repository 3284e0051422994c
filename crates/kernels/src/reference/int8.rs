//! Row quantization and the int8 matrix product.

use super::store;
use crate::layout::{Layout, TILE};
use crate::matrix::{RowScale, quantized_stride};
use crate::operations::Int8Product;
use crate::scalar::{MAGIC, SMALLEST, abs, bf16_to_f32, max};

pub(super) fn quantize_rows(x: &[f32], k: usize, values: &mut [i8], scales: &mut [RowScale]) {
    let rows = x.chunks_exact(k).zip(values.chunks_exact_mut(quantized_stride(k)));
    for ((x, values), row) in rows.zip(scales) {
        values.fill(0);
        *row = RowScale::default();
        let largest = x.iter().fold(0.0, |largest, &x| max(abs(x), largest));
        if largest < SMALLEST {
            continue;
        }
        let inverse = 127.0 / largest;
        for (value, &x) in values.iter_mut().zip(x) {
            // The low byte of the shifted number is the rounded one.
            *value = (x * inverse + MAGIC).to_bits() as i8;
            row.sum += i32::from(*value);
        }
        row.scale = largest / 127.0;
    }
}

pub(super) fn matmul(p: &Int8Product<'_>, out: &mut [f32]) {
    match p.layout {
        Layout::RowMajor => matmul_row_major(p, out),
        Layout::Tile16 => matmul_tile16(p, out),
    }
}

fn matmul_row_major(p: &Int8Product<'_>, out: &mut [f32]) {
    let rows = p.values.chunks_exact(quantized_stride(p.k)).zip(p.scales);
    for ((values, &row), out) in rows.zip(out.chunks_mut(p.output.stride)) {
        for (channel, out) in p.output.channels.clone().zip(out) {
            let weights = &p.weights[channel * p.k..][..p.k];
            let sum = values.iter().zip(weights).map(|(&a, &w)| i32::from(a) * i32::from(w)).sum();
            finish(p, row, channel, sum, out);
        }
    }
}

fn matmul_tile16(p: &Int8Product<'_>, out: &mut [f32]) {
    let tile_len = p.k.next_multiple_of(4) * TILE;
    let channels = &p.output.channels;
    for (tile, weights) in p.weights.chunks_exact(tile_len).enumerate() {
        let first = tile * TILE;
        let part = first.max(channels.start)..(first + TILE).min(channels.end);
        if part.is_empty() {
            continue;
        }
        let rows = p.values.chunks_exact(quantized_stride(p.k)).zip(p.scales);
        for ((values, &row), out) in rows.zip(out.chunks_mut(p.output.stride)) {
            let mut sums = [0_i32; TILE];
            for (a, piece) in values.chunks_exact(4).zip(weights.chunks_exact(64)) {
                for (sum, w) in sums.iter_mut().zip(piece.chunks_exact(4)) {
                    *sum += (0..4).map(|i| i32::from(a[i]) * i32::from(w[i])).sum::<i32>();
                }
            }
            for channel in part.clone() {
                finish(p, row, channel, sums[channel - first], &mut out[channel - channels.start]);
            }
        }
    }
}

/// From the exact sum to the stored value.
#[inline(always)]
fn finish(p: &Int8Product<'_>, row: RowScale, channel: usize, sum: i32, out: &mut f32) {
    let scale = row.scale * bf16_to_f32(p.weight_scales[channel]);
    store(p.output.epilogue, sum as f32 * scale + p.output.bias(channel), out);
}

//! Products of float matrices.

use super::{lane_sum, store};
use crate::LANES;
use crate::layout::{Layout, TILE};
use crate::operations::{FloatProduct, Gemm};

pub(super) fn matmul(p: &FloatProduct<'_>, out: &mut [f32]) {
    let channels = &p.output.channels;
    for (x, out) in p.x.chunks_exact(p.k).zip(out.chunks_mut(p.output.stride)).take(p.rows) {
        match p.layout {
            Layout::RowMajor => {
                for (channel, out) in channels.clone().zip(out) {
                    let weights = &p.weights[channel * p.k..][..p.k];
                    let sum = lane_sum(x.iter().zip(weights).map(|(&x, &w)| x * w));
                    store(p.output.epilogue, sum + p.output.bias(channel), out);
                }
            }
            _ => {
                for (tile, weights) in p.weights.chunks_exact(p.k * TILE).enumerate() {
                    let first = tile * TILE;
                    let part = first.max(channels.start)..(first + TILE).min(channels.end);
                    if part.is_empty() {
                        continue;
                    }
                    let sums = columns(x, weights, TILE);
                    for channel in part {
                        let sum = sums[channel - first] + p.output.bias(channel);
                        store(p.output.epilogue, sum, &mut out[channel - channels.start]);
                    }
                }
            }
        }
    }
}

pub(super) fn gemm(g: &Gemm<'_>, out: &mut [f32]) {
    for (i, out) in out.chunks_mut(g.out_stride).take(g.rows).enumerate() {
        let a = &g.a[i * g.a_stride..][..g.k];
        for (block, out) in out[..g.n].chunks_mut(LANES).enumerate() {
            let sums = columns(a, &g.b[block * LANES..], g.b_stride);
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = g.scale * sum;
            }
        }
    }
}

/// Up to 16 columns of one output row, each with one accumulator that takes `k` in ascending order.
#[inline(always)]
fn columns(a: &[f32], b: &[f32], b_stride: usize) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    for (&a, b) in a.iter().zip(b.chunks(b_stride)) {
        for (sum, &b) in sums.iter_mut().zip(b) {
            *sum += a * b;
        }
    }
    sums
}

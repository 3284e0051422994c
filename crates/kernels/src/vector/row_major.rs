//! The int8 product with the rows of a table.

use super::Int8;
use super::int8::tile_inputs;
use super::tail::Tail;
use crate::LANES;
use crate::layout::panel::{self, PANEL};
use crate::matrix::{Integers, quantized_stride};
use crate::operations::Int8Product;

/// Rows of a table, four dot products at a time.
#[inline(always)]
pub(crate) fn row_major<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
    let stride = quantized_stride(p.k);
    let channels = p.output.channels.clone();
    let mut copies = [[0; PANEL]; 4];
    for first in channels.clone().step_by(LANES) {
        let tail = Tail::new(s, p, first);
        for (i, (values, &row)) in p.values.chunks_exact(stride).zip(p.scales).enumerate() {
            let mut sums = [0; LANES];
            for (quad, sums) in sums.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let start = first + quad * 4;
                if start >= channels.end {
                    break;
                }
                // Beyond the last channel the last one is repeated; its sum is not stored.
                let channel = |i: usize| (start + i).min(channels.end - 1);
                let whole = match p.weights {
                    Integers::Int8(_) => p.k / 64 * 64,
                    Integers::Grouped { .. } => 0,
                };
                if let Integers::Int8(weights) = p.weights {
                    let row_of = |i: usize| &weights[channel(i) * p.k..][..whole];
                    *sums = s.dot4(&values[..whole], [row_of(0), row_of(1), row_of(2), row_of(3)]);
                }
                for at in (whole..p.k).step_by(PANEL) {
                    let len = PANEL.min(p.k - at).next_multiple_of(64);
                    for (i, copy) in copies.iter_mut().enumerate() {
                        copy_row(p, channel(i), at, &mut copy[..len]);
                    }
                    let [w0, w1, w2, w3] = &copies;
                    let more = s.dot4(&values[at..at + len], [&w0[..len], &w1[..len], &w2[..len], &w3[..len]]);
                    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.wrapping_add(more));
                }
            }
            tail.finish(s, &sums, S::OFFSET, row, &mut out[i * p.output.stride..]);
        }
    }
}

/// Inputs of a row of a table from `start` on as int8, zeros beyond its end.
#[inline(always)]
fn copy_row(p: &Int8Product<'_>, channel: usize, start: usize, out: &mut [i8]) {
    match p.weights {
        Integers::Int8(weights) => {
            let row = &weights[channel * p.k + start..(channel + 1) * p.k];
            let (copied, padding) = out.split_at_mut(row.len().min(out.len()));
            copied.copy_from_slice(&row[..copied.len()]);
            padding.fill(0);
        }
        Integers::Grouped { packed, groups, group, width } => {
            let (inputs, groups_of_row) = (tile_inputs(p), p.k.div_ceil(group.inputs()));
            let len = width.bytes(inputs);
            let row = &packed[channel * len..][..len];
            let groups = &groups[channel * groups_of_row..][..groups_of_row];
            let (unpacked, padding) = out.split_at_mut((inputs - start).min(out.len()));
            panel::unpack_row(row, width, groups, group, start, unpacked);
            padding.fill(0);
        }
    }
}

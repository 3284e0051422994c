//! The int8 matrix product around each instruction set's inner loops.

use super::Simd;
use super::block::{Ahead, Block, NibbleBlock, Rows};
use super::panels::in_panels;
use super::tail::{Tail, finish};
use crate::LANES;
use crate::layout::panel::{self, PANEL};
use crate::layout::{Layout, PIECE, TILE};
use crate::matrix::{Integers, quantized_stride};
use crate::operations::Int8Product;

/// The inner loops that each instruction set has of its own.
pub(crate) trait Int8: Simd {
    /// What its inner loops add to each weight; the sum of the row times this is taken off
    /// afterwards.
    const OFFSET: i32;
    /// Most tiles in one block.
    const TILES: usize;
    /// The tiled layout that [`block`](Self::block) reads best.
    const LAYOUT: Layout;
    /// Most rows for which 4-bit weights are unpacked in registers, by [`nibbles`](Self::nibbles);
    /// for more of them a panel is unpacked once.
    const NIBBLE_ROWS: usize = 0;

    /// Most rows for which [`block`](Self::block) reads int8 weights where they lie; for more of them
    /// it is worth to copy a panel into a form that costs less to read.
    const IN_PLACE_ROWS: usize = usize::MAX;
    /// Inputs of a panel, a multiple of 64; with [`TILES`](Self::TILES) tiles at most
    /// [`ROOM`](super::panels::ROOM) weights.
    const DEPTH: usize = PANEL;

    /// Whether [`block`](Self::block) takes weights in this layout; others are rearranged for it.
    #[inline(always)]
    fn reads(layout: Layout) -> bool {
        layout == Self::LAYOUT
    }

    /// Makes a product with tiled weights in a way of its own; false for one by
    /// [`block`](Self::block), which is then not needed.
    #[inline(always)]
    fn tiled(self, p: &Int8Product<'_>, out: &mut [f32]) -> bool {
        let _ = (p, out);
        false
    }

    /// Multiplies the first rows of `block` with its tiles, as many rows as the registers hold, and
    /// at least one. Writes `sums[row * block.tiles + tile]` and returns the number of rows.
    #[inline(always)]
    fn block(self, block: Block<'_>, sums: &mut Sums) -> usize {
        let _ = (block, sums);
        unreachable!("an instruction set has a product of its own, or this inner loop")
    }

    /// The same with 4-bit weights in [`LAYOUT`](Self::LAYOUT).
    #[inline(always)]
    fn nibbles(self, block: NibbleBlock<'_>, sums: &mut Sums) -> usize {
        let _ = (block, sums);
        unreachable!("an instruction set with NIBBLE_ROWS has an inner loop for them")
    }

    /// Copies weights in [`LAYOUT`](Self::LAYOUT) into a panel, in the form that
    /// [`block`](Self::block) reads there.
    #[inline(always)]
    fn copy(self, weights: &[i8], panel: &mut [i8]) {
        panel.copy_from_slice(weights);
    }

    /// Unpacks the nibbles of one group, with the scales of its channels, into a panel, in that form;
    /// see [`panel::unpack_pieces`].
    #[inline(always)]
    fn unpack(self, nibbles: &[[u8; PIECE]], scales: &[u8], panel: &mut [[i8; PIECE]]) {
        panel::unpack_pieces(nibbles, scales, panel);
    }

    /// The products of a row with four rows of weights. All five are equally long, a multiple of
    /// 64.
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4];
}

/// Sums of a block: one line of 16 for each row and tile.
#[repr(align(64))]
pub(crate) struct Sums(pub(crate) [[i32; TILE]; 32]);

#[inline(always)]
pub(crate) fn matmul<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
    match p.weights {
        _ if p.layout == Layout::RowMajor => matmul_row_major(s, p, out),
        _ if s.tiled(p, out) => {}
        Integers::Int8(weights) if S::reads(p.layout) && p.scales.len() <= S::IN_PLACE_ROWS => {
            let tile_len = tile_inputs(p) * TILE;
            in_place(
                s,
                p,
                out,
                #[inline(always)]
                |rows, tile, tiles, again, sums| {
                    let weights = &weights[tile * tile_len..];
                    let line = weights.as_ptr().cast::<u8>().wrapping_add(tiles * tile_len);
                    let ahead = Ahead { line, tile: tile_len, piece: PIECE };
                    let ahead = if again { ahead.again() } else { ahead };
                    let weights = &weights[..tiles * tile_len];
                    s.block(Block::new(rows, weights, tiles, p.layout, false, ahead), sums)
                },
            );
        }
        Integers::Int4 { nibbles, groups, group } if p.scales.len() <= S::NIBBLE_ROWS && p.layout == S::LAYOUT => {
            let (len, groups_len) = (tile_inputs(p) * TILE / 2, p.k.div_ceil(group.inputs()) * TILE);
            in_place(
                s,
                p,
                out,
                #[inline(always)]
                |rows, tile, tiles, again, sums| {
                    let nibbles = &nibbles[tile * len..];
                    let line = nibbles.as_ptr().wrapping_add(tiles * len);
                    let ahead = Ahead { line, tile: len, piece: PIECE / 2 };
                    let ahead = if again { ahead.again() } else { ahead };
                    let nibbles = &nibbles[..tiles * len];
                    let groups = &groups[tile * groups_len..][..tiles * groups_len];
                    s.nibbles(NibbleBlock::new(rows, nibbles, groups, group, tiles, ahead), sums)
                },
            );
        }
        _ => in_panels(s, p, out),
    }
}

/// Inputs of each tile, padding included.
#[inline(always)]
pub(super) fn tile_inputs(p: &Int8Product<'_>) -> usize {
    match p.weights {
        Integers::Int8(_) => p.k.next_multiple_of(p.layout.inputs()),
        Integers::Int4 { group, .. } => p.k.next_multiple_of(group.inputs()),
    }
}

/// Weights that the inner loop reads where they are: a few tiles with all rows, then the next tiles.
#[inline(always)]
fn in_place<S: Int8>(
    s: S,
    p: &Int8Product<'_>,
    out: &mut [f32],
    block: impl Fn(Rows<'_>, usize, usize, bool, &mut Sums) -> usize,
) {
    let stride = quantized_stride(p.k);
    let (mut tile, end) = (p.output.channels.start / TILE, p.output.channels.end.div_ceil(TILE));
    let mut sums = Sums([[0; TILE]; 32]);
    while tile < end {
        let tiles = S::TILES.min(end - tile);
        let tails = Tail::several(s, p, tile, tiles);
        let mut row = 0;
        while row < p.scales.len() {
            let rows = Rows { values: &p.values[row * stride..], stride, rows: p.scales.len() - row };
            let taken = block(rows, tile, tiles, row > 0, &mut sums);
            finish(s, p, &tails[..tiles], &sums.0[..taken * tiles], row, out);
            row += taken;
        }
        tile += tiles;
    }
}

/// Rows of a table, four dot products at a time.
#[inline(always)]
fn matmul_row_major<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
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
                    Integers::Int4 { .. } => 0,
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
            tail.finish(s, &sums, row, &mut out[i * p.output.stride..]);
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
        Integers::Int4 { nibbles, groups, group } => {
            let (inputs, groups_of_row) = (tile_inputs(p), p.k.div_ceil(group.inputs()));
            let nibbles = &nibbles[channel * inputs / 2..][..inputs / 2];
            let (unpacked, padding) = out.split_at_mut((inputs - start).min(out.len()));
            panel::unpack_row(nibbles, &groups[channel * groups_of_row..][..groups_of_row], group, start, unpacked);
            padding.fill(0);
        }
    }
}

//! The int8 product with weights that the inner loops read where they lie.

use core::mem::MaybeUninit;
use core::ops::Range;

use super::Int8;
use super::block::{Ahead, Block, NibbleBlock, Rows};
use super::int8::{RUN, Sums, tile_inputs};
use super::tail::{Tail, finish};
use crate::layout::{PIECE, TILE, Width};
use crate::matrix::{Integers, MAX_INPUTS, quantized_stride};
use crate::operations::Int8Product;

/// Most numbers that runs begin with at a time: enough for a row of the longest product.
const STARTS: usize = 4096;
const _: () = assert!(STARTS * RUN >= MAX_INPUTS);

/// Int8 weights in a layout that the inner loop reads.
#[inline(always)]
pub(crate) fn in_place<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
    let Integers::Int8(weights) = p.weights else { unreachable!("the way for int8") };
    let len = tile_inputs(p) * TILE;
    tile_by_tile(
        s,
        p,
        0..p.scales.len(),
        S::TILES,
        S::OFFSET,
        out,
        #[inline(always)]
        |rows, row, tile, tiles, sums| {
            let weights = &weights[tile * len..];
            let ahead =
                Ahead { line: weights.as_ptr().cast::<u8>().wrapping_add(tiles * len), tile: len, piece: PIECE };
            let ahead = if row > 0 { ahead.again() } else { ahead };
            s.block(Block::new(rows, &weights[..tiles * len], tiles, p.layout, false, ahead), sums)
        },
    );
}

/// 4-bit weights in the layout of the instruction set.
#[inline(always)]
pub(crate) fn nibbles<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
    let Integers::Grouped { packed: nibbles, groups, group, width: Width::Four } = p.weights else {
        unreachable!("the way for 4 bits")
    };
    let (inputs, stride) = (tile_inputs(p), quantized_stride(p.k));
    let (len, groups_len, runs) = (inputs * TILE / 2, inputs / group.inputs() * TILE, inputs / RUN);
    let mut room = [MaybeUninit::uninit(); STARTS];
    for first in (0..p.scales.len()).step_by(STARTS / runs) {
        let all = first..p.scales.len().min(first + STARTS / runs);
        let values = p.values[first * stride..all.end * stride].chunks_exact(stride);
        for (values, starts) in values.zip(room.chunks_exact_mut(runs)) {
            for (values, start) in values.as_chunks().0.iter().zip(starts) {
                start.write(s.start(values));
            }
        }
        let starts: *const [MaybeUninit<i32>] = &room[..all.len() * runs];
        // SAFETY: every row has at least `runs` whole runs, so that all these numbers are written.
        let starts = unsafe { &*(starts as *const [i32]) };
        tile_by_tile(
            s,
            p,
            all.clone(),
            S::nibble_tiles(all.len()),
            S::NIBBLE_OFFSET,
            out,
            #[inline(always)]
            |rows, row, tile, tiles, sums| {
                let nibbles = &nibbles[tile * len..];
                let ahead = Ahead { line: nibbles.as_ptr().wrapping_add(tiles * len), tile: len, piece: PIECE / 2 };
                let ahead = if row > first { ahead.again() } else { ahead };
                let groups = &groups[tile * groups_len..][..tiles * groups_len];
                let starts = &starts[(row - first) * runs..];
                s.nibbles(NibbleBlock::new(rows, &nibbles[..tiles * len], groups, group, tiles, starts, ahead), sums)
            },
        );
    }
}

/// A few tiles, at most `most`, with all of some rows, then the next tiles.
///
/// `block` takes the rows that are left, the first of them, a tile and the number of tiles; it adds
/// `offset` to each weight.
#[inline(always)]
fn tile_by_tile<S: Int8>(
    s: S,
    p: &Int8Product<'_>,
    all: Range<usize>,
    most: usize,
    offset: i32,
    out: &mut [f32],
    block: impl Fn(Rows<'_>, usize, usize, usize, &mut Sums) -> usize,
) {
    let stride = quantized_stride(p.k);
    let (mut tile, end) = (p.output.channels.start / TILE, p.output.channels.end.div_ceil(TILE));
    let mut sums = Sums::new();
    while tile < end {
        let tiles = most.min(end - tile);
        let tails = Tail::several(s, p, tile, tiles);
        let mut row = all.start;
        while row < all.end {
            let rows = Rows { values: &p.values[row * stride..], stride, rows: all.end - row };
            let taken = block(rows, row, tile, tiles, &mut sums);
            finish(s, p, &tails[..tiles], &sums.0[..taken * tiles], offset, row, out);
            row += taken;
        }
        tile += tiles;
    }
}

//! The int8 product with weights that become a panel first: those of 4 and 3 bits, those in another chip's
//! layout, and for many rows those that cost less to read in another form.

use core::ops::Range;

use super::block::{Ahead, Block, Rows};
use super::int8::{Int8, Sums, tile_inputs};
use super::tail::{Tail, finish};
use crate::layout::panel;
use crate::layout::{Group, Layout, PIECE, TILE, Width};
use crate::matrix::{Integers, quantized_stride};
use crate::operations::Int8Product;

/// Most weights of a panel.
pub(crate) const ROOM: usize = 24 * 1024;
/// Sums that wait for the other inputs: one line for each row and tile.
const LINES: usize = 256;

/// Weights of a few tiles and some of their inputs.
#[repr(align(64))]
struct Weights([i8; ROOM]);

/// A panel of a few tiles and some of their inputs, with as many rows as there is room for sums.
#[inline(always)]
pub(crate) fn in_panels<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
    let (stride, inputs) = (quantized_stride(p.k), tile_inputs(p));
    let layout = if S::reads(p.layout) { p.layout } else { S::LAYOUT };
    let mut panel = Weights([0; ROOM]);
    let mut totals = [[0; TILE]; LINES];
    let mut sums = Sums::new();
    let (mut tile, end) = (p.output.channels.start / TILE, p.output.channels.end.div_ceil(TILE));
    while tile < end {
        let tiles = S::TILES.min(end - tile);
        let tails = Tail::several(s, p, tile, tiles);
        for first in (0..p.scales.len()).step_by(LINES / tiles) {
            let rows = (p.scales.len() - first).min(LINES / tiles);
            for start in (0..inputs).step_by(S::DEPTH) {
                let part = start..inputs.min(start + S::DEPTH);
                let len = TILE * part.len().next_multiple_of(layout.inputs());
                for (i, panel) in panel.0.chunks_exact_mut(len).enumerate().take(tiles) {
                    fill(s, p, tile + i, part.clone(), layout, panel);
                }
                let mut ahead = ahead(p, tile, tiles, part.end);
                let mut row = 0;
                while row < rows {
                    let values = &p.values[(first + row) * stride + start..];
                    let left = Rows { values, stride, rows: rows - row };
                    let block = Block::new(left, &panel.0[..tiles * len], tiles, layout, true, ahead);
                    let taken = s.block(block, &mut sums);
                    let sums = &sums.0[..taken * tiles];
                    if part.len() == inputs {
                        finish(s, p, &tails[..tiles], sums, S::OFFSET, first + row, out);
                    } else {
                        let totals = &mut totals[row * tiles..][..taken * tiles];
                        add(s, sums, totals, start == 0);
                        if part.end == inputs {
                            finish(s, p, &tails[..tiles], totals, S::OFFSET, first + row, out);
                        }
                    }
                    row += taken;
                    ahead = ahead.again();
                }
            }
        }
        tile += tiles;
    }
}

/// The weights of the panel after the one that ends at input `end` of a tile.
#[inline(always)]
fn ahead(p: &Int8Product<'_>, tile: usize, tiles: usize, end: usize) -> Ahead {
    let inputs = tile_inputs(p);
    let (tile, start) = if end < inputs { (tile, end) } else { (tile + tiles, 0) };
    let (first, len) = ((tile * inputs + start) * TILE, inputs * TILE);
    match p.weights {
        Integers::Int8(weights) => {
            Ahead { line: weights.as_ptr().cast::<u8>().wrapping_add(first), tile: len, piece: PIECE }
        }
        Integers::Grouped { packed, width, .. } => {
            let line = packed.as_ptr().wrapping_add(width.bytes(first));
            Ahead { line, tile: width.bytes(len), piece: width.bytes(PIECE) }
        }
    }
}

/// Adds sums to their totals, or begins these.
#[inline(always)]
fn add<S: Int8>(s: S, sums: &[[i32; TILE]], totals: &mut [[i32; TILE]], begin: bool) {
    for (total, sums) in totals.iter_mut().zip(sums) {
        let sums = s.load_i32(sums);
        s.store_i32(if begin { sums } else { s.add_i32(s.load_i32(total), sums) }, total);
    }
}

/// Makes a panel of some inputs of a tile.
#[inline(always)]
fn fill<S: Int8>(s: S, p: &Int8Product<'_>, tile: usize, part: Range<usize>, layout: Layout, out: &mut [i8]) {
    let inputs = tile_inputs(p);
    match p.weights {
        Integers::Int8(weights) => {
            let weights = &weights[tile * inputs * TILE..][..inputs * TILE];
            if layout == p.layout && (part.len() == inputs || layout == Layout::Tile16) {
                s.copy(&weights[part.start * TILE..part.end * TILE], out);
            } else {
                rearrange(s, weights, p.layout, layout, part, out);
            }
        }
        Integers::Grouped { packed, groups, group, width } => {
            let len = width.bytes(inputs * TILE);
            let packed = &packed[tile * len..][..len];
            let groups_len = inputs / group.inputs() * TILE;
            let groups = &groups[tile * groups_len..][..groups_len];
            match width {
                Width::Four => unpack::<S, 64>(s, (packed, groups, group), p.layout, layout, part, out),
                Width::Three => unpack::<S, 48>(s, (packed, groups, group), p.layout, layout, part, out),
            }
        }
    }
}

/// Makes a panel of the weights of a tile that have group scales; two pieces are `U` bytes.
#[inline(always)]
fn unpack<S: Int8, const U: usize>(
    s: S,
    (packed, groups, group): (&[u8], &[u8], Group),
    from: Layout,
    to: Layout,
    part: Range<usize>,
    out: &mut [i8],
) {
    if from == to {
        panel::unpack::<U>(
            packed,
            groups,
            group,
            from,
            part,
            out,
            #[inline(always)]
            |units, scales, out| s.unpack(units, scales, out),
        );
    } else {
        let mut unpacked = Weights([0; ROOM]);
        let (weights, count) = (&mut unpacked.0[..TILE * part.len()], part.len());
        panel::unpack::<U>(packed, groups, group, from, part, weights, panel::unpack_pieces);
        rearrange(s, weights, from, to, 0..count, out);
    }
}

/// Makes a panel of weights in another chip's layout: slower, and only met in a file for that chip.
#[inline(always)]
fn rearrange<S: Int8>(s: S, weights: &[i8], from: Layout, to: Layout, part: Range<usize>, out: &mut [i8]) {
    let mut own = Weights([0; ROOM]);
    panel::rearrange(weights, from, to, part, &mut own.0[..out.len()]);
    s.copy(&own.0[..out.len()], out);
}

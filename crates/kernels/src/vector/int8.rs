//! What an instruction set provides for the int8 matrix product, and the ways to run one with it.

use super::Simd;
use super::block::{Block, NibbleBlock};
use crate::layout::panel::{self, PANEL};
use crate::layout::{Layout, PIECE, TILE, Width};
use crate::matrix::Integers;
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
    /// What [`nibbles`](Self::nibbles) adds to each weight beyond what its [`start`](Self::start)
    /// takes off.
    const NIBBLE_OFFSET: i32 = Self::OFFSET;

    /// Most rows for which [`block`](Self::block) reads int8 weights where they lie; for more of them
    /// it is worth to copy a panel into a form that costs less to read.
    const IN_PLACE_ROWS: usize = usize::MAX;
    /// Whether tiled weights are multiplied by [`tiles`](Self::tiles), and by nothing else here.
    const BY_TILES: bool = false;
    /// Inputs of a panel, a multiple of 64; with [`TILES`](Self::TILES) tiles at most
    /// [`ROOM`](super::panels::ROOM) weights.
    const DEPTH: usize = PANEL;

    /// Tiles that [`nibbles`](Self::nibbles) takes together with so many rows, at most four.
    #[inline(always)]
    fn nibble_tiles(rows: usize) -> usize {
        let _ = rows;
        1
    }

    /// Whether [`block`](Self::block) takes weights in this layout; others are rearranged for it.
    #[inline(always)]
    fn reads(layout: Layout) -> bool {
        layout == Self::LAYOUT
    }

    /// A whole product with tiled weights, in a way of the instruction set's own.
    #[inline(always)]
    fn tiles(self, p: &Int8Product<'_>, out: &mut [f32]) {
        let _ = (p, out);
        unreachable!("an instruction set with BY_TILES has a product of its own")
    }

    /// Multiplies the first rows of `block` with its tiles, as many rows as the registers hold, and
    /// at least one. Writes `sums[row * block.tiles + tile]` and returns the number of rows.
    #[inline(always)]
    fn block(self, block: Block<'_>, sums: &mut Sums) -> usize {
        let _ = (block, sums);
        unreachable!("an instruction set without BY_TILES has an inner loop")
    }

    /// The same with 4-bit weights in [`LAYOUT`](Self::LAYOUT).
    #[inline(always)]
    fn nibbles(self, block: NibbleBlock<'_>, sums: &mut Sums) -> usize {
        let _ = (block, sums);
        unreachable!("an instruction set with NIBBLE_ROWS has an inner loop for them")
    }

    /// What the sums of [`nibbles`](Self::nibbles) begin with in each run of inputs.
    #[inline(always)]
    fn start(self, values: &[i8; RUN]) -> i32 {
        let _ = values;
        0
    }

    /// Copies weights in [`LAYOUT`](Self::LAYOUT) into a panel, in the form that
    /// [`block`](Self::block) reads there.
    #[inline(always)]
    fn copy(self, weights: &[i8], panel: &mut [i8]) {
        panel.copy_from_slice(weights);
    }

    /// Unpacks the 4-bit or 3-bit pieces of one group, with the scales of its channels, into a panel, in
    /// that form; see [`panel::unpack_pieces`].
    #[inline(always)]
    fn unpack<const U: usize>(self, units: &[[u8; U]], scales: &[u8], panel: &mut [[i8; PIECE]]) {
        panel::unpack_pieces(units, scales, panel);
    }

    /// The products of a row with four rows of weights. All five are equally long, a multiple of
    /// 64.
    #[inline(always)]
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let _ = (a, w);
        unreachable!("an instruction set with tables multiplies their rows")
    }
}

/// Inputs whose sums begin with a number of their own in [`Int8::nibbles`]; a divisor of every group.
pub(crate) const RUN: usize = 32;

/// Sums of a block: one line of 16 for each row and tile.
#[repr(align(64))]
pub(crate) struct Sums(pub(crate) [[i32; TILE]; 64]);

impl Sums {
    /// Zeros.
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Sums([[0; TILE]; 64])
    }
}

/// How a product is run. Each way is a function of its own, so that small products do not pay for
/// the room that the others need.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// Rows of a table.
    RowMajor,
    /// Int8 weights where they lie.
    InPlace,
    /// 4-bit weights where they lie.
    Nibbles,
    /// Weights that are copied, rearranged or unpacked first.
    Panels,
    /// Tiles, in the instruction set's own way.
    Tiles,
}

impl Way {
    /// The way for a product.
    #[inline(always)]
    pub(crate) fn of<S: Int8>(p: &Int8Product<'_>) -> Self {
        let rows = p.scales.len();
        // A panel takes time to make, and a short row does not take it back.
        let in_place = rows <= S::IN_PLACE_ROWS || p.k < PANEL;
        match p.weights {
            _ if p.layout == Layout::RowMajor => Way::RowMajor,
            _ if S::BY_TILES => Way::Tiles,
            Integers::Int8(_) if S::reads(p.layout) && in_place => Way::InPlace,
            Integers::Grouped { width: Width::Four, .. } if p.layout == S::LAYOUT && rows <= S::NIBBLE_ROWS => {
                Way::Nibbles
            }
            _ => Way::Panels,
        }
    }
}

/// Inputs of each tile, padding included.
#[inline(always)]
pub(super) fn tile_inputs(p: &Int8Product<'_>) -> usize {
    match p.weights {
        Integers::Int8(_) => p.k.next_multiple_of(p.layout.inputs()),
        Integers::Grouped { group, .. } => p.k.next_multiple_of(group.inputs()),
    }
}

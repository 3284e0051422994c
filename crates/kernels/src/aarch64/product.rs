//! The product of int8 rows with tiled weights, around each instruction set's inner loop.
//!
//! Rows go through a tile of 16 channels together, then through the next tile. The inner loop reads
//! one layout; weights in another one and those of 4 and 3 bits become a panel first, a tile and some of its
//! inputs at a time.

use core::mem::MaybeUninit;

use super::panel::{Factors, PANEL, Panel};
use super::simd::Neon;
use super::tail::Whole;
use crate::layout::{Group, TILE, Width};
use crate::matrix::{Integers, quantized_stride};
use crate::operations::Int8Product;
use crate::vector::{self, Int8, Tail};

/// Most rows that go through a tile together.
pub(super) const ROWS: usize = 132;

/// The inner loop of an instruction set; it reads [`Int8::LAYOUT`].
pub(super) trait Multiply: Int8 {
    /// Whether 4-bit weights are multiplied before the scale of their group is, by
    /// [`multiply_groups`](Self::multiply_groups).
    const GROUPS: bool = false;

    /// The sums of rows with 16 channels, on top of what `sums` holds if `more`.
    ///
    /// There is a line of `sums` for each row; `weights` are 16 times a multiple of 16, at most
    /// [`Rows::inputs`].
    fn multiply(self, rows: Rows<'_>, weights: &[i8], sums: &mut [[i32; TILE]], more: bool);

    /// The same with the `q` of 4-bit weights; the sum of each group is multiplied by its factors.
    #[inline(always)]
    fn multiply_groups(
        self,
        rows: Rows<'_>,
        weights: &[i8],
        factors: &Factors,
        group: Group,
        sums: &mut [[i32; TILE]],
        more: bool,
    ) {
        let _ = (rows, weights, factors, group, sums, more);
        unreachable!("an instruction set with GROUPS has an inner loop for them")
    }
}

/// Quantized rows, from some input on.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    values: &'a [i8],
    stride: usize,
    count: usize,
    /// How many rows lie interleaved, 16 inputs after 16 inputs; 1 where they are as they were.
    interleaved: usize,
    start: usize,
}

impl<'a> Rows<'a> {
    /// `count` rows of `stride` inputs, a multiple of 16; the last interleaved ones may be filled up
    /// with others.
    #[inline(always)]
    pub(super) fn new(values: &'a [i8], stride: usize, count: usize, interleaved: usize) -> Self {
        assert!(count <= ROWS && stride.is_multiple_of(16));
        assert!(values.len() >= count.next_multiple_of(interleaved) * stride);
        Rows { values, stride, count, interleaved, start: 0 }
    }

    /// Number of rows.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Values from one row to the next.
    #[inline(always)]
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// How many inputs there are.
    #[inline(always)]
    pub(super) fn inputs(&self) -> usize {
        self.stride - self.start
    }

    /// The first input of a row, or of the interleaved rows that begin with it; so many inputs of
    /// those are readable from there.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> *const i8 {
        debug_assert!(row < self.count && row.is_multiple_of(self.interleaved));
        self.values[row * self.stride + self.start * self.interleaved..].as_ptr()
    }

    /// The rows without their first inputs, a multiple of 16.
    #[inline(always)]
    fn skip(self, inputs: usize) -> Self {
        assert!(inputs.is_multiple_of(16) && self.start + inputs <= self.stride);
        Rows { start: self.start + inputs, ..self }
    }
}

/// The product of rows as they lie in memory.
#[inline(always)]
pub(super) fn by_rows<P: Copy>(s: Neon<P>, p: &Int8Product<'_>, out: &mut [f32])
where
    Neon<P>: Multiply,
{
    let stride = quantized_stride(p.k);
    for first in (0..p.scales.len()).step_by(ROWS) {
        let count = ROWS.min(p.scales.len() - first);
        by_tiles(s, p, Rows::new(&p.values[first * stride..], stride, count, 1), first, out);
    }
}

/// The product of some rows, of which the first is `first` in all.
#[inline(always)]
pub(super) fn by_tiles<P: Copy>(s: Neon<P>, p: &Int8Product<'_>, rows: Rows<'_>, first: usize, out: &mut [f32])
where
    Neon<P>: Multiply,
{
    let layout = Neon::<P>::LAYOUT;
    match p.weights {
        Integers::Int8(weights) => {
            let k = p.k.next_multiple_of(p.layout.inputs());
            let tile_of = |tile: usize| &weights[tile * k * TILE..][..k * TILE];
            if p.layout == layout && k.is_multiple_of(16) {
                each_tile(
                    s,
                    p,
                    (rows, first),
                    out,
                    #[inline(always)]
                    |tile, sums| s.multiply(rows, tile_of(tile), sums, false),
                );
                return;
            }
            let mut panel = Panel::new();
            each_tile(
                s,
                p,
                (rows, first),
                out,
                #[inline(always)]
                |tile, sums| {
                    for start in (0..k).step_by(PANEL) {
                        let inputs = start..k.min(start + PANEL);
                        let weights = panel.rearrange(s, tile_of(tile), p.layout, layout, inputs);
                        s.multiply(rows.skip(start), weights, sums, start > 0);
                    }
                },
            );
        }
        Integers::Grouped { packed, groups, group, width } => {
            let k = p.k.next_multiple_of(group.inputs());
            let tile_len = width.bytes(k * TILE);
            let mut panels = [Panel::new(), Panel::new()];
            let mut factors = Factors::new();
            // For fewer rows it does not pay: the inner loop takes four.
            let by_groups = Neon::<P>::GROUPS && rows.count() > 2;
            each_tile(
                s,
                p,
                (rows, first),
                out,
                #[inline(always)]
                |tile, sums| {
                    let packed = &packed[tile * tile_len..][..tile_len];
                    let (groups, _) = groups.as_chunks::<TILE>();
                    let groups = &groups[tile * (k / group.inputs())..][..k / group.inputs()];
                    for start in (0..k).step_by(PANEL) {
                        let inputs = start..k.min(start + PANEL);
                        let (rows, more, len) = (rows.skip(start), start > 0, inputs.len());
                        let groups = &groups[start / group.inputs()..][..len / group.inputs()];
                        let [unpacked, panel] = &mut panels;
                        let scales = if by_groups { None } else { Some((groups, group)) };
                        let mut weights = match width {
                            Width::Four => unpacked.unpack::<_, 64>(s, packed, p.layout, inputs, scales),
                            Width::Three => unpacked.unpack::<_, 48>(s, packed, p.layout, inputs, scales),
                        };
                        if p.layout != layout {
                            weights = panel.rearrange(s, weights, p.layout, layout, 0..len);
                        }
                        if by_groups {
                            s.multiply_groups(rows, weights, factors.of(s, groups, group), group, sums, more);
                        } else {
                            s.multiply(rows, weights, sums, more);
                        }
                    }
                },
            );
        }
    }
}

/// Sums by `multiply`, and outputs by what follows, of each tile.
#[inline(always)]
fn each_tile<P: Copy>(
    s: Neon<P>,
    p: &Int8Product<'_>,
    (rows, first): (Rows<'_>, usize),
    out: &mut [f32],
    mut multiply: impl FnMut(usize, &mut [[i32; TILE]]),
) where
    Neon<P>: Multiply,
{
    let mut sums = Sums([const { MaybeUninit::uninit() }; ROWS]);
    let sums = sums.zeros(rows.count());
    for tile in p.output.channels.start / TILE..p.output.channels.end.div_ceil(TILE) {
        multiply(tile, sums);
        let tail = Tail::new(s, p, tile * TILE);
        match tail.whole() {
            Some((start, scales, bias)) => {
                let (rows, stride) = (&p.scales[first..][..sums.len()], p.output.stride);
                let out = &mut out[first * stride + start..];
                Whole { scales, bias }.finish(s, p.output.epilogue, sums, rows, out, stride);
            }
            None => vector::finish(s, p, &[tail], sums, 0, first, out),
        }
    }
}

/// A line of sums for each row.
#[repr(align(64))]
struct Sums([MaybeUninit<[i32; TILE]>; ROWS]);

impl Sums {
    /// The first lines, zeros: most products have far fewer than there is room for.
    #[inline(always)]
    fn zeros(&mut self, count: usize) -> &mut [[i32; TILE]] {
        let lines = &mut self.0[..count];
        for line in &mut *lines {
            line.write([0; TILE]);
        }
        // SAFETY: all of them were written just now; the two types have the same layout.
        unsafe { core::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), count) }
    }
}

//! Row quantization and the int8 matrix product around each instruction set's inner loops.

use super::Simd;
use super::output::{Group, wanted};
use super::simd::load_part;
use crate::LANES;
use crate::layout::{Layout, TILE};
use crate::matrix::{RowScale, quantized_stride};
use crate::operations::Int8Product;
use crate::scalar::{MAGIC, SMALLEST, abs, bf16_to_f32, max};

/// The inner loops that each instruction set has of its own.
pub(crate) trait Int8: Simd {
    /// What its inner loops add to each weight; the sum of the row times this is taken off
    /// afterwards.
    const OFFSET: i32;
    /// Most tiles in one block.
    const TILES: usize;

    /// Multiplies the first rows of `block` with its tiles, as many rows as the registers hold, and
    /// at least one. Writes `sums[row * block.tiles + tile]` and returns the number of rows.
    fn tile16(self, block: Block<'_>, sums: &mut Sums) -> usize;

    /// The products of a row with four rows of weights. All five are equally long, a multiple of
    /// 64.
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4];
}

/// Quantized rows and the tiles they are multiplied with.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    /// `rows` rows, `stride` apart; `stride` is at least `4 * steps`.
    values: &'a [i8],
    stride: usize,
    rows: usize,
    /// `tiles` tiles of `64 * steps` bytes.
    weights: &'a [i8],
    tiles: usize,
    steps: usize,
}

impl<'a> Block<'a> {
    /// Checks the lengths, so that an inner loop may rely on them.
    #[inline(always)]
    fn new(values: &'a [i8], stride: usize, rows: usize, weights: &'a [i8], tiles: usize, steps: usize) -> Self {
        assert!(rows > 0 && tiles > 0 && stride >= 4 * steps);
        assert!(values.len() >= rows * stride && weights.len() == tiles * steps * 64);
        Block { values, stride, rows, weights, tiles, steps }
    }

    /// The first value of the first row; `rows` rows of at least `4 * steps` values, `stride`
    /// apart, are readable.
    #[inline(always)]
    pub(crate) fn values(&self) -> *const i8 {
        self.values.as_ptr()
    }

    /// The first weight; `tiles * steps * 64` bytes are readable.
    #[inline(always)]
    pub(crate) fn weights(&self) -> *const i8 {
        self.weights.as_ptr()
    }

    /// Bytes from one row to the next.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Number of rows, at least one.
    #[inline(always)]
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of tiles, from 1 to [`Int8::TILES`].
    #[inline(always)]
    pub(crate) fn tiles(&self) -> usize {
        self.tiles
    }

    /// Groups of four inputs.
    #[inline(always)]
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }
}

/// Sums of a block: one line of 16 for each row and tile.
#[repr(align(64))]
pub(crate) struct Sums(pub(crate) [[i32; TILE]; 32]);

#[inline(always)]
pub(crate) fn quantize_rows<S: Simd>(s: S, x: &[f32], k: usize, values: &mut [i8], scales: &mut [RowScale]) {
    let rows = x.chunks_exact(k).zip(values.chunks_exact_mut(quantized_stride(k)));
    for ((x, values), row) in rows.zip(scales) {
        let largest = magnitude(s, x);
        if largest < SMALLEST {
            values.fill(0);
            *row = RowScale::default();
            continue;
        }
        let inverse = 127.0 / largest;
        let (factor, magic) = (s.splat(inverse), s.splat(MAGIC));
        let mut sums = s.splat_i32(0);
        let (x, x_rest) = x.as_chunks::<LANES>();
        let (values, _) = values.as_chunks_mut::<LANES>();
        let (whole, padding) = values.split_at_mut(x.len());
        for (x, values) in x.iter().zip(whole) {
            let q = s.low_byte(s.add(s.mul(s.load(x), factor), magic));
            sums = s.add_i32(sums, q);
            s.store_i8(q, values);
        }
        padding.fill([0; LANES]);
        if let (false, Some(values)) = (x_rest.is_empty(), padding.first_mut()) {
            let q = s.low_byte(s.add(s.mul(load_part(s, x_rest, 0.0), factor), magic));
            sums = s.add_i32(sums, q);
            s.store_i8(q, values);
        }
        let mut lanes = [0; LANES];
        s.store_i32(sums, &mut lanes);
        *row = RowScale { scale: largest / 127.0, sum: lanes.iter().sum() };
    }
}

/// The largest magnitude.
#[inline(always)]
fn magnitude<S: Simd>(s: S, x: &[f32]) -> f32 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut lanes = s.splat(0.0);
    for x in whole {
        lanes = s.max(s.abs(s.load(x)), lanes);
    }
    let mut last = [0.0; LANES];
    s.store(lanes, &mut last);
    last.iter().chain(rest).fold(0.0, |largest, &x| max(abs(x), largest))
}

#[inline(always)]
pub(crate) fn matmul<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
    match p.layout {
        Layout::RowMajor => matmul_row_major(s, p, out),
        Layout::Tile16 => matmul_tile16(s, p, out),
    }
}

#[inline(always)]
fn matmul_tile16<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
    let stride = quantized_stride(p.k);
    let steps = p.k.div_ceil(4);
    let (mut tile, end) = (p.output.channels.start / TILE, p.output.channels.end.div_ceil(TILE));
    let mut sums = Sums([[0; TILE]; 32]);
    while tile < end {
        let tiles = S::TILES.min(end - tile);
        let weights = &p.weights[tile * steps * 64..][..tiles * steps * 64];
        let mut tails = [Tail::new(s, p, tile * TILE); 4];
        for (i, tail) in tails.iter_mut().enumerate().take(tiles).skip(1) {
            *tail = Tail::new(s, p, (tile + i) * TILE);
        }
        let mut row = 0;
        while row < p.scales.len() {
            let block = Block::new(&p.values[row * stride..], stride, p.scales.len() - row, weights, tiles, steps);
            let taken = s.tile16(block, &mut sums);
            for (sums, i) in sums.0.chunks_exact(tiles).zip(row..row + taken) {
                let out = &mut out[i * p.output.stride..];
                for (tail, sums) in tails.iter().zip(sums) {
                    tail.finish(s, sums, p.scales[i], out);
                }
            }
            row += taken;
        }
        tile += tiles;
    }
}

#[inline(always)]
fn matmul_row_major<S: Int8>(s: S, p: &Int8Product<'_>, out: &mut [f32]) {
    let stride = quantized_stride(p.k);
    let whole = p.k / 64 * 64;
    let channels = p.output.channels.clone();
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
                let row_of = |i: usize| &p.weights[(start + i).min(channels.end - 1) * p.k..][..p.k];
                let w = [row_of(0), row_of(1), row_of(2), row_of(3)];
                let [w0, w1, w2, w3] = w;
                let four = [&w0[..whole], &w1[..whole], &w2[..whole], &w3[..whole]];
                *sums = s.dot4(&values[..whole], four);
                if whole < p.k {
                    let mut last = [[0; 64]; 4];
                    for (last, w) in last.iter_mut().zip(w) {
                        last[..p.k - whole].copy_from_slice(&w[whole..]);
                    }
                    let [w0, w1, w2, w3] = &last;
                    let more = s.dot4(&values[whole..], [w0, w1, w2, w3]);
                    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.wrapping_add(more));
                }
            }
            tail.finish(s, &sums, row, &mut out[i * p.output.stride..]);
        }
    }
}

/// What turns 16 exact sums into outputs.
#[derive(Clone, Copy)]
struct Tail<S: Simd> {
    scales: S::F32,
    group: Group<S>,
}

impl<S: Int8> Tail<S> {
    #[inline(always)]
    fn new(s: S, p: &Int8Product<'_>, first: usize) -> Self {
        let group = Group::new(s, &p.output, first);
        let mut scales = [0.0; LANES];
        let channels = wanted(&p.output, first);
        let lanes = &mut scales[channels.start - first..];
        let bits = &p.weight_scales[channels];
        lanes.iter_mut().zip(bits).for_each(|(lane, &bits)| *lane = bf16_to_f32(bits));
        Tail { scales: s.load(&scales), group }
    }

    #[inline(always)]
    fn finish(&self, s: S, sums: &[i32; LANES], row: RowScale, out: &mut [f32]) {
        let offset = s.splat_i32(row.sum.wrapping_mul(S::OFFSET));
        let sums = s.sub_i32(s.load_i32(sums), offset);
        let value = s.mul(s.to_f32(sums), s.mul(s.splat(row.scale), self.scales));
        self.group.finish(s, value, out);
    }
}

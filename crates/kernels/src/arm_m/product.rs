//! The int8 product around the inner loop of each instruction set.
//!
//! Four channels and some rows at a time: the weights, which may lie in slow flash, are read once
//! for many rows. `Tile4` is read where it lies; everything else comes as a [`Panel`].

use core::ops::Range;

use super::panel::{CHANNELS, PIECE, Panel, RUN};
use crate::layout::Layout;
use crate::matrix::{Integers, quantized_stride};
use crate::operations::Int8Product;

/// Most rows in one block; a multiple of three, which is how Helium takes them, and two blocks and
/// two rows for 128.
const ROWS: usize = 63;

/// Sums, or outputs, of some rows and four channels.
pub(super) type Quads = [[i32; CHANNELS]];

/// What an instruction set adds.
pub(super) trait Inner {
    /// Inputs that `multiply` takes best at a time: a multiple of every group, at most
    /// [`INPUTS`](super::panel::INPUTS).
    const INPUTS: usize;
    /// Memory that `multiply` works in.
    type Room;
    /// Such memory, of any content.
    const ROOM: Self::Room;

    /// Adds to `sums` the products of as many rows, `stride` apart, with four channels, given as
    /// pieces of four channels by 16 inputs. Each row has at least 16 values for each piece.
    fn multiply(values: &[i8], stride: usize, weights: &[i8], sums: &mut Quads, room: &mut Self::Room);

    /// Two pieces of four channels by 16 inputs, from 64 bytes of nibbles or 48 of 3-bit weights: the low
    /// nibbles, then the high ones, each times the scale of its channel, of which there are at least
    /// four.
    fn unpack<const U: usize>(unit: &[u8; U], scales: &[u8], out: &mut [i8; 2 * PIECE]);

    /// Makes outputs of the sums of the rows from `row` on; may use `sums` up.
    fn finish(p: &Int8Product<'_>, quad: &Quad, row: usize, sums: &mut Quads, out: &mut [f32]);
}

/// Four channels, and what turns their sums into outputs.
pub(super) struct Quad {
    pub(super) scales: [f32; CHANNELS],
    pub(super) bias: [f32; CHANNELS],
    /// Those of the four that are stored.
    pub(super) lanes: Range<usize>,
    /// Where the first of them lies in an output row.
    pub(super) column: usize,
}

impl Quad {
    /// The channels from `first` on, as far as the output wants them: at least one.
    fn new(p: &Int8Product<'_>, first: usize) -> Self {
        let wanted = &p.output.channels;
        let (start, end) = (first.max(wanted.start), (first + CHANNELS).min(wanted.end));
        let (mut scales, mut bias) = ([0.0; CHANNELS], [0.0; CHANNELS]);
        for channel in start..end {
            scales[channel - first] = p.weight_scales.get(channel);
            bias[channel - first] = p.output.bias(channel);
        }
        Quad { scales, bias, lanes: start - first..end - first, column: start - wanted.start }
    }
}

/// The product, with these inner loops.
pub(super) fn matmul<I: Inner>(p: &Int8Product<'_>, out: &mut [f32]) {
    let stride = quantized_stride(p.k);
    let pieces = p.k.div_ceil(RUN);
    let (mut panel, mut room) = (Panel::new(), I::ROOM);
    let mut sums = [[0; CHANNELS]; ROWS];
    for first in (p.output.channels.start / CHANNELS * CHANNELS..p.output.channels.end).step_by(CHANNELS) {
        let quad = Quad::new(p, first);
        for row in (0..p.scales.len()).step_by(ROWS) {
            let sums = &mut sums[..ROWS.min(p.scales.len() - row)];
            sums.fill([0; CHANNELS]);
            let values = &p.values[row * stride..][..sums.len() * stride];
            match p.weights {
                Integers::Int8(weights) if p.layout == Layout::Tile4 => {
                    let weights = &weights[first / CHANNELS * pieces * PIECE..][..pieces * PIECE];
                    I::multiply(values, stride, weights, sums, &mut room);
                }
                _ => {
                    for start in (0..pieces * RUN).step_by(I::INPUTS) {
                        let weights = panel.fill::<I>(p, first, start..(start + I::INPUTS).min(pieces * RUN));
                        I::multiply(&values[start..], stride, weights, sums, &mut room);
                    }
                }
            }
            I::finish(p, &quad, row, sums, out);
        }
    }
}

//! Panels: four channels and some of their inputs as int8 pieces of `Tile4`, taken out of a matrix
//! that lies in memory in another way. Three kilobytes at most, so that it fits any stack.

use core::ops::Range;

use super::product::Inner;
use crate::layout::{self, Layout, Width};
use crate::matrix::Integers;
use crate::operations::Int8Product;

/// Channels of a panel.
pub(super) const CHANNELS: usize = 4;
/// Most inputs of a panel: a multiple of every group.
pub(super) const INPUTS: usize = 768;
/// Inputs of a channel that lie side by side.
pub(super) const RUN: usize = 16;
/// Bytes of a piece: four channels by 16 inputs.
pub(super) const PIECE: usize = CHANNELS * RUN;

/// Room for a panel.
#[repr(align(16))]
pub(super) struct Panel(pub(super) [i8; CHANNELS * INPUTS]);

impl Panel {
    /// An empty one.
    pub(super) const fn new() -> Self {
        Panel([0; CHANNELS * INPUTS])
    }

    /// Fills it with inputs, a multiple of 16 of them and at most [`INPUTS`], of the four channels
    /// from `first` on; what is outside the matrix is zero.
    pub(super) fn fill<I: Inner>(&mut self, p: &Int8Product<'_>, first: usize, inputs: Range<usize>) -> &[i8] {
        if let (Layout::Tile4, Integers::Grouped { packed, width, .. }) = (p.layout, p.weights) {
            match width {
                Width::Four => self.unpack::<I, 64>(p, packed, first, inputs.clone()),
                Width::Three => self.unpack::<I, 48>(p, packed, first, inputs.clone()),
            }
            return &self.0[..CHANNELS * inputs.len()];
        }
        let out = &mut self.0[..CHANNELS * inputs.len()];
        if let (Integers::Int8(weights), Layout::Tile16 | Layout::Tile8) = (p.weights, p.layout) {
            let pieces = &weights[layout::offset_int8(first, inputs.start, p.k, p.layout)..];
            let left = p.k - inputs.start;
            if p.layout == Layout::Tile8 {
                take::<8>(pieces, left, out)
            } else {
                take::<4>(pieces, left, out)
            }
            return out;
        }
        for (piece, start) in out.chunks_exact_mut(PIECE).zip(inputs.step_by(RUN)) {
            for (out, channel) in piece.as_chunks_mut::<RUN>().0.iter_mut().zip(first..) {
                *out = if channel < p.output.channels.end { run(p, channel, start) } else { [0; RUN] };
            }
        }
        out
    }

    /// The same of weights with group scales, of which two pieces of `Tile4` are `U` bytes.
    fn unpack<I: Inner, const U: usize>(
        &mut self,
        p: &Int8Product<'_>,
        packed: &[u8],
        first: usize,
        inputs: Range<usize>,
    ) {
        let Integers::Grouped { groups, group, .. } = p.weights else { unreachable!("they have group scales") };
        let k = p.k.next_multiple_of(group.inputs());
        let units = &packed.as_chunks::<U>().0[(first * k + inputs.start * CHANNELS) / (2 * PIECE)..];
        let pieces = units.iter().zip(self.0.as_chunks_mut().0);
        for ((unit, out), start) in pieces.zip(inputs.step_by(2 * RUN)) {
            let scales = &groups[layout::group_offset(first, start, p.k, group, p.layout)..];
            I::unpack(unit, scales, out);
        }
    }
}

/// Four channels out of pieces in which `I` inputs of a channel lie side by side; `left` inputs are
/// left in the matrix.
fn take<const I: usize>(pieces: &[i8], left: usize, out: &mut [i8]) {
    let mut sources = pieces.chunks(PIECE).take(left.div_ceil(I));
    for out in out.chunks_exact_mut(PIECE) {
        for at in (0..RUN).step_by(I) {
            let source = sources.next().map_or([[0; I]; CHANNELS], |source| {
                let runs = source.as_chunks::<I>().0;
                [runs[0], runs[1], runs[2], runs[3]]
            });
            for (out, source) in out.chunks_exact_mut(RUN).zip(source) {
                out[at..at + I].copy_from_slice(&source);
            }
        }
    }
}

/// 16 weights of a channel, zero beyond the last input.
fn run(p: &Int8Product<'_>, channel: usize, start: usize) -> [i8; RUN] {
    let mut out = [0; RUN];
    let len = RUN.min(p.k.saturating_sub(start));
    match p.weights {
        // Tiles of int8 do not come here.
        Integers::Int8(weights) => {
            out[..len].copy_from_slice(&weights[channel * p.k + start..][..len]);
        }
        Integers::Grouped { packed, groups, group, width } => {
            let scale = match groups.get(layout::group_offset(channel, start, p.k, group, p.layout)) {
                Some(&scale) if len > 0 => scale as i8,
                _ => return out,
            };
            for (i, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let (bytes, high) = layout::int4::four(packed, channel, start + 4 * i, p.k, group, p.layout, width);
                for (out, byte) in out.iter_mut().zip(bytes) {
                    let nibble = if high { byte as i8 >> 4 } else { (byte << 4) as i8 >> 4 };
                    *out = nibble.wrapping_mul(scale);
                }
            }
        }
    }
    out
}

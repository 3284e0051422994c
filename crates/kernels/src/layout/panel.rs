//! Panels: a tile of 16 channels and some of its inputs, as int8 weights in the layout that an inner
//! loop reads. That is how weights in another chip's layout, and those of 4 and 3 bits, are run.

use core::ops::Range;

use super::int3::{piece, widen};
use super::int4::{high_nibble, low_nibble};
use super::{Group, Layout, PIECE, TILE, Width};

/// Inputs of a usual panel; a multiple of every group and of the inputs of every piece.
pub(crate) const PANEL: usize = 256;

/// Inputs of a tile, whose int8 weights are `tile` in the layout `from`, in the layout `to`; `out` is
/// as long as they are, rounded up to whole pieces. Both ends of `inputs` are multiples of 16, or the
/// end of the tile.
#[inline(always)]
pub(crate) fn rearrange(tile: &[i8], from: Layout, to: Layout, inputs: Range<usize>, out: &mut [i8]) {
    let (len, k) = (out.len() / TILE, tile.len() / TILE);
    let words = out.as_chunks_mut::<4>().0;
    let source = tile.as_chunks::<4>().0;
    // Four inputs of a channel lie side by side in every layout.
    for word in 0..len / 4 {
        for channel in 0..TILE {
            let value = source.get(word_offset(channel, inputs.start / 4 + word, k, from));
            let value = value.filter(|_| inputs.start / 4 + word < k / 4);
            words[word_offset(channel, word, len, to)] = value.copied().unwrap_or([0; 4]);
        }
    }
}

/// Inputs of a tile of 4-bit weights as int8, in the same layout; of 3-bit weights where two pieces
/// have `U = 48` bytes, not 64. Both ends of `inputs` are multiples of the group.
///
/// `pieces` makes the pieces of some channels and one group from their bytes and their scales, as
/// [`unpack_pieces`] does.
#[inline(always)]
pub(crate) fn unpack<const U: usize>(
    packed: &[u8],
    scales: &[u8],
    group: Group,
    layout: Layout,
    inputs: Range<usize>,
    out: &mut [i8],
    pieces: impl Fn(&[[u8; U]], &[u8], &mut [[i8; PIECE]]),
) {
    let (channels, k) = (PIECE / layout.inputs(), packed.len() / U * (2 * PIECE) / TILE);
    let count = inputs.len() / layout.inputs();
    let of_group = group.inputs() / layout.inputs();
    for (sub, out) in out.chunks_exact_mut(count * PIECE).enumerate() {
        let units = &packed.as_chunks().0[(sub * k + inputs.start) * channels / (2 * PIECE)..];
        let groups = out.chunks_exact_mut(of_group * PIECE).zip(units.chunks(of_group / 2));
        for (at, (out, units)) in groups.enumerate() {
            let scales = &scales[(inputs.start / group.inputs() + at) * TILE + sub * channels..][..channels];
            pieces(units, scales, out.as_chunks_mut().0);
        }
    }
}

/// One group of some channels: a byte of nibbles makes one weight in each of two pieces of `out`.
#[inline(always)]
pub(crate) fn unpack_pieces<const U: usize>(units: &[[u8; U]], scales: &[u8], out: &mut [[i8; PIECE]]) {
    let mut factors = [0; PIECE];
    for (factors, &scale) in factors.chunks_exact_mut(PIECE / scales.len()).zip(scales) {
        factors.fill(scale as i8);
    }
    for (unit, out) in units.iter().zip(out.as_chunks_mut::<2>().0) {
        let ([low, high], nibbles) = (out, piece(unit));
        for i in 0..PIECE {
            low[i] = low_nibble(nibbles[i]).wrapping_mul(factors[i]);
            high[i] = high_nibble(nibbles[i]).wrapping_mul(factors[i]);
        }
    }
}

/// A row of a 4-bit or 3-bit table as int8: `out` holds the inputs from `start` on, both multiples of
/// the group.
#[inline(always)]
pub(crate) fn unpack_row(packed: &[u8], width: Width, scales: &[u8], group: Group, start: usize, out: &mut [i8]) {
    /// Weights of a piece of a row, and bytes of it with 4 bits.
    const WEIGHTS: usize = PIECE / 2;
    const BYTES: usize = PIECE / 4;
    let pieces = packed[width.bytes(start)..].chunks_exact(width.bytes(WEIGHTS));
    for (i, (out, piece)) in out.as_chunks_mut::<WEIGHTS>().0.iter_mut().zip(pieces).enumerate() {
        let factor = scales[(start + i * WEIGHTS) / group.inputs()] as i8;
        let mut nibbles = [0; BYTES];
        match width {
            Width::Three => widen(piece, &mut nibbles),
            Width::Four => nibbles.copy_from_slice(piece),
        }
        let (low, high) = out.split_at_mut(BYTES);
        for ((low, high), &byte) in low.iter_mut().zip(high).zip(&nibbles) {
            *low = low_nibble(byte).wrapping_mul(factor);
            *high = high_nibble(byte).wrapping_mul(factor);
        }
    }
}

/// Where four inputs of a channel lie in a tile of `k` inputs, in words of four bytes.
#[inline(always)]
const fn word_offset(channel: usize, word: usize, k: usize, layout: Layout) -> usize {
    super::offset_int8(channel, word * 4, k, layout) / 4
}

//! How weights lie in memory: plain data, the same for every chip, packed and unpacked by safe code
//! on any host.
//!
//! A tiled int8 matrix is made of 64-byte pieces: `C` channels by `I = 64 / C` inputs, the inputs of
//! a channel side by side. `K` is the number of inputs, `KP` that number rounded up to `I`; the
//! channels are padded to a multiple of 16 with zeros.
//!
//! | layout | int8 offset of (channel `n`, input `k`) | read best by |
//! |---|---|---|
//! | [`Layout::RowMajor`] | `n*K + k` | embedding tables |
//! | [`Layout::Tile16`] | `C = 16`, `I = 4` | `vpdpbusd`, `sdot`, `vpmaddwd`; well enough by all others |
//! | [`Layout::Tile8`] | `C = 8`, `I = 8` | `smmla` |
//! | [`Layout::Tile4`] | `C = 4`, `I = 16` | `smlal`, `vmladava`, `smlad` |
//!
//! with `((n/C)*(KP/I) + k/I)*64 + (n%C)*I + k%I` for the tiles. Float matrices are row-major or
//! `Tile16`, there `(n/16)*(K*16) + k*16 + n%16`. For 4-bit weights see [`int4`](self#4-bit-weights).
//!
//! # 4-bit weights
//!
//! A weight is `q * s`: `q` in [-8, 7], and an integer `s` in [1, 15] for each channel and
//! [`Group`] of inputs. `KP` is then `K` rounded up to the group. The int8 matrix of the `q` is cut
//! into pieces; two neighbours become one, the first in the low nibbles and the second in the high
//! ones. In row-major tables a piece is 16 inputs of a row. The `s` lie apart, one byte each:
//! `[n/16][group][n%16]` for tiles, `[n][group]` for tables.
//!
//! # 3-bit weights
//!
//! The same with an odd `q` in [-7, 7] and groups of 32: the lowest bit of each nibble would be set,
//! and goes without saying. Of a 4-bit piece the first three quarters are stored. Bits 0 and 4 of
//! their bytes hold the last quarter: its bits 3 and 7 lie in the first quarter, 2 and 6 in the
//! second, 1 and 5 in the third. So a piece is 48 bytes, in tables 12.

mod attention;
pub(crate) mod int3;
pub(crate) mod int4;
#[cfg(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "aarch64", target_feature = "neon"),
))]
pub(crate) mod panel;

pub use attention::{pack_keys, pack_values};
pub use int3::{pack_int3, packed_len_int3, unpack_int3};
pub(crate) use int4::Width;
pub use int4::{
    Group, group_count, group_offset, offset_int4, pack_groups, pack_int4, packed_len_int4, unpack_groups, unpack_int4,
};

use crate::matrix::ShapeError;

/// Channels that are padded, scaled and computed together in every tiled layout.
pub const TILE: usize = 16;
/// Bytes of a piece of a tiled int8 matrix.
pub(crate) const PIECE: usize = 64;

/// Order of the values of a weight matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One channel after the other: embedding tables, and the vocabulary projection that is tied to
    /// one.
    RowMajor,
    /// Pieces of 16 channels by 4 inputs: the layout that every instruction set reads well.
    Tile16,
    /// Pieces of 8 channels by 8 inputs.
    Tile8,
    /// Pieces of 4 channels by 16 inputs.
    Tile4,
}

impl Layout {
    /// All of them.
    pub const ALL: [Layout; 4] = [Layout::RowMajor, Layout::Tile16, Layout::Tile8, Layout::Tile4];

    /// Neighbouring inputs of one channel in a piece; rows have no pieces and are padded to nothing: 1.
    pub(crate) const fn inputs(self) -> usize {
        match self {
            Layout::RowMajor => 1,
            Layout::Tile16 => 4,
            Layout::Tile8 => 8,
            Layout::Tile4 => 16,
        }
    }
}

/// Number of values of a packed int8 matrix; `None` when it overflows.
pub const fn packed_len_int8(n: usize, k: usize, layout: Layout) -> Option<usize> {
    match layout {
        Layout::RowMajor => n.checked_mul(k),
        _ => match (n.checked_next_multiple_of(TILE), k.checked_next_multiple_of(layout.inputs())) {
            (Some(n), Some(k)) => n.checked_mul(k),
            _ => None,
        },
    }
}

/// Number of values of a packed float matrix; `None` when it overflows, or for a layout that floats
/// do not have.
pub const fn packed_len_f32(n: usize, k: usize, layout: Layout) -> Option<usize> {
    match layout {
        Layout::RowMajor => n.checked_mul(k),
        Layout::Tile16 => match n.checked_next_multiple_of(TILE) {
            Some(n) => n.checked_mul(k),
            None => None,
        },
        Layout::Tile8 | Layout::Tile4 => None,
    }
}

/// Where the weight of `channel` and `input` lies in a packed int8 matrix with `k` inputs.
#[inline(always)]
pub const fn offset_int8(channel: usize, input: usize, k: usize, layout: Layout) -> usize {
    if matches!(layout, Layout::RowMajor) {
        return channel * k + input;
    }
    let inputs = layout.inputs();
    let channels = PIECE / inputs;
    let piece = (channel / channels) * k.div_ceil(inputs) + input / inputs;
    piece * PIECE + (channel % channels) * inputs + input % inputs
}

/// Where the weight of `channel` and `input` lies in a packed float matrix with `k` inputs, which is
/// row-major or `Tile16`.
pub const fn offset_f32(channel: usize, input: usize, k: usize, layout: Layout) -> usize {
    match layout {
        Layout::RowMajor => channel * k + input,
        _ => (channel / TILE) * k * TILE + input * TILE + channel % TILE,
    }
}

/// Packs a row-major `[n][k]` int8 matrix.
///
/// # Errors
///
/// When `values` is not `n*k` long or `out` is not [`packed_len_int8`] long.
pub fn pack_int8(values: &[i8], n: usize, k: usize, layout: Layout, out: &mut [i8]) -> Result<(), ShapeError> {
    check(n.checked_mul(k), values.len())?;
    check(packed_len_int8(n, k, layout), out.len())?;
    out.fill(0);
    each(n, k, |channel, input| out[offset_int8(channel, input, k, layout)] = values[channel * k + input]);
    Ok(())
}

/// Packs a row-major `[n][k]` float matrix.
///
/// # Errors
///
/// When `values` is not `n*k` long or `out` is not [`packed_len_f32`] long.
pub fn pack_f32(values: &[f32], n: usize, k: usize, layout: Layout, out: &mut [f32]) -> Result<(), ShapeError> {
    check(n.checked_mul(k), values.len())?;
    check(packed_len_f32(n, k, layout), out.len())?;
    out.fill(0.0);
    each(n, k, |channel, input| out[offset_f32(channel, input, k, layout)] = values[channel * k + input]);
    Ok(())
}

/// Unpacks an int8 matrix to row-major `[n][k]`.
///
/// # Errors
///
/// When `values` is not [`packed_len_int8`] long or `out` is not `n*k` long.
pub fn unpack_int8(values: &[i8], n: usize, k: usize, layout: Layout, out: &mut [i8]) -> Result<(), ShapeError> {
    check(packed_len_int8(n, k, layout), values.len())?;
    check(n.checked_mul(k), out.len())?;
    each(n, k, |channel, input| out[channel * k + input] = values[offset_int8(channel, input, k, layout)]);
    Ok(())
}

/// Unpacks a float matrix to row-major `[n][k]`.
///
/// # Errors
///
/// When `values` is not [`packed_len_f32`] long or `out` is not `n*k` long.
pub fn unpack_f32(values: &[f32], n: usize, k: usize, layout: Layout, out: &mut [f32]) -> Result<(), ShapeError> {
    check(packed_len_f32(n, k, layout), values.len())?;
    check(n.checked_mul(k), out.len())?;
    each(n, k, |channel, input| out[channel * k + input] = values[offset_f32(channel, input, k, layout)]);
    Ok(())
}

fn each(n: usize, k: usize, mut visit: impl FnMut(usize, usize)) {
    for channel in 0..n {
        for input in 0..k {
            visit(channel, input);
        }
    }
}

fn check(expected: Option<usize>, found: usize) -> Result<(), ShapeError> {
    if expected == Some(found) { Ok(()) } else { Err(ShapeError::Values { expected, found }) }
}

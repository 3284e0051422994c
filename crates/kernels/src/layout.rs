//! How weights lie in memory: plain data, the same for every chip, packed and unpacked by safe code
//! on any host.
//!
//! | layout | int8 offset of (channel `n`, input `k`) | f32 offset |
//! |---|---|---|
//! | [`Layout::RowMajor`] | `n*K + k` | `n*K + k` |
//! | [`Layout::Tile16`] | `((n/16)*(K4/4) + k/4)*64 + (n%16)*4 + k%4` | `(n/16)*(K*16) + k*16 + n%16` |
//!
//! `K` is the number of inputs and `K4` is `K` rounded up to 4. In `Tile16` the channels are padded
//! to a multiple of 16 with zeros. One 64-byte piece of the int8 tile is one `vpdpbusd`, four
//! `sdot` or four pairs of `smull`.

use crate::matrix::ShapeError;

/// Channels in a tile of [`Layout::Tile16`].
pub const TILE: usize = 16;

/// Order of the values of a weight matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One channel after the other: embedding tables, and the vocabulary projection that is tied to
    /// one.
    RowMajor,
    /// Tiles of 16 channels, interleaved so that 16 outputs are made at once.
    Tile16,
}

/// Number of values of a packed int8 matrix; `None` when it overflows.
pub const fn packed_len_int8(n: usize, k: usize, layout: Layout) -> Option<usize> {
    match layout {
        Layout::RowMajor => n.checked_mul(k),
        Layout::Tile16 => match (n.checked_next_multiple_of(TILE), k.checked_next_multiple_of(4)) {
            (Some(n), Some(k)) => n.checked_mul(k),
            _ => None,
        },
    }
}

/// Number of values of a packed float matrix; `None` when it overflows.
pub const fn packed_len_f32(n: usize, k: usize, layout: Layout) -> Option<usize> {
    match layout {
        Layout::RowMajor => n.checked_mul(k),
        Layout::Tile16 => match n.checked_next_multiple_of(TILE) {
            Some(n) => n.checked_mul(k),
            None => None,
        },
    }
}

/// Where the weight of `channel` and `input` lies in a packed int8 matrix with `k` inputs.
pub const fn offset_int8(channel: usize, input: usize, k: usize, layout: Layout) -> usize {
    match layout {
        Layout::RowMajor => channel * k + input,
        Layout::Tile16 => ((channel / TILE) * k.div_ceil(4) + input / 4) * 64 + (channel % TILE) * 4 + input % 4,
    }
}

/// Where the weight of `channel` and `input` lies in a packed float matrix with `k` inputs.
pub const fn offset_f32(channel: usize, input: usize, k: usize, layout: Layout) -> usize {
    match layout {
        Layout::RowMajor => channel * k + input,
        Layout::Tile16 => (channel / TILE) * k * TILE + input * TILE + channel % TILE,
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

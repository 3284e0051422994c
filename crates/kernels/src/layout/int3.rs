//! 3-bit weights: a 4-bit piece of odd nibbles, in three quarters of its bytes.

use super::int4::{Width, grouped_len, pack_grouped, unpack_grouped};
use super::{Group, Layout, PIECE};
use crate::matrix::ShapeError;

/// The lowest bits of the two nibbles of a byte.
const LOWEST: u8 = 0x11;

/// Bytes of the weights of a packed 3-bit matrix, in groups of 32; `None` when it overflows.
pub const fn packed_len_int3(n: usize, k: usize, layout: Layout) -> Option<usize> {
    grouped_len(n, k, Group::Of32, layout, Width::Three)
}

/// Packs the `q` of a row-major `[n][k]` matrix, each odd and in [-7, 7].
///
/// # Errors
///
/// When `q` is not `n*k` long or `out` is not [`packed_len_int3`] long.
pub fn pack_int3(q: &[i8], n: usize, k: usize, layout: Layout, out: &mut [u8]) -> Result<(), ShapeError> {
    pack_grouped(q, n, k, Group::Of32, layout, Width::Three, out)
}

/// Unpacks the `q` to row-major `[n][k]`.
///
/// # Errors
///
/// When a slice has another length than the shape needs.
pub fn unpack_int3(packed: &[u8], n: usize, k: usize, layout: Layout, out: &mut [i8]) -> Result<(), ShapeError> {
    unpack_grouped(packed, n, k, Group::Of32, layout, Width::Three, out)
}

/// Where byte `at` of the 4-bit matrix is in the 3-bit one, which has pieces of `piece` bytes there: the byte that
/// holds it, or, in the last quarter of a piece, the first of three that have a bit of each of its nibbles, `piece / 4`
/// apart.
#[inline(always)]
pub(super) const fn place(at: usize, piece: usize) -> (usize, bool) {
    let (start, within, quarter) = (at / piece * (piece / 4 * 3), at % piece, piece / 4);
    if within < 3 * quarter { (start + within, true) } else { (start + within - 3 * quarter, false) }
}

/// The byte of the 4-bit matrix that three bytes of the 3-bit one give in their lowest bits.
#[inline(always)]
pub(super) const fn last_quarter(a: u8, b: u8, c: u8) -> u8 {
    ((a << 3) & (LOWEST << 3)) | ((b << 2) & (LOWEST << 2)) | ((c << 1) & (LOWEST << 1)) | LOWEST
}

/// What [`last_quarter`] is made of, the three bytes without anything else.
#[inline(always)]
pub(super) const fn spread(byte: u8) -> [u8; 3] {
    [(byte >> 3) & LOWEST, (byte >> 2) & LOWEST, (byte >> 1) & LOWEST]
}

/// Makes the 4-bit piece of a 3-bit one: `W` bytes for each three quarters of `W`.
#[inline(always)]
pub(crate) fn widen(unit: &[u8], out: &mut [u8]) {
    let quarter = out.len() / 4;
    let ((a, rest), (first, last)) = (unit.split_at(quarter), out.split_at_mut(3 * quarter));
    let (b, c) = rest.split_at(quarter);
    for (out, &byte) in first.iter_mut().zip(unit) {
        *out = byte | LOWEST;
    }
    for (((out, &a), &b), &c) in last.iter_mut().zip(a).zip(b).zip(c) {
        *out = last_quarter(a, b, c);
    }
}

/// A 4-bit piece of tiles, from `U` bytes: as many, or three quarters of them.
#[inline(always)]
pub(crate) fn piece<const U: usize>(unit: &[u8; U]) -> [u8; PIECE] {
    let mut out = [0; PIECE];
    match unit.first_chunk() {
        Some(whole) => out = *whole,
        None => widen(unit, &mut out),
    }
    out
}

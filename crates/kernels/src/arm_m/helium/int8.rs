//! Inner loops of the int8 product: `vmladava` multiplies 16 pairs of bytes and adds all products to
//! a general register.
//!
//! A processor that does half a vector in a cycle spends two cycles on each of them, and can load
//! the next operand meanwhile: with three rows by two channels there are six multiplications for
//! five loads, so the multiplier never waits.

use super::asm::helium;
use crate::native::panel::{CHANNELS, PIECE, RUN};
use crate::native::product::Quads;

/// Adds the products of rows with four channels; see [`Inner`](crate::native::product::Inner).
pub(super) fn multiply(values: &[i8], stride: usize, weights: &[i8], sums: &mut Quads) {
    let pieces = weights.len() / PIECE;
    assert!(pieces > 0 && stride >= pieces * RUN);
    assert!(sums.is_empty() || values.len() >= (sums.len() - 1) * stride + pieces * RUN);
    let (threes, rest) = sums.as_chunks_mut::<3>();
    let mut values = values.as_ptr();
    for sums in threes {
        // SAFETY: three rows of `16 * pieces` values are readable, `stride` apart, and four channels
        // of as many weights (the assertions above: the rows are as many as the sums).
        unsafe {
            three_rows(values, stride, weights.as_ptr(), pieces, sums);
            values = values.wrapping_add(3 * stride);
        }
    }
    for sums in rest {
        // SAFETY: as above, for one row.
        unsafe { one_row(values, weights.as_ptr(), pieces, sums) };
        values = values.wrapping_add(stride);
    }
}

/// Three rows by four channels, in two passes.
///
/// # Safety
///
/// Three rows of `16 * pieces` values, `stride` apart, and `64 * pieces` weights are readable;
/// `pieces` is not zero, and Helium exists.
unsafe fn three_rows(
    values: *const i8,
    stride: usize,
    weights: *const i8,
    pieces: usize,
    sums: &mut [[i32; CHANNELS]; 3],
) {
    for pair in 0..2 {
        let at = 2 * pair;
        let [[s00, s01], [s10, s11], [s20, s21]] = [0, 1, 2].map(|r: usize| [sums[r][at], sums[r][at + 1]]);
        let (mut s00, mut s01, mut s10, mut s11, mut s20, mut s21) = (s00, s01, s10, s11, s20, s21);
        // SAFETY: each row is read at 16 bytes a piece and the weights at two runs of 16 in each 64,
        // the last piece after the loop, so that nothing is loaded ahead of the end. Accumulators of
        // `vmladava` have even numbers.
        unsafe {
            helium!(
                [
                    "vldrb.u8 q0, [{a0}], #16",
                    "vldrb.u8 q3, [{w}], #16",
                    "wls lr, {n}, 3f",
                    "2:",
                    "vmladava.s8 r0, q0, q3",
                    "vldrb.u8 q1, [{a1}], #16",
                    "vmladava.s8 r2, q1, q3",
                    "vldrb.u8 q2, [{a2}], #16",
                    "vmladava.s8 r4, q2, q3",
                    "vldrb.u8 q4, [{w}], #48",
                    "vmladava.s8 r8, q0, q4",
                    "vldrb.u8 q0, [{a0}], #16",
                    "vmladava.s8 r10, q1, q4",
                    "vldrb.u8 q3, [{w}], #16",
                    "vmladava.s8 r12, q2, q4",
                    "le lr, 2b",
                    "3:",
                    "vmladava.s8 r0, q0, q3",
                    "vldrb.u8 q1, [{a1}]",
                    "vmladava.s8 r2, q1, q3",
                    "vldrb.u8 q2, [{a2}]",
                    "vmladava.s8 r4, q2, q3",
                    "vldrb.u8 q4, [{w}]",
                    "vmladava.s8 r8, q0, q4",
                    "vmladava.s8 r10, q1, q4",
                    "vmladava.s8 r12, q2, q4",
                ]
                a0 = inout(reg) values => _,
                a1 = inout(reg) values.add(stride) => _,
                a2 = inout(reg) values.add(2 * stride) => _,
                w = inout(reg) weights.add(2 * pair * RUN) => _,
                n = in(reg) pieces - 1,
                inout("r0") s00, inout("r2") s10, inout("r4") s20,
                inout("r8") s01, inout("r10") s11, inout("r12") s21,
            );
        }
        for (sums, new) in sums.iter_mut().zip([[s00, s01], [s10, s11], [s20, s21]]) {
            sums[at..at + 2].copy_from_slice(&new);
        }
    }
}

/// One row by four channels.
///
/// # Safety
///
/// `16 * pieces` values and `64 * pieces` weights are readable; `pieces` is not zero, and Helium
/// exists.
unsafe fn one_row(values: *const i8, weights: *const i8, pieces: usize, sums: &mut [i32; CHANNELS]) {
    let [mut s0, mut s1, mut s2, mut s3] = *sums;
    // SAFETY: the row is read at 16 bytes a piece and the weights at 64.
    unsafe {
        helium!(
            [
                "dls lr, {n}",
                "2:",
                "vldrb.u8 q0, [{a}], #16",
                "vldrb.u8 q1, [{w}], #16",
                "vmladava.s8 r0, q0, q1",
                "vldrb.u8 q2, [{w}], #16",
                "vmladava.s8 r2, q0, q2",
                "vldrb.u8 q1, [{w}], #16",
                "vmladava.s8 r4, q0, q1",
                "vldrb.u8 q2, [{w}], #16",
                "vmladava.s8 r8, q0, q2",
                "le lr, 2b",
            ]
            a = inout(reg) values => _,
            w = inout(reg) weights => _,
            n = in(reg) pieces,
            inout("r0") s0, inout("r2") s1, inout("r4") s2, inout("r8") s3,
        );
    }
    *sums = [s0, s1, s2, s3];
}

//! Inner loop of the int8 product: `smlad` adds two products of 16-bit halves.
//!
//! The weights of four channels are spread to halves once for many rows, into a table on the stack;
//! a row's values are spread while they are multiplied. The order of the loop is for a processor
//! that takes a load or a spreading (the older of the two) and a multiplication in one cycle.

use core::arch::asm;

use crate::native::panel::{CHANNELS, PIECE, RUN};
use crate::native::product::Quads;

/// Most inputs of a table, which is two kilobytes.
pub(super) const INPUTS: usize = 256;
/// Words of a table: the halves of four weights of a channel are two.
pub(super) const WORDS: usize = CHANNELS * INPUTS / 2;
/// Words of the table for four inputs: those of inputs 0 and 2 for each channel, then those of
/// inputs 1 and 3.
const STEP: usize = 2 * CHANNELS;

// ARMv7E-M has the instructions. For ARMv8-M, which need not have them, a processor with them is
// named.
#[cfg(m_profile = "7e")]
macro_rules! dsp {
    ($($text:tt)*) => { asm!($($text)*) };
}
#[cfg(m_profile = "8")]
macro_rules! dsp {
    ($($text:tt)*) => { asm!(".cpu cortex-m33", $($text)*) };
}

/// Adds the products of rows with four channels; see [`Inner`](crate::native::product::Inner).
pub(super) fn multiply(values: &[i8], stride: usize, weights: &[i8], sums: &mut Quads, table: &mut [u32; WORDS]) {
    for (i, weights) in weights.chunks(PIECE / RUN * INPUTS).enumerate() {
        let inputs = weights.len() / CHANNELS;
        let table = &mut table[..inputs / 4 * STEP];
        spread(weights, table);
        for (row, sums) in sums.iter_mut().enumerate() {
            let values = &values[row * stride + i * INPUTS..][..inputs];
            // SAFETY: the table has eight words for every four of the row's values, and those are a
            // multiple of 16 and not none, as the weights are whole pieces.
            unsafe { one_row(values, table, sums) };
        }
    }
}

/// The halves of the weights of pieces of four channels by 16 inputs.
fn spread(weights: &[i8], table: &mut [u32]) {
    let pieces = weights.as_chunks::<PIECE>().0;
    for (piece, table) in pieces.iter().zip(table.as_chunks_mut::<{ PIECE / 2 }>().0) {
        for (channel, run) in piece.as_chunks::<RUN>().0.iter().enumerate() {
            for (four, out) in run.as_chunks::<4>().0.iter().zip(table.as_chunks_mut::<STEP>().0) {
                let four = u32::from_le_bytes(four.map(|weight| weight as u8));
                let (even, odd): (u32, u32);
                // SAFETY: two operations on registers.
                unsafe {
                    dsp!(
                        "sxtb16 {even}, {four}",
                        "sxtb16 {odd}, {four}, ror #8",
                        four = in(reg) four,
                        even = out(reg) even,
                        odd = lateout(reg) odd,
                        options(pure, nomem, nostack, preserves_flags),
                    );
                }
                out[channel] = even;
                out[CHANNELS + channel] = odd;
            }
        }
    }
}

/// Four inputs of a row by four channels, whose weights begin at this offset of `r0`.
/// `$values`, `$even` and `$odd` load what the next four begin with.
macro_rules! step {
    ($at:literal, $values:literal, $even:literal, $odd:literal) => {
        concat!(
            "smlad r8, r2, r6, r8\n",
            "ldr r2, [r0, #16 + ",
            $at,
            "]\n",
            "ldr r4, [r0, #8 + ",
            $at,
            "]\n",
            "ldr r5, [r0, #12 + ",
            $at,
            "]\n",
            "smlad r9, r3, r6, r9\n",
            "sxtb16 r12, r7, ror #8\n",
            "ldr r3, [r0, #20 + ",
            $at,
            "]\n",
            $values,
            "\n",
            "smlad r10, r4, r6, r10\n",
            "smlad r11, r5, r6, r11\n",
            "ldr r4, [r0, #24 + ",
            $at,
            "]\n",
            "smlad r8, r2, r12, r8\n",
            "ldr r5, [r0, #28 + ",
            $at,
            "]\n",
            "smlad r9, r3, r12, r9\n",
            $even,
            "\n",
            "smlad r11, r5, r12, r11\n",
            "sxtb16 r6, r7\n",
            "smlad r10, r4, r12, r10\n",
            $odd,
            "\n",
        )
    };
}

/// Adds the products of a row with the four channels of a table.
///
/// # Safety
///
/// `values` is a multiple of 16 long and not empty, `table` has two words for each of them, and the
/// instructions exist.
unsafe fn one_row(values: &[i8], table: &[u32], sums: &mut [i32; CHANNELS]) {
    debug_assert!(values.len().is_multiple_of(RUN) && !values.is_empty() && table.len() == 2 * values.len());
    let [mut s0, mut s1, mut s2, mut s3] = *sums;
    // r6 holds values 0 and 2 of four, r12 values 1 and 3, r7 the next four; r2 to r5 take turns in
    // holding weights. Each step loads what the next one begins with; the last 16 inputs come after
    // the loop, so that nothing is loaded from behind the end.
    //
    // SAFETY: every load is inside the two slices (see above); r6 and r7, which no operand may be,
    // are put back.
    unsafe {
        dsp!(
            "push {{r6, r7}}",
            "ldr r7, [r1]",
            "ldr r2, [r0]",
            "ldr r3, [r0, #4]",
            "sxtb16 r6, r7",
            "cmp r0, lr",
            "beq 3f",
            "2:",
            step!("0", "ldr r7, [r1, #4]", "ldr r2, [r0, #32]", "ldr r3, [r0, #36]"),
            step!("32", "ldr r7, [r1, #8]", "ldr r2, [r0, #64]", "ldr r3, [r0, #68]"),
            step!("64", "ldr r7, [r1, #12]", "ldr r2, [r0, #96]", "ldr r3, [r0, #100]"),
            "add r0, r0, #128",
            "cmp r0, lr",
            step!("-32", "ldr r7, [r1, #16]!", "ldr r2, [r0]", "ldr r3, [r0, #4]"),
            "bne 2b",
            "3:",
            step!("0", "ldr r7, [r1, #4]", "ldr r2, [r0, #32]", "ldr r3, [r0, #36]"),
            step!("32", "ldr r7, [r1, #8]", "ldr r2, [r0, #64]", "ldr r3, [r0, #68]"),
            step!("64", "ldr r7, [r1, #12]", "ldr r2, [r0, #96]", "ldr r3, [r0, #100]"),
            step!("96", "", "", ""),
            "pop {{r6, r7}}",
            inout("r0") table.as_ptr() => _,
            inout("r1") values.as_ptr() => _,
            inout("r8") s0, inout("r9") s1, inout("r10") s2, inout("r11") s3,
            in("lr") table.as_ptr().add(table.len() - 2 * RUN),
            out("r2") _, out("r3") _, out("r4") _, out("r5") _, out("r12") _,
        );
    }
    *sums = [s0, s1, s2, s3];
}

//! GELU, two registers at a time: of all loops only this one keeps its 18 constants in registers, and
//! only in assembly.

use core::arch::asm;

use super::simd::Neon;
use crate::LANES;
use crate::scalar::{EXP2, HALF_ERFC, MAGIC};

/// What the loop has in `v14` to `v31`, in every lane: the coefficients of both polynomials, the
/// magic number, and what an integer is multiplied by to become the exponent of a float.
///
/// The coefficients of [`HALF_ERFC`] have the other sign, so that the polynomial need not be
/// subtracted from zero. Rounding does not depend on the sign, and the polynomial is never zero: its
/// value is the other one's with the other sign, bit for bit.
#[repr(align(64))]
struct Constants([[f32; 4]; 18]);

static CONSTANTS: Constants = {
    let mut all = [[0.0; 4]; 18];
    let mut i = 1;
    while i < HALF_ERFC.len() {
        all[i - 1] = [-HALF_ERFC[i]; 4];
        i += 1;
    }
    i = 0;
    while i < EXP2.len() {
        all[9 + i] = [EXP2[i]; 4];
        i += 1;
    }
    all[16] = [MAGIC; 4];
    all[17] = [f32::from_bits(1 << 23); 4];
    Constants(all)
};
// The loop takes these two as 1.
const _: () = assert!(HALF_ERFC[0] == 1.0 && EXP2[0] == 1.0 && HALF_ERFC.len() == 10 && EXP2.len() == 7);

/// The same instruction for each register of the pair.
macro_rules! pair {
    ($($op:literal $d0:literal $d1:literal, $a0:literal $a1:literal, $b0:literal $b1:literal;)*) => {
        concat!($(
            $op, " v", $d0, ".4s, v", $a0, ".4s, v", $b0, ".4s\n",
            $op, " v", $d1, ".4s, v", $a1, ".4s, v", $b1, ".4s\n",
        )*)
    };
}

/// Eight elements. `v0`: x, `v2`: |x| of at most 6, `v4`: a square, and so on in pairs.
macro_rules! eight {
    ($load:literal, $store:literal) => {
        concat!(
            $load,
            "fmov v4.4s, #6.0\nfabs v2.4s, v0.4s\nfabs v3.4s, v1.4s\n",
            pair!(
                "fmin" 2 3, 2 3, 4 4;
                "fmul" 4 5, 2 3, 2 3;
                "fmul" 8 9, 4 5, 22 22;
                "fmul" 6 7, 4 5, 21 21;
                "fadd" 8 9, 8 9, 20 20;
                "fadd" 6 7, 6 7, 19 19;
                "fmul" 8 9, 8 9, 4 5;
                "fmul" 6 7, 6 7, 4 5;
                "fadd" 8 9, 8 9, 18 18;
                "fadd" 6 7, 6 7, 17 17;
                "fmul" 8 9, 8 9, 4 5;
                "fmul" 6 7, 6 7, 4 5;
                "fadd" 8 9, 8 9, 16 16;
                "fadd" 6 7, 6 7, 15 15;
                "fmul" 8 9, 8 9, 4 5;
                "fmul" 6 7, 6 7, 4 5;
                "fadd" 8 9, 8 9, 14 14;
                "fsub" 6 7, 6 7, 23 23;
                "fmul" 8 9, 8 9, 2 3;
                "fadd" 6 7, 6 7, 8 9;
                "fadd" 8 9, 6 7, 30 30;
                "fsub" 10 11, 8 9, 30 30;
                "fsub" 6 7, 6 7, 10 11;
                "fmul" 4 5, 6 7, 6 7;
                "fmul" 10 11, 4 5, 29 29;
                "fmul" 12 13, 4 5, 28 28;
                "fadd" 10 11, 10 11, 27 27;
                "fadd" 12 13, 12 13, 26 26;
                "fmul" 10 11, 10 11, 4 5;
                "fmul" 12 13, 12 13, 4 5;
                "fadd" 10 11, 10 11, 25 25;
                "fadd" 12 13, 12 13, 24 24;
                "fmul" 10 11, 10 11, 4 5;
                "fmul" 12 13, 12 13, 6 7;
                "fadd" 10 11, 10 11, 23 23;
            ),
            // Meanwhile x, or +0.0 where it is below zero: -0.0 stays.
            "fcmlt v4.4s, v0.4s, #0.0\nfcmlt v5.4s, v1.4s, #0.0\n",
            pair!("fadd" 10 11, 10 11, 12 13;),
            "bic v0.16b, v0.16b, v4.16b\nbic v1.16b, v1.16b, v5.16b\n",
            pair!(
                "mla" 10 11, 8 9, 31 31;
                "fmul" 2 3, 2 3, 10 11;
                "fsub" 0 1, 0 1, 2 3;
            ),
            $store,
        )
    };
}

/// `scalar::gelu` of the first 16 elements of each of `rows` rows, `stride` apart.
#[inline(always)]
pub(super) fn gelu_rows<P: Copy>(_: Neon<P>, x: &mut [f32], stride: usize, rows: usize) {
    let Some(before) = rows.checked_sub(1) else {
        return;
    };
    assert!(x.len() >= LANES && before <= (x.len() - LANES) / stride.max(1));
    // SAFETY: the proof is there; the loop reads and writes 16 elements, `rows` times, `stride` apart,
    // all of them inside `x`.
    unsafe {
        asm!(
            "ldp q14, q15, [{c}]", "ldp q16, q17, [{c}, #32]", "ldp q18, q19, [{c}, #64]",
            "ldp q20, q21, [{c}, #96]", "ldp q22, q23, [{c}, #128]", "ldp q24, q25, [{c}, #160]",
            "ldp q26, q27, [{c}, #192]", "ldp q28, q29, [{c}, #224]", "ldp q30, q31, [{c}, #256]",
            "2:",
            eight!("ldp q0, q1, [{x}]\n", "stp q0, q1, [{x}]\n"),
            eight!("ldp q0, q1, [{x}, #32]\n", "stp q0, q1, [{x}, #32]\n"),
            "subs {n}, {n}, #1",
            "add {x}, {x}, {stride}",
            "b.ne 2b",
            c = in(reg) CONSTANTS.0.as_ptr(),
            x = inout(reg) x.as_mut_ptr() => _,
            n = inout(reg) rows => _,
            stride = in(reg) stride * size_of::<f32>(),
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(nostack),
        )
    };
}

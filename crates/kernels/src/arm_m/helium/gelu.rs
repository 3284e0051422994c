//! GELU: as many vector operations as the polynomials have, their coefficients loaded meanwhile.

use super::asm::helium;
use crate::scalar::{EXP2, GELU_HIGH, HALF_ERFC, MAGIC};

/// Coefficients in the order in which the loop takes them. The first polynomial's are negated, which
/// negates its value and changes no other bit.
static TABLE: [f32; 18] = {
    let mut table = [0.0; 18];
    let (p, e) = (HALF_ERFC, EXP2);
    let mut i = 0;
    while i < 10 {
        table[i] = -p[9 - i];
        i += 1;
    }
    while i < 17 {
        table[i] = e[16 - i];
        i += 1;
    }
    table[17] = GELU_HIGH;
    table
};

/// GELU of each value; [`gelu`](crate::scalar::gelu) is the formula.
pub(super) fn gelu(x: &mut [f32]) {
    // Registers: q0 is x, q1 its limited magnitude a, q3 first -P(a), then the fraction f, and q4 the
    // power of two that goes with it.
    //
    // SAFETY: the slice has `n` elements, and the table those that are read.
    unsafe {
        helium!(
            [
                "ldr {a}, [{table}, #68]",
                "vdup.32 q7, {a}",
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}]",
                "vabs.f32 q1, q0",
                "ldrd {a}, {b}, [{table}]",
                "vminnm.f32 q1, q1, q7",
                "vmul.f32 q2, q1, q1",
                "vmul.f32 q4, q2, {a}",
                "vmul.f32 q3, q2, {b}",
                "ldrd {a}, {b}, [{table}, #8]",
                "vadd.f32 q4, q4, {a}",
                "vadd.f32 q3, q3, {b}",
                "vmul.f32 q4, q4, q2",
                "ldrd {a}, {b}, [{table}, #16]",
                "vmul.f32 q3, q3, q2",
                "vadd.f32 q4, q4, {a}",
                "vadd.f32 q3, q3, {b}",
                "vmul.f32 q4, q4, q2",
                "ldrd {a}, {b}, [{table}, #24]",
                "vmul.f32 q3, q3, q2",
                "vadd.f32 q4, q4, {a}",
                "vadd.f32 q3, q3, {b}",
                "vmul.f32 q4, q4, q2",
                "ldrd {a}, {b}, [{table}, #32]",
                "vmul.f32 q3, q3, q2",
                "vadd.f32 q4, q4, {a}",
                "vadd.f32 q3, q3, {b}",
                "vmul.f32 q4, q4, q1",
                "ldrd {a}, {b}, [{table}, #40]",
                "vadd.f32 q3, q3, q4",
                "vadd.f32 q4, q3, {magic}",
                "vsub.f32 q5, q4, {magic}",
                "vsub.f32 q3, q3, q5",
                "vmul.f32 q5, q3, q3",
                "vshl.i32 q4, q4, #23",
                "vmul.f32 q6, q5, {a}",
                "vmul.f32 q2, q5, {b}",
                "ldrd {a}, {b}, [{table}, #48]",
                "vadd.f32 q6, q6, {a}",
                "vadd.f32 q2, q2, {b}",
                "vmul.f32 q6, q6, q5",
                "ldrd {a}, {b}, [{table}, #56]",
                "vmul.f32 q2, q2, q5",
                "vadd.f32 q6, q6, {a}",
                "vadd.f32 q2, q2, {b}",
                "vmul.f32 q6, q6, q5",
                "ldr {a}, [{table}, #64]",
                "vmul.f32 q2, q2, q3",
                "vadd.f32 q6, q6, {a}",
                "vadd.f32 q2, q6, q2",
                "vadd.i32 q2, q2, q4",
                "vmul.f32 q2, q2, q1",
                "vpt.f32 lt, q0, zr",
                "vmovt.i32 q0, #0",
                "vsub.f32 q0, q0, q2",
                "vstrw.32 q0, [{x}], #16",
                "letp lr, 2b",
                "3:",
            ]
            x = inout(reg) x.as_mut_ptr() => _,
            n = in(reg) x.len(),
            table = in(reg) TABLE.as_ptr(),
            magic = in(reg) MAGIC.to_bits(),
            a = out(reg) _,
            b = out(reg) _,
        );
    }
}

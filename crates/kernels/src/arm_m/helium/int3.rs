//! 3-bit weights.

use super::asm::helium;
use crate::native::panel::{CHANNELS, PIECE};

/// Two pieces of weights from one of 48 bytes; see [`Inner`](crate::native::product::Inner).
pub(super) fn unpack(stored: &[u8; PIECE / 4 * 3], scales: &[u8], out: &mut [i8; 2 * PIECE]) {
    assert!(scales.len() >= CHANNELS);
    // q0 to q2 are three quarters of the nibbles without their lowest bits. Those bits, shifted to the
    // others' places, are the last quarter, q3. Then each channel as with 4 bits.
    //
    // SAFETY: 48 bytes of weights and one scale for each of four channels are read; four times 16
    // weights are written at two places 64 bytes apart.
    unsafe {
        helium!(
            [
                "vmov.i8 q7, #0x11",
                "vldrb.u8 q0, [{stored}]",
                "vldrb.u8 q1, [{stored}, #16]",
                "vldrb.u8 q2, [{stored}, #32]",
                "vand q3, q0, q7",
                "vand q4, q1, q7",
                "vadd.i8 q3, q3, q3",
                "vand q5, q2, q7",
                "vorr q3, q3, q4",
                "ldrb {s0}, [{scales}]",
                "vadd.i8 q3, q3, q3",
                "vorr q0, q0, q7",
                "vorr q3, q3, q5",
                "ldrb {s1}, [{scales}, #1]",
                "vadd.i8 q3, q3, q3",
                "vorr q1, q1, q7",
                "vorr q3, q3, q7",
                "vorr q2, q2, q7",
                "vshl.i8 q4, q0, #4",
                "vshr.s8 q0, q0, #4",
                "vshr.s8 q4, q4, #4",
                "vmul.i8 q0, q0, {s0}",
                "vmul.i8 q4, q4, {s0}",
                "vstrb.8 q0, [{out}, #64]",
                "vshl.i8 q5, q1, #4",
                "vstrb.8 q4, [{out}]",
                "vshr.s8 q1, q1, #4",
                "ldrb {s0}, [{scales}, #2]",
                "vshr.s8 q5, q5, #4",
                "vmul.i8 q1, q1, {s1}",
                "vmul.i8 q5, q5, {s1}",
                "vstrb.8 q1, [{out}, #80]",
                "vshl.i8 q4, q2, #4",
                "vstrb.8 q5, [{out}, #16]",
                "vshr.s8 q2, q2, #4",
                "ldrb {s1}, [{scales}, #3]",
                "vshr.s8 q4, q4, #4",
                "vmul.i8 q2, q2, {s0}",
                "vmul.i8 q4, q4, {s0}",
                "vstrb.8 q2, [{out}, #96]",
                "vshl.i8 q5, q3, #4",
                "vstrb.8 q4, [{out}, #32]",
                "vshr.s8 q3, q3, #4",
                "vshr.s8 q5, q5, #4",
                "vmul.i8 q3, q3, {s1}",
                "vmul.i8 q5, q5, {s1}",
                "vstrb.8 q3, [{out}, #112]",
                "vstrb.8 q5, [{out}, #48]",
            ]
            stored = in(reg) stored.as_ptr(),
            scales = in(reg) scales.as_ptr(),
            out = in(reg) out.as_mut_ptr(),
            s0 = out(reg) _,
            s1 = out(reg) _,
        );
    }
}

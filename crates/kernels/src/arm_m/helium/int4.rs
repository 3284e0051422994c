//! 4-bit weights.

use super::asm::helium;
use crate::native::panel::{CHANNELS, PIECE};

/// Two pieces of weights from one of nibbles; see [`Inner`](crate::native::product::Inner).
pub(super) fn unpack(nibbles: &[u8; PIECE], scales: &[u8], out: &mut [i8; 2 * PIECE]) {
    assert!(scales.len() >= CHANNELS);
    // Each round takes a channel: 16 bytes of nibbles make 16 weights in each of the pieces.
    //
    // SAFETY: four rounds read 16 bytes of nibbles and one scale each, and write 16 weights at two
    // places 64 bytes apart.
    unsafe {
        helium!(
            [
                "mov {s}, #4",
                "dls lr, {s}",
                "2:",
                "vldrb.u8 q0, [{nibbles}], #16",
                "ldrb {s}, [{scales}], #1",
                "vshl.i8 q1, q0, #4",
                "vshr.s8 q0, q0, #4",
                "vshr.s8 q1, q1, #4",
                "vmul.i8 q0, q0, {s}",
                "vmul.i8 q1, q1, {s}",
                "vstrb.8 q0, [{out}, #64]",
                "vstrb.8 q1, [{out}], #16",
                "le lr, 2b",
            ]
            nibbles = inout(reg) nibbles.as_ptr() => _,
            scales = inout(reg) scales.as_ptr() => _,
            out = inout(reg) out.as_mut_ptr() => _,
            s = out(reg) _,
        );
    }
}

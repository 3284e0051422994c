//! The processor's name, from its identification register.
#![allow(unsafe_code)]

use core::arch::asm;

/// The machine and its processor, as the report calls them.
pub(crate) fn board() -> &'static str {
    let id: u64;
    // SAFETY: reads a register that every processor has and that level 1 may read.
    unsafe { asm!("mrs {}, midr_el1", out(reg) id, options(nomem, nostack)) };
    // Bits 31 to 24 name the implementer, 0x41 being Arm; bits 15 to 4 the part.
    match ((id >> 24) & 0xff, (id >> 4) & 0xfff) {
        (0x41, 0xd03) => "virt, Cortex-A53",
        (0x41, 0xd07) => "virt, Cortex-A57",
        (0x41, 0xd08) => "virt, Cortex-A72",
        (0x41, 0xd0b) => "virt, Cortex-A76",
        (0x41, 0xd0c) => "virt, Neoverse-N1",
        _ => "virt, a processor without a name here",
    }
}

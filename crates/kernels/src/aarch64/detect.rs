//! Which of the optional instructions exist: two identification registers say so, the same with an
//! operating system and without one.
//!
//! At exception level 1 and above the registers are read directly. Linux and FreeBSD trap the read
//! of a program and answer it with what they support. Where the system does neither, what the
//! compiler was told of the target counts: all of Apple's targets have the dot product.

use core::arch::asm;

/// Whether `sdot` exists.
pub(super) fn dotprod() -> bool {
    cfg!(target_feature = "dotprod") || READABLE && field(isar0(), 44) >= 1
}

/// Whether `smmla` exists.
pub(super) fn i8mm() -> bool {
    cfg!(target_feature = "i8mm") || READABLE && field(isar1(), 52) >= 1
}

/// Whether the registers can be read, be it with the operating system's help.
const READABLE: bool = cfg!(any(target_os = "none", target_os = "linux", target_os = "android", target_os = "freebsd"));

fn isar0() -> u64 {
    let value;
    // SAFETY: `READABLE`, and reading changes nothing.
    unsafe { asm!("mrs {}, id_aa64isar0_el1", out(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}

fn isar1() -> u64 {
    let value;
    // SAFETY: `READABLE`, and reading changes nothing.
    unsafe { asm!("mrs {}, id_aa64isar1_el1", out(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}

/// The four bits from `bit` on.
fn field(register: u64, bit: u32) -> u64 {
    register >> bit & 15
}

//! Which processor this is, which core of it, and its time.
#![allow(unsafe_code)]

use core::arch::asm;

macro_rules! register {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reads a register that every processor has and that level 1 may read; nothing changes.
        unsafe { asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) };
        value
    }};
}

/// The processors that have a name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Cortex-A53.
    A53,
    /// Cortex-A57.
    A57,
    /// Cortex-A72.
    A72,
    /// Cortex-A76.
    A76,
    /// Neoverse-N1.
    N1,
    /// Any other one.
    Other,
}

/// The processor, from its identification register.
pub fn part() -> Part {
    let id = register!("midr_el1");
    // Bits 31 to 24 name the implementer, 0x41 being Arm; bits 15 to 4 the part.
    match ((id >> 24) & 0xff, (id >> 4) & 0xfff) {
        (0x41, 0xd03) => Part::A53,
        (0x41, 0xd07) => Part::A57,
        (0x41, 0xd08) => Part::A72,
        (0x41, 0xd0b) => Part::A76,
        (0x41, 0xd0c) => Part::N1,
        _ => Part::Other,
    }
}

/// The number of this core, from 0. Where the lowest level of the affinity counts threads (bit 24), the next one counts
/// cores.
pub fn core() -> usize {
    let affinity = register!("mpidr_el1");
    let core = if affinity >> 24 & 1 == 1 { affinity >> 8 } else { affinity };
    (core & 0xff) as usize
}

/// The affinity of another core of the same cluster, as PSCI wants it.
pub(crate) fn affinity_of(core: usize) -> u64 {
    let affinity = register!("mpidr_el1");
    let level = if affinity >> 24 & 1 == 1 { 8 } else { 0 };
    // Four fields of a byte; the rest are flags.
    affinity & 0xff_00ff_ffff & !(0xff << level) & !(1 << 24) | (core as u64) << level
}

/// Microseconds since some fixed moment.
pub fn microseconds() -> u64 {
    let (ticks, a_second) = (register!("cntvct_el0"), register!("cntfrq_el0").max(1));
    ticks / a_second * 1_000_000 + ticks % a_second * 1_000_000 / a_second
}

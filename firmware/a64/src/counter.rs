//! The cycle counter of each core.
//!
//! In QEMU with `-icount shift=0` it advances by exactly one for each instruction, of all cores together: they share one
//! clock there. Without that option it follows the host's clock and means nothing. On hardware it counts cycles, and each
//! core has its own.
#![allow(unsafe_code)]

use core::arch::asm;

/// Starts the counter of this core at 0.
pub fn start() {
    let all_levels = 0u64;
    let cycle_counter = 1u64 << 31;
    // PMCR_EL0: enable, reset the cycle counter, 64 bits wide.
    let control = 1u64 | (1 << 2) | (1 << 6);
    // SAFETY: these registers belong to the performance monitors alone, and level 1 may write them.
    unsafe {
        asm!(
            "msr pmccfiltr_el0, {filter}",
            "msr pmcntenset_el0, {which}",
            "msr pmcr_el0, {control}",
            "isb",
            filter = in(reg) all_levels,
            which = in(reg) cycle_counter,
            control = in(reg) control,
            options(nomem, nostack),
        );
    }
}

/// What this core's counter says.
pub fn count() -> u64 {
    let count;
    // SAFETY: reads a counter. No `nomem`: work on memory must not move across the reading.
    unsafe { asm!("isb", "mrs {}, pmccntr_el0", out(reg) count, options(nostack)) };
    count
}

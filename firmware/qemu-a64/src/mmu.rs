//! Address translation: every address stays what it is, RAM becomes cacheable normal memory.
//!
//! Without the MMU all memory is device memory: slow on hardware, and an unaligned access is a fault. Three levels of
//! tables are not needed: two entries of 1 GiB each cover the devices (0 to 1 GiB) and the RAM (1 to 2 GiB).
#![allow(unsafe_code)]

use core::arch::asm;

#[repr(C, align(4096))]
struct Table([u64; 512]);

/// Descriptor bits (Arm Architecture Reference Manual, D8.3): a valid block, accessed, inner shareable.
const BLOCK: u64 = 1;
const ACCESSED: u64 = 1 << 10;
const SHAREABLE: u64 = 3 << 8;
/// Index 1 of MAIR: device memory; index 0 is normal memory.
const DEVICE: u64 = 1 << 2;
const NEVER_EXECUTE: u64 = (1 << 54) | (1 << 53);

const GIB: u64 = 1 << 30;

static TABLE: Table = {
    let mut entries = [0; 512];
    entries[0] = BLOCK | ACCESSED | DEVICE | NEVER_EXECUTE;
    entries[1] = GIB | BLOCK | ACCESSED | SHAREABLE;
    Table(entries)
};

/// MAIR_EL1: index 0 normal memory, write-back; index 1 device memory, nGnRE.
const ATTRIBUTES: u64 = 0x04ff;
/// TCR_EL1: 39-bit addresses from TTBR0 (T0SZ 25, so the table above is the first level), 4 KiB granule, cacheable
/// inner-shareable walks, no walks through TTBR1, 40-bit physical addresses.
const CONTROL: u64 = 25 | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23) | (2 << 32);
/// SCTLR_EL1: MMU, data cache, instruction cache.
const ENABLE: u64 = 1 | (1 << 2) | (1 << 12);

/// Switches the MMU and the caches on.
pub(crate) fn enable() {
    // SAFETY: runs at level 1 with the MMU off. The table maps every address that the program uses to itself, so
    // nothing moves when translation starts; the barriers order the table's contents before its first use.
    unsafe {
        asm!(
            "msr mair_el1, {attributes}",
            "msr tcr_el1, {control}",
            "msr ttbr0_el1, {table}",
            "dsb ish",
            "tlbi vmalle1",
            "ic iallu",
            "dsb ish",
            "isb",
            "mrs {system}, sctlr_el1",
            "orr {system}, {system}, {enable}",
            "msr sctlr_el1, {system}",
            "isb",
            attributes = in(reg) ATTRIBUTES,
            control = in(reg) CONTROL,
            table = in(reg) (&raw const TABLE).addr(),
            enable = in(reg) ENABLE,
            system = out(reg) _,
            options(nostack),
        );
    }
}

//! Address translation: every address stays what it is; memory becomes cacheable, devices stay devices.
//!
//! Without the MMU all memory is device memory: slow on hardware, an unaligned access is a fault, and the instructions
//! that cores agree by do not work. One table covers 512 GiB in steps of 1 GiB; a second one divides one of these into
//! steps of 2 MiB, so that a model can be read-only and only the program executable.
#![allow(unsafe_code)]

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// Descriptor bits (Arm Architecture Reference Manual, D8.3).
const BLOCK: u64 = 1;
const TABLE: u64 = 3;
const ACCESSED: u64 = 1 << 10;
const INNER_SHAREABLE: u64 = 3 << 8;
const READ_ONLY: u64 = 1 << 7;
/// Index 1 of MAIR: device memory; index 0 is normal memory.
const DEVICE: u64 = 1 << 2;
const NEVER_EXECUTE: u64 = (1 << 54) | (1 << 53);

const GIB: u64 = 1 << 30;
const STEP: u64 = 2 << 20;

/// What a range of addresses is.
#[derive(Clone, Copy)]
pub enum Kind {
    /// The program: read, written and executed.
    Program,
    /// Memory that is only read, such as a model.
    Constant,
    /// Memory that is read and written.
    Data,
    /// Registers of devices.
    Device,
}

impl Kind {
    const fn bits(self) -> u64 {
        BLOCK
            | ACCESSED
            | match self {
                Self::Program => INNER_SHAREABLE,
                Self::Constant => INNER_SHAREABLE | READ_ONLY | NEVER_EXECUTE,
                Self::Data => INNER_SHAREABLE | NEVER_EXECUTE,
                Self::Device => DEVICE | NEVER_EXECUTE,
            }
    }
}

/// The tables of a machine. What is not in them is a fault to touch.
#[repr(C, align(4096))]
pub struct Tables {
    coarse: [AtomicU64; 512],
    fine: [AtomicU64; 512],
    /// The step of 1 GiB that `fine` divides.
    divided: usize,
}

impl Tables {
    /// Empty, with this step of 1 GiB divided.
    pub const fn new(divided: usize) -> Self {
        Self { coarse: [const { AtomicU64::new(0) }; 512], fine: [const { AtomicU64::new(0) }; 512], divided }
    }

    /// Also this range of addresses: of multiples of 2 MiB in the divided GiB, of 1 GiB elsewhere.
    ///
    /// # Panics
    /// (When it is computed, at compile time.) If the range is not made of such steps.
    pub const fn with(mut self, from: u64, to: u64, kind: Kind) -> Self {
        let mut address = from;
        while address < to {
            let gib = (address / GIB) as usize;
            let (step, slot) = if gib == self.divided {
                (STEP, &mut self.fine[(address % GIB / STEP) as usize])
            } else {
                (GIB, &mut self.coarse[gib])
            };
            assert!(address.is_multiple_of(step) && to - address >= step, "a range is made of whole steps");
            *slot = AtomicU64::new(address | kind.bits());
            address += step;
        }
        self
    }
}

/// MAIR_EL1: index 0 normal memory, write-back; index 1 device memory, nGnRE.
const ATTRIBUTES: u64 = 0x04ff;
/// TCR_EL1: 39-bit addresses from TTBR0 (T0SZ 25, so the coarse table is the first level), 4 KiB granule, cacheable
/// inner-shareable walks, no walks through TTBR1, 40-bit physical addresses.
const CONTROL: u64 = 25 | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23) | (2 << 32);
/// SCTLR_EL1: MMU, data cache, instruction cache.
const ENABLE: u64 = 1 | (1 << 2) | (1 << 12);

/// Switches the MMU and the caches of this core on. Every core does, with the same tables.
pub fn enable(tables: &'static Tables) {
    // The one entry that is an address of the program itself. Each core writes the same.
    let link = &tables.coarse[tables.divided];
    link.store((&raw const tables.fine).addr() as u64 | TABLE, Ordering::Relaxed);
    // SAFETY: runs at level 1. A machine's tables map the program, its stacks and its devices to their own addresses, so
    // nothing moves when translation starts. The link was written past the caches if this is the first core: a line that
    // earlier software left there is cleaned and dropped first. The barriers order the tables before their first use.
    unsafe {
        asm!(
            "dsb sy",
            "dc ivac, {link}",
            "msr mair_el1, {attributes}",
            "msr tcr_el1, {control}",
            "msr ttbr0_el1, {table}",
            "dsb sy",
            "tlbi vmalle1",
            "ic iallu",
            "dsb sy",
            "isb",
            "mrs {system}, sctlr_el1",
            "orr {system}, {system}, {enable}",
            "msr sctlr_el1, {system}",
            "isb",
            link = in(reg) link.as_ptr(),
            attributes = in(reg) ATTRIBUTES,
            control = in(reg) CONTROL,
            table = in(reg) tables.coarse.as_ptr(),
            enable = in(reg) ENABLE,
            system = out(reg) _,
            options(nostack),
        );
    }
}

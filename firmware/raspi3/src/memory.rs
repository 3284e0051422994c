//! The address space of the emulated Raspberry Pi 3, and what the emulator puts there.
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x0000_00d8 | 32 | where the other cores look for the address to begin at |
//! | 0x0008_0000 | 31 MiB | the program, its data and the stacks of its cores (raspi3.ld) |
//! | 0x0400_0000 | 304 MiB | the model, loaded by the emulator, read-only |
//! | 0x1700_0000 | 16 MiB | the check file, loaded by the emulator, read-only |
//! | 0x1800_0000 | 48 MiB | the arena |
//! | 0x3f20_1000 | | the serial port |
//!
//! The arena is no longer than on the smallest of the boards, which has 448 MiB for programs.
#![allow(unsafe_code)]

use distil_a64::mmu::{Kind, Tables};
use distil_a64::pl011::Pl011;
use distil_a64::regions::{Memory, Range, Regions};

const REGIONS: Regions = Regions {
    model: Range { start: 0x0400_0000, len: 304 << 20 },
    check: Some(Range { start: 0x1700_0000, len: 16 << 20 }),
    arena: Range { start: 0x1800_0000, len: 48 << 20 },
};

/// Where the other cores look.
pub(crate) const SPIN_TABLE: usize = 0xd8;

/// The serial port, which QEMU has ready without any setting up.
// SAFETY: `raspi3b` has a PL011 at this address, in the device memory of the tables below; nothing else drives it.
pub(crate) const SERIAL: Pl011 = unsafe { Pl011::at(0x3f20_1000) };

/// Address translation: the first GiB, memory below and devices above.
pub(crate) static TABLES: Tables = Tables::new(0)
    .with(0, 0x0200_0000, Kind::Program)
    .with(0x0400_0000, 0x1800_0000, Kind::Constant)
    .with(0x1800_0000, 0x1b00_0000, Kind::Data)
    .with(0x3f00_0000, 0x4000_0000, Kind::Device);

/// The regions, on the first call only.
pub(crate) fn take() -> Option<Memory> {
    // SAFETY: `raspi3b` has RAM at these addresses, all outside the linker's memory (raspi3.ld), and the emulator has written
    // model and check file before the first instruction.
    unsafe { REGIONS.take() }
}

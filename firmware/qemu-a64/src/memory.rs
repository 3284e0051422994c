//! The address space of `virt`, and what the emulator puts there.
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x0900_0000 | | the serial port |
//! | 0x4000_0000 | 128 MiB | the program, its data and the stacks of its cores (virt.ld) |
//! | 0x4800_0000 | 640 MiB | the model, loaded by the emulator, read-only |
//! | 0x7000_0000 | 16 MiB | the check file, loaded by the emulator, read-only |
//! | 0x7100_0000 | 240 MiB | the arena |
#![allow(unsafe_code)]

use distil_a64::mmu::{Kind, Tables};
use distil_a64::pl011::Pl011;
use distil_a64::regions::{Memory, Range, Regions};

const REGIONS: Regions = Regions {
    model: Range { start: 0x4800_0000, len: 640 << 20 },
    check: Some(Range { start: 0x7000_0000, len: 16 << 20 }),
    arena: Range { start: 0x7100_0000, len: 240 << 20 },
};

/// The serial port, which QEMU has ready without any setting up.
// SAFETY: `virt` has a PL011 at this address, in the device memory of the tables below; nothing else drives it.
pub(crate) const SERIAL: Pl011 = unsafe { Pl011::at(0x0900_0000) };

/// Address translation: devices in the first GiB, memory in the second.
pub(crate) static TABLES: Tables = Tables::new(1)
    .with(0, 0x4000_0000, Kind::Device)
    .with(0x4000_0000, 0x4800_0000, Kind::Program)
    .with(0x4800_0000, 0x7100_0000, Kind::Constant)
    .with(0x7100_0000, 0x8000_0000, Kind::Data);

/// The regions, on the first call only.
pub(crate) fn take() -> Option<Memory> {
    // SAFETY: the emulator is started with RAM at these addresses, all outside the linker's memory (virt.ld), and has
    // written model and check file before the first instruction.
    unsafe { REGIONS.take() }
}

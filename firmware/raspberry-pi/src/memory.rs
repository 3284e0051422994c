//! The address space of the boards, and what their firmware puts there (config.txt).
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x0000_00d8 | 32 | where the other cores look for the address to begin at; not on the Pi 5 |
//! | 0x0008_0000 | 31 MiB | the program, its data and the stacks of its cores (pi.ld) |
//! | 0x0400_0000 | 320 MiB | the model and behind it the check file, read-only |
//! | 0x1800_0000 | 48 MiB | the arena |
//!
//! All of it lies in the 448 MiB that the smallest board, the Zero 2 W, leaves to programs. Devices: from 0x3f00_0000 (Zero 2 W,
//! 3), 0xfe00_0000 (4), 0x10_7c00_0000 (5).
#![allow(unsafe_code)]

use distil_a64::mmu::{Kind, Tables};
use distil_a64::regions::{Memory, Range, Regions};
use distil_harness::{Artifact, OpenError};

const REGIONS: Regions = Regions {
    model: Range { start: 0x0400_0000, len: 320 << 20 },
    check: None,
    arena: Range { start: 0x1800_0000, len: 48 << 20 },
};

/// The check file begins at the next multiple of this after the model.
const CHECK_STEP: usize = 4096;

/// Where the other cores look.
pub(crate) const SPIN_TABLE: usize = 0xd8;

const GIB: u64 = 1 << 30;

/// Address translation for all boards: what one of them does not have is never touched. Memory beyond the arena is not used.
pub(crate) static TABLES: Tables = Tables::new(0)
    .with(0, 0x0200_0000, Kind::Program)
    .with(0x0400_0000, 0x1800_0000, Kind::Constant)
    .with(0x1800_0000, 0x1b00_0000, Kind::Data)
    .with(0x3f00_0000, GIB, Kind::Device)
    .with(3 * GIB, 4 * GIB, Kind::Device)
    .with(65 * GIB, 66 * GIB, Kind::Device);

/// The regions, on the first call only.
pub(crate) fn take() -> Option<Memory> {
    // SAFETY: every board has RAM at these addresses, all outside the linker's memory (pi.ld); its firmware has written the
    // model and the check file before it started the program, and nothing writes them afterwards.
    let mut memory = unsafe { REGIONS.take() }?;
    if let Err(OpenError::Length { declared, .. }) = Artifact::open(memory.model) {
        let end = usize::try_from(declared).unwrap_or(usize::MAX).checked_next_multiple_of(CHECK_STEP);
        memory.check = end.and_then(|end| memory.model.get(end..)).unwrap_or_default();
    }
    Some(memory)
}

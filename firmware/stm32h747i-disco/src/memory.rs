//! The memories of the board beyond the program's.
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x2400_0000 | 512 KiB | AXI SRAM: the arena |
//! | 0x9000_0000 | 112 MiB | quad flash, read in place: the model |
//! | 0x9700_0000 | 16 MiB | quad flash, read in place: the check file |

use distil_cortex_m::memory::{self, Map, Memory};

const MAP: Map = Map {
    board: "STM32H747I-DISCO, Cortex-M7",
    model: (0x9000_0000, 112 << 20),
    check: (0x9700_0000, 16 << 20),
    ram: [("AXI SRAM", (0x2400_0000, 512 << 10)), ("no second memory", (0x2408_0000, 0))],
};

/// The regions, on the first call only.
///
/// # Safety
/// The flash is mapped.
#[allow(unsafe_code)]
pub(crate) unsafe fn take() -> Option<Memory> {
    // SAFETY: the caller mapped the flash, the SRAM is on from reset; they do not overlap and are not in memory.x;
    // nothing in this program writes the flash.
    unsafe { memory::take(&MAP) }
}

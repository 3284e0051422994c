//! The memories of the board beyond the program's.
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x3406_4000 | 1136 KiB | AXISRAM1 and the lower half of AXISRAM2: the arena |
//! | 0x7000_0000 | 112 MiB | octo flash, read in place: the model |
//! | 0x7700_0000 | 16 MiB | octo flash, read in place: the check file |

use distil_cortex_m::memory::{self, Map, Memory};

const MAP: Map = Map {
    board: "STM32N6570-DK, Cortex-M55",
    model: (0x7000_0000, 112 << 20),
    check: (0x7700_0000, 16 << 20),
    ram: [("AXISRAM", (0x3406_4000, 1136 << 10)), ("no second memory", (0x3418_0000, 0))],
};

/// The regions, on the first call only.
///
/// # Safety
/// The flash is mapped, and AXISRAM1 is on.
#[allow(unsafe_code)]
pub(crate) unsafe fn take() -> Option<Memory> {
    // SAFETY: the caller switched these memories on; they do not overlap and are not in memory.x; nothing in this
    // program writes the flash.
    unsafe { memory::take(&MAP) }
}

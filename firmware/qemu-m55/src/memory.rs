//! The memories of mps3-an547 beyond the tightly coupled ones, and what the emulator puts there.
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x2100_0000 | 4 MiB | SRAM: the arena, if it fits |
//! | 0x6000_0000 | 256 MiB | DDR: the model, loaded by the emulator |
//! | 0x7000_0000 | 16 MiB | DDR: the check file, loaded by the emulator |
//! | 0x7100_0000 | 240 MiB | DDR: the arena, if it is larger than the SRAM |

use distil_cortex_m::memory::{self, Map, Memory};

const MAP: Map = Map {
    board: "mps3-an547, Cortex-M55",
    model: (0x6000_0000, 256 << 20),
    check: (0x7000_0000, 16 << 20),
    ram: [("SRAM", (0x2100_0000, 4 << 20)), ("DDR", (0x7100_0000, 240 << 20))],
};

/// The regions, on the first call only.
#[allow(unsafe_code)]
pub(crate) fn take() -> Option<Memory> {
    // SAFETY: the machine has RAM at these addresses; they do not overlap and are not in memory.x; the emulator wrote
    // model and check file before the first instruction, nothing writes them afterwards.
    unsafe { memory::take(&MAP) }
}

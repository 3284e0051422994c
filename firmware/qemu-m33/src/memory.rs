//! The memories of mps2-an505 that this machine uses: as much as a small microcontroller has, not what the emulator has.
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x3800_0000 | 96 KiB | SRAM: the arena |
//! | 0x5008_1000 | 4 KiB | the registers of the processor's watchdog |
//! | 0x8000_0000 | 1 MiB | PSRAM in place of flash: the model, loaded by the emulator |
//! | 0x8010_0000 | 64 KiB | PSRAM: the check file, loaded by the emulator |

use distil_cortex_m::Watchdog;
use distil_cortex_m::memory::{self, Map, Memory};

const MAP: Map = Map {
    board: "mps2-an505, Cortex-M33, 128 KiB of RAM",
    model: (0x8000_0000, 1 << 20),
    check: (0x8010_0000, 64 << 10),
    ram: [("SRAM", (0x3800_0000, 96 << 10)), ("no second memory", (0x3801_8000, 0))],
};

/// The regions, on the first call only.
#[allow(unsafe_code)]
pub(crate) fn take() -> Option<Memory> {
    // SAFETY: the machine has RAM at these addresses; they do not overlap and are not in memory.x; the emulator wrote
    // model and check file before the first instruction, nothing writes them afterwards.
    unsafe { memory::take(&MAP) }
}

/// Ticks of the watchdog's 20 MHz: 0.4 seconds, which the emulator counts as 400 million instructions. A layer of the largest
/// model that there is room for takes less.
const PATIENCE: u32 = 8_000_000;

/// The watchdog.
#[allow(unsafe_code)]
pub(crate) fn watchdog() -> Watchdog {
    // SAFETY: the machine has its watchdog for secure programs there, which this is; `main` asks for it once.
    unsafe { Watchdog::new(0x5008_1000, PATIENCE) }
}

//! The memories beyond those of the linker, and what the emulator puts there.
//!
//! | machine | address | length | what |
//! |---|---|---|---|
//! | mps2-an500 | 0x2008_0000 | 3.5 MiB | SRAM: the arena |
//! | | 0x6000_0000 | 12 MiB | PSRAM: the model, loaded by the emulator |
//! | | 0x60c0_0000 | 4 MiB | PSRAM: the check file, loaded by the emulator |
//! | mps3-an547 | 0x2100_0000 | 4 MiB | SRAM: the arena, if it fits |
//! | | 0x6000_0000 | 256 MiB | DDR: the model |
//! | | 0x7000_0000 | 16 MiB | DDR: the check file |
//! | | 0x7100_0000 | 240 MiB | DDR: the arena, if it is larger than the SRAM |

use cortex_m::peripheral::CPUID;
use distil_cortex_m::memory::{self, Map, Memory};

const AN500: Map = Map {
    board: "mps2-an500, Cortex-M7",
    model: (0x6000_0000, 12 << 20),
    check: (0x60c0_0000, 4 << 20),
    ram: [("SRAM", (0x2008_0000, 7 << 19)), ("no DDR", (0x2040_0000, 0))],
};
const AN547: Map = Map {
    board: "mps3-an547, code for Cortex-M7",
    model: (0x6000_0000, 256 << 20),
    check: (0x7000_0000, 16 << 20),
    ram: [("SRAM", (0x2100_0000, 4 << 20)), ("DDR", (0x7100_0000, 240 << 20))],
};

/// The machine, told by its processor.
#[allow(unsafe_code)]
fn map() -> Map {
    // SAFETY: CPUID::PTR is where the architecture puts this register, and reading it changes nothing.
    let processor = unsafe { (*CPUID::PTR).base.read() };
    // Bits 4 to 15 are the part number; that of a Cortex-M7 is 0xc27.
    if (processor >> 4) & 0xfff == 0xc27 { AN500 } else { AN547 }
}

/// The regions, on the first call only.
#[allow(unsafe_code)]
pub(crate) fn take() -> Option<Memory> {
    // SAFETY: the machine that was told apart has RAM at these addresses; they do not overlap and are not in memory.x;
    // the emulator wrote model and check file before the first instruction, nothing writes them afterwards.
    unsafe { memory::take(&map()) }
}

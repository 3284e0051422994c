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

use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::peripheral::CPUID;

/// The regions of a machine: where each begins, and its length.
struct Map {
    board: &'static str,
    sram: (usize, usize),
    ddr: (usize, usize),
    model: (usize, usize),
    check: (usize, usize),
}

const AN500: Map = Map {
    board: "mps2-an500, Cortex-M7",
    sram: (0x2008_0000, 7 << 19),
    ddr: (0x20400000, 0),
    model: (0x6000_0000, 12 << 20),
    check: (0x60c0_0000, 4 << 20),
};
const AN547: Map = Map {
    board: "mps3-an547, code for Cortex-M7",
    sram: (0x2100_0000, 4 << 20),
    ddr: (0x7100_0000, 240 << 20),
    model: (0x6000_0000, 256 << 20),
    check: (0x7000_0000, 16 << 20),
};

/// The regions, each handed out once.
pub(crate) struct Memory {
    pub(crate) board: &'static str,
    pub(crate) model: &'static [u8],
    pub(crate) check: &'static [u8],
    pub(crate) sram: &'static mut [u8],
    pub(crate) ddr: &'static mut [u8],
    /// Vectors, code and constants.
    pub(crate) code_bytes: usize,
}

#[allow(unsafe_code)]
// SAFETY: cortex-m-rt's linker script defines these symbols; only their addresses are used.
unsafe extern "C" {
    static __vector_table: u8;
    static __erodata: u8;
}

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
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // Runs once, in the only thread, so a plain load and store is enough.
    if TAKEN.load(Ordering::Relaxed) {
        return None;
    }
    TAKEN.store(true, Ordering::Relaxed);
    let code_bytes = (&raw const __erodata).addr() - (&raw const __vector_table).addr();
    let map = map();
    // SAFETY: the machine has RAM at these addresses; they lie outside the linker's memories (memory.x), so no variable
    // and no stack is there; they do not overlap; the flag above lets each be handed out only once; and the emulator
    // wrote the model and the check file before the first instruction, nothing writes them afterwards.
    unsafe {
        Some(Memory {
            board: map.board,
            model: slice::from_raw_parts(ptr::with_exposed_provenance(map.model.0), map.model.1),
            check: slice::from_raw_parts(ptr::with_exposed_provenance(map.check.0), map.check.1),
            sram: slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(map.sram.0), map.sram.1),
            ddr: slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(map.ddr.0), map.ddr.1),
            code_bytes,
        })
    }
}

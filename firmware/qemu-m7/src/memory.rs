//! The memories of mps3-an547 beyond the tightly coupled ones, and what the emulator puts there.
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x2100_0000 | 4 MiB | SRAM: the arena, if it fits |
//! | 0x6000_0000 | 256 MiB | DDR: the model, loaded by the emulator |
//! | 0x7000_0000 | 16 MiB | DDR: the check file, loaded by the emulator |
//! | 0x7100_0000 | 240 MiB | DDR: the arena, if it is larger than the SRAM |

use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};

const SRAM: (usize, usize) = (0x2100_0000, 4 << 20);
const MODEL: (usize, usize) = (0x6000_0000, 256 << 20);
const CHECK: (usize, usize) = (0x7000_0000, 16 << 20);
const DDR: (usize, usize) = (0x7100_0000, 240 << 20);

/// The regions, each handed out once.
pub(crate) struct Memory {
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
    // SAFETY: the machine has RAM at these addresses; they lie outside the linker's memories (memory.x), so no variable
    // and no stack is there; they do not overlap; the flag above lets each be handed out only once; and the emulator
    // wrote the first two before the first instruction, nothing writes them afterwards.
    unsafe {
        Some(Memory {
            model: slice::from_raw_parts(ptr::with_exposed_provenance(MODEL.0), MODEL.1),
            check: slice::from_raw_parts(ptr::with_exposed_provenance(CHECK.0), CHECK.1),
            sram: slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(SRAM.0), SRAM.1),
            ddr: slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(DDR.0), DDR.1),
            code_bytes,
        })
    }
}

//! The RAM of `virt` beyond the program, and what the emulator puts there.
//!
//! | address | length | what |
//! |---|---|---|
//! | 0x4800_0000 | 640 MiB | the model, loaded by the emulator |
//! | 0x7000_0000 | 16 MiB | the check file, loaded by the emulator |
//! | 0x7100_0000 | 240 MiB | the arena |
#![allow(unsafe_code)]

use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};

const MODEL: (usize, usize) = (0x4800_0000, 640 << 20);
const CHECK: (usize, usize) = (0x7000_0000, 16 << 20);
const ARENA: (usize, usize) = (0x7100_0000, 240 << 20);

/// The regions.
pub(crate) struct Memory {
    pub(crate) model: &'static [u8],
    pub(crate) check: &'static [u8],
    pub(crate) arena: &'static mut [u8],
    /// Code and constants.
    pub(crate) code_bytes: usize,
}

// SAFETY: the linker script defines these symbols; only their addresses are used.
unsafe extern "C" {
    static __image_start: u8;
    static __rodata_end: u8;
}

/// The regions, on the first call only.
pub(crate) fn take() -> Option<Memory> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // Runs once, in the only thread, so a plain load and store is enough.
    if TAKEN.load(Ordering::Relaxed) {
        return None;
    }
    TAKEN.store(true, Ordering::Relaxed);
    let code_bytes = (&raw const __rodata_end).addr() - (&raw const __image_start).addr();
    // SAFETY: the emulator is started with RAM at these addresses; they lie outside the linker's memory (virt.ld), so no
    // variable and no stack is there; they do not overlap; the flag above lets each be handed out only once; and the
    // emulator wrote the first two before the first instruction, nothing writes them afterwards.
    unsafe {
        Some(Memory {
            model: slice::from_raw_parts(ptr::with_exposed_provenance(MODEL.0), MODEL.1),
            check: slice::from_raw_parts(ptr::with_exposed_provenance(CHECK.0), CHECK.1),
            arena: slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(ARENA.0), ARENA.1),
            code_bytes,
        })
    }
}

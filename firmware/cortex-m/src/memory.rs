//! The memories of a machine beyond those of the linker.

use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};

use distil_harness::Ram;

/// Where a region begins, and its length.
pub type Region = (usize, usize);

/// The regions of a machine.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// The machine and its processor.
    pub board: &'static str,
    /// The model: written before the program starts, never by it.
    pub model: Region,
    /// The check file, likewise. Length 0 where there is none.
    pub check: Region,
    /// RAM for the arena with its names, the best place first.
    pub ram: [(&'static str, Region); 2],
}

/// The regions, each handed out once.
#[derive(Debug)]
pub struct Memory {
    /// The machine and its processor.
    pub board: &'static str,
    /// The model's region.
    pub model: &'static [u8],
    /// The check file's region.
    pub check: &'static [u8],
    /// RAM for the arena.
    pub ram: [Ram<'static>; 2],
    /// Bytes of vectors, code and constants.
    pub code_bytes: usize,
}

#[allow(unsafe_code)]
// SAFETY: cortex-m-rt's linker script defines these symbols; only their addresses are used.
unsafe extern "C" {
    static __vector_table: u8;
    static __erodata: u8;
}

/// The regions as memory, on the first call only.
///
/// # Safety
/// - The machine has memory at all regions: RAM at those for the arena; they do not overlap.
/// - They lie outside the linker's memories (memory.x), so no variable and no stack is there.
/// - Nothing writes the model or the check file while the program runs.
#[allow(unsafe_code)]
pub unsafe fn take(map: &Map) -> Option<Memory> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // Runs once, in the only thread, so a plain load and store is enough.
    if TAKEN.load(Ordering::Relaxed) {
        return None;
    }
    TAKEN.store(true, Ordering::Relaxed);
    let code_bytes = (&raw const __erodata).addr() - (&raw const __vector_table).addr();
    // SAFETY: the caller vouches for the region; the flag above lets it be handed out only once.
    let read = |(at, len): Region| unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(at), len) };
    let ram = map.ram.map(|(name, (at, len))| {
        // SAFETY: as above, and as the regions do not overlap nothing else refers to it.
        let bytes = unsafe { slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(at), len) };
        Ram { name, bytes }
    });
    Some(Memory { board: map.board, model: read(map.model), check: read(map.check), ram, code_bytes })
}

//! Parts of memory that are not the linker's.
#![allow(unsafe_code)]

use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};

/// A range of addresses.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Its first address.
    pub start: usize,
    /// Its length in bytes.
    pub len: usize,
}

/// Where a machine has what the program works on.
#[derive(Clone, Copy, Debug)]
pub struct Regions {
    /// The model; a check file may follow it.
    pub model: Range,
    /// The check file, if it has a place of its own.
    pub check: Option<Range>,
    /// The arena.
    pub arena: Range,
}

/// The same as slices.
#[derive(Debug)]
pub struct Memory {
    /// The region where the model lies.
    pub model: &'static [u8],
    /// The region where the check file lies.
    pub check: &'static [u8],
    /// Memory for the arena.
    pub arena: &'static mut [u8],
    /// Bytes of code and constants.
    pub code_bytes: usize,
}

// SAFETY: the linker script defines these symbols; only their addresses are used.
unsafe extern "C" {
    static __image_start: u8;
    static __rodata_end: u8;
}

impl Regions {
    /// The regions as slices, on the first call only.
    ///
    /// # Safety
    /// There is memory at these addresses, mapped by the machine's tables; they do not overlap each other nor the linker's
    /// memory; what is in the first two was written before the first instruction, and nothing writes them afterwards.
    pub unsafe fn take(&self) -> Option<Memory> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the caller's promise, and the flag above hands each out only once.
        let constant =
            |range: Range| unsafe { slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(range.start), range.len) };
        // SAFETY: as above; nothing else has this range.
        let arena = unsafe {
            slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut::<u8>(self.arena.start), self.arena.len)
        };
        let code_bytes = (&raw const __rodata_end).addr() - (&raw const __image_start).addr();
        let check = self.check.map_or(&[][..], constant);
        Some(Memory { model: constant(self.model), check, arena, code_bytes })
    }
}

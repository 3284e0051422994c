//! How much of the first core's stack was ever in use: `boot.s` paints all of it with one word. The other cores' parts of
//! a text need less than the first one's.
#![allow(unsafe_code)]

use core::ptr;

/// What `boot.s` writes.
const PAINT: u64 = 0xcccc_cccc_cccc_cccc;

// SAFETY: the linker script defines these symbols; only their addresses are used.
unsafe extern "C" {
    static __stack_bytes: u8;
    static __stack_top: u8;
}

/// Most bytes that were in use at any time, and how many there are.
pub(crate) fn used() -> (usize, usize) {
    let (top, bytes) = ((&raw const __stack_top).addr(), (&raw const __stack_bytes).addr());
    let low = top - bytes;
    let untouched = (low..top).step_by(8).take_while(|&at| {
        // SAFETY: an aligned word of the first core's stack; it is read as a number, whatever it holds. Volatile, because
        // the compiler knows nothing of what was written there.
        unsafe { ptr::with_exposed_provenance::<u64>(at).read_volatile() == PAINT }
    });
    (bytes - 8 * untouched.count(), bytes)
}

//! How much of the stack was ever in use.
//!
//! The start-up code of cortex-m-rt paints all of it with one word before `main`; what lies above the lowest word that
//! has changed was in use.

use core::ptr;

/// What `paint-stack` of cortex-m-rt writes.
const PAINT: u32 = 0xcccc_cccc;

#[allow(unsafe_code)]
// SAFETY: cortex-m-rt's linker script defines these symbols; only their addresses are used.
unsafe extern "C" {
    /// Behind the highest word of the stack, which grows down.
    static _stack_start: u32;
    /// Its lowest word.
    static _stack_end: u32;
}

/// Most bytes that were in use at any time, and how many there are.
#[allow(unsafe_code)]
pub fn used() -> (usize, usize) {
    let (low, top) = ((&raw const _stack_end).addr(), (&raw const _stack_start).addr());
    let words = (low.next_multiple_of(4)..top).step_by(4);
    let untouched = words.take_while(|&at| {
        // SAFETY: an aligned word between the linker's ends of the stack, which is RAM; it is read as a number, whatever
        // it holds. Volatile, because the compiler knows nothing of what was written there.
        unsafe { ptr::with_exposed_provenance::<u32>(at).read_volatile() == PAINT }
    });
    (top - low - 4 * untouched.count(), top - low)
}

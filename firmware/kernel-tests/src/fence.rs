//! Slices that end where memory does, so that a read or a write beyond them is a fault of the processor.
//!
//! There is one such place at each end of a memory, and many slices: a counter says whose turn it is, and a test is run
//! until every one of them has had it.
#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::hint::black_box;
use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cortex_m::peripheral::CPUID;
use distil_kernels::cast::Plain;

/// Bytes at each end of a memory that are kept for such slices.
const ROOM: usize = 1 << 20;

static TURN: AtomicUsize = AtomicUsize::new(0);
static ROUND: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicBool = AtomicBool::new(false);
static EXPECTED: AtomicBool = AtomicBool::new(false);

/// A memory with nothing before and nothing behind it. Its first and last megabyte are used by nobody else.
fn memory() -> (usize, usize) {
    // SAFETY: CPUID::PTR is where the architecture puts this register, and reading it changes nothing.
    let processor = unsafe { (*CPUID::PTR).base.read() };
    match (processor >> 4) & 0xfff {
        0xc27 => (0x6000_0000, 0x6100_0000),
        0xd21 => (0x8000_0000, 0x8100_0000),
        _ => (0x2100_0000, 0x2140_0000),
    }
}

/// A copy of a slice, at the end of memory (or at its start) when it is its turn and the place is free.
pub(crate) struct Fenced<T> {
    copy: Vec<T>,
    start: *mut T,
    len: usize,
}

impl<T: Plain> Fenced<T> {
    pub(crate) fn new(values: &[T], at_end: bool) -> Self {
        let (turn, round) = (TURN.fetch_add(1, Ordering::Relaxed), ROUND.load(Ordering::Relaxed));
        let mut fenced = Self { copy: values.to_vec(), start: ptr::null_mut(), len: values.len() };
        if turn % ROUNDS == round && !TAKEN.swap(true, Ordering::Relaxed) {
            let (first, last) = memory();
            assert!(size_of_val(values) <= ROOM && first.is_multiple_of(align_of::<T>()));
            let at = if at_end { last - size_of_val(values) } else { first };
            fenced.start = ptr::with_exposed_provenance_mut(at);
            // SAFETY: the machine has memory there (`memory`), which only this slice uses (`TAKEN`), and it is aligned
            // because both ends are and the size of a type is a multiple of its alignment.
            unsafe { fenced.start.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        }
        fenced
    }

    pub(crate) fn get(&self) -> &[T] {
        // SAFETY: initialized by `new`, and nobody else's until dropped.
        if self.start.is_null() { &self.copy } else { unsafe { slice::from_raw_parts(self.start, self.len) } }
    }

    pub(crate) fn get_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `get`, and borrowed mutably.
        if self.start.is_null() { &mut self.copy } else { unsafe { slice::from_raw_parts_mut(self.start, self.len) } }
    }
}

impl<T> Drop for Fenced<T> {
    fn drop(&mut self) {
        if !self.start.is_null() {
            TAKEN.store(false, Ordering::Relaxed);
        }
    }
}

/// A prime, so that a slice which another one keeps from the place in one shape gets it in the next.
const ROUNDS: usize = 37;

/// Runs a test until every slice has had its turn.
pub(crate) fn in_turns(test: fn()) {
    for round in 0..ROUNDS {
        TURN.store(0, Ordering::Relaxed);
        ROUND.store(round, Ordering::Relaxed);
        test();
    }
}

/// Whether a fault is what the program is waiting for.
pub(crate) fn expected() -> bool {
    EXPECTED.load(Ordering::Relaxed)
}

/// Reads one word behind the end of memory. Returns only if nothing stops it.
pub(crate) fn cross() {
    EXPECTED.store(true, Ordering::Relaxed);
    let (_, last) = memory();
    // SAFETY: none; the fault is the point.
    black_box(unsafe { ptr::with_exposed_provenance::<u32>(last).read_volatile() });
}

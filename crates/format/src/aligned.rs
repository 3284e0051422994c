//! Bytes at an address that [`Artifact::open`](crate::Artifact::open) accepts.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use crate::container::ALIGNMENT;

/// A copy of some bytes that starts at a multiple of 64, as a file in flash or a memory map does. For files that were read or written in memory.
#[derive(Debug)]
pub struct AlignedBytes {
    storage: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBytes {
    /// Copies `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.copy_from_slice(bytes);
        copy
    }

    /// `len` zero bytes, to be filled in place.
    pub fn zeroed(len: usize) -> Self {
        let storage = vec![0; len.saturating_add(ALIGNMENT)];
        // The storage never grows, so its address, and with it the start, stays.
        let start = storage.as_ptr().addr().wrapping_neg() % ALIGNMENT;
        Self { storage, start, len }
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

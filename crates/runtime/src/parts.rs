//! The two ways in which a layer is cut into parts for threads: by attention heads, and by rows.

use core::ops::Range;

use distil_kernels::cast::ALIGNMENT;

use crate::executor::Work;
use crate::plan::Plan;

/// Some attention heads, with scratch memory for some threads.
pub(crate) struct Heads<'w> {
    first: usize,
    /// An equal part for each head.
    memory: &'w mut [u8],
    len: usize,
    scratch: Scratch<'w>,
}

impl<'w> Heads<'w> {
    /// All `heads` heads.
    pub(crate) fn new(memory: &'w mut [u8], heads: usize, scratch: &'w mut [u8], threads: usize) -> Self {
        let len = memory.len() / heads;
        Self { first: 0, memory, len, scratch: Scratch::new(scratch, threads) }
    }

    /// Their numbers.
    pub(crate) fn range(&self) -> Range<usize> {
        self.first..self.first + self.pieces()
    }

    /// The memory of all of them, the length of the part of each, and scratch memory.
    pub(crate) fn into_memory(self) -> (&'w mut [u8], usize, &'w mut [u8]) {
        (self.memory, self.len, self.scratch.memory)
    }
}

impl Work for Heads<'_> {
    fn pieces(&self) -> usize {
        self.memory.len() / self.len
    }

    fn split(self, pieces: usize, threads: usize) -> (Self, Self) {
        let Self { first, memory, len, scratch } = self;
        let (left, right) = memory.split_at_mut(pieces * len);
        let (left_scratch, right_scratch) = scratch.split(threads);
        let left = Self { first, memory: left, len, scratch: left_scratch };
        (left, Self { first: first + pieces, memory: right, len, scratch: right_scratch })
    }
}

/// Some rows of hidden states, with scratch memory for some threads.
pub(crate) struct Blocks<'w> {
    x: &'w mut [f32],
    width: usize,
    plan: Plan,
    scratch: Scratch<'w>,
}

impl<'w> Blocks<'w> {
    /// All rows of `x`, `[rows][width]`.
    pub(crate) fn new(x: &'w mut [f32], width: usize, scratch: &'w mut [u8], plan: Plan) -> Self {
        Self { x, width, plan, scratch: Scratch::new(scratch, plan.threads()) }
    }

    /// The rows in blocks as the plan has them, and scratch memory for them all.
    pub(crate) fn into_parts(self) -> (impl Iterator<Item = &'w mut [f32]>, &'w mut [u8]) {
        let rows = self.plan.block_rows(self.x.len() / self.width);
        (self.x.chunks_mut(rows * self.width), self.scratch.memory)
    }
}

impl Work for Blocks<'_> {
    fn pieces(&self) -> usize {
        self.x.len() / self.width
    }

    fn split(self, pieces: usize, threads: usize) -> (Self, Self) {
        let Self { x, width, plan, scratch } = self;
        let (left, right) = x.split_at_mut(pieces * width);
        let (left_scratch, right_scratch) = scratch.split(threads);
        (Self { x: left, width, plan, scratch: left_scratch }, Self { x: right, width, plan, scratch: right_scratch })
    }
}

/// Scratch memory, an equal part for each thread.
struct Scratch<'w> {
    memory: &'w mut [u8],
    threads: usize,
}

impl<'w> Scratch<'w> {
    fn new(memory: &'w mut [u8], threads: usize) -> Self {
        // Parts begin where a piece of the arena may: none of them needs room to align itself.
        let skipped = memory.as_ptr().align_offset(ALIGNMENT).min(memory.len());
        Self { memory: &mut memory[skipped..], threads }
    }

    /// The part of the first threads, and the rest.
    fn split(self, threads: usize) -> (Self, Self) {
        let part = self.memory.len() / self.threads / ALIGNMENT * ALIGNMENT;
        let (left, right) = self.memory.split_at_mut(part * threads);
        (Self { memory: left, threads }, Self { memory: right, threads: self.threads - threads })
    }
}

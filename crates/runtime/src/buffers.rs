//! A session's buffers, carved out of the caller's arena as its plan says.

use core::ops::Range;

use distil_format::Artifact;
use distil_kernels::{RowScale, cast, quantized_stride};

use crate::linear::Rows;
use crate::plan::{Plan, Sizes};

/// The session's buffers; `n` = tokens the session was made for, `h` = hidden size.
pub(crate) struct Buffers<'m> {
    /// Token ids, `[n]`.
    pub(crate) ids: &'m mut [u32],
    /// Byte range of each token in its text, `[n]` each.
    pub(crate) starts: &'m mut [u32],
    pub(crate) ends: &'m mut [u32],
    /// Segment of each token, `[n]`.
    pub(crate) types: &'m mut [u8],
    /// What each token is to its word, one of the values in [`text`](crate::text), `[n]`; empty for heads that do not
    /// ask.
    pub(crate) words: &'m mut [u8],
    /// Hidden states, `[n][h]`.
    pub(crate) x: &'m mut [f32],
    /// One row for the head's input and one for its inner layer, `[h]` each.
    pub(crate) pooled: &'m mut [f32],
    pub(crate) inner: &'m mut [f32],
    /// One of them as int8.
    pub(crate) row: Quantized<'m>,
    /// Scores of labels (then their probabilities), of a chunk of the vocabulary, or of answers' ends, `[n][2]`.
    pub(crate) scores: &'m mut [f32],
    /// Keys and values, an equal part for each attention head.
    pub(crate) heads: &'m mut [u8],
    /// Scratch memory of a layer, for all threads.
    pub(crate) work: &'m mut [u8],
}

impl<'m> Buffers<'m> {
    /// Carves all buffers; `None` if the arena is shorter than [`arena_len`](crate::arena_len) says.
    pub(crate) fn new(artifact: &Artifact<'_>, n: usize, plan: Plan, arena: &'m mut [u8]) -> Option<Self> {
        let sizes = Sizes::new(artifact, n, plan);
        let h = artifact.config().hidden as usize;
        let (ids, rest) = cast::carve(arena, n)?;
        let (starts, rest) = cast::carve(rest, n)?;
        let (ends, rest) = cast::carve(rest, n)?;
        let (types, rest) = cast::carve(rest, n)?;
        let (words, rest) = cast::carve(rest, sizes.words as usize)?;
        let (x, rest) = cast::carve(rest, n * h)?;
        let (pooled, rest) = cast::carve(rest, h)?;
        let (inner, rest) = cast::carve(rest, h)?;
        let (values, rest) = cast::carve(rest, quantized_stride(h))?;
        let (scales, rest) = cast::carve(rest, 1)?;
        let row = Quantized { values, scales };
        let (scores, rest) = cast::carve(rest, sizes.scores as usize)?;
        let (heads, rest) = cast::carve(rest, sizes.all_heads() as usize)?;
        let (work, _) = cast::carve(rest, sizes.work() as usize)?;
        Some(Self { ids, starts, ends, types, words, x, pooled, inner, row, scores, heads, work })
    }
}

/// Rows of floats as int8, with room for them.
pub(crate) struct Quantized<'w> {
    /// `[rows][quantized_stride(width)]`.
    pub(crate) values: &'w mut [i8],
    /// `[rows]`.
    pub(crate) scales: &'w mut [RowScale],
}

impl<'w> Quantized<'w> {
    /// Takes what `rows` rows need from the start of a scratch memory.
    pub(crate) fn carve(work: &'w mut [u8], rows: usize, width: usize) -> (Self, &'w mut [u8]) {
        let (values, rest) = piece(work, rows * quantized_stride(width));
        let (scales, rest) = piece(rest, rows);
        (Self { values, scales }, rest)
    }

    /// Some rows of `width` values.
    pub(crate) fn part(&self, rows: Range<usize>, width: usize) -> Rows<'_> {
        let stride = quantized_stride(width);
        Rows::of(&self.values[rows.start * stride..rows.end * stride], &self.scales[rows])
    }

    /// Each row of `width` values, with its scale.
    pub(crate) fn rows(&mut self, width: usize) -> impl Iterator<Item = (&mut [i8], &mut RowScale)> {
        self.values.chunks_exact_mut(quantized_stride(width)).zip(&mut *self.scales)
    }
}

/// Takes `len` elements from the start of a scratch memory.
///
/// # Panics
/// If it is shorter than the plan says, which [`Buffers::new`] rules out.
pub(crate) fn piece<T: cast::Plain>(work: &mut [u8], len: usize) -> (&mut [T], &mut [u8]) {
    cast::carve(work, len).expect("the plan sizes the scratch memory for every phase")
}

/// [`piece`] of memory that is only read.
pub(crate) fn shared_piece<T: cast::Plain>(memory: &[u8], len: usize) -> (&[T], &[u8]) {
    cast::carve_shared(memory, len).expect("the plan sizes the memory of a head")
}

//! The memory plan: every buffer of a session, carved out of the caller's arena.
//!
//! What outlives a layer has a slice of its own. Attention and feed-forward never run at the same
//! time, so they share one region, `work`, which each carves anew.

use distil_format::Config;
use distil_kernels::{RowScale, cast, quantized_stride};

/// Arena pieces start at multiples of this many bytes, a cache line of the larger machines.
const ALIGN: u64 = 64;
/// Query rows whose attention scores are held at a time.
pub(crate) const SCORE_ROWS: usize = 16;
/// Vocabulary entries whose masked-LM scores are held at a time.
pub(crate) const VOCABULARY_CHUNK: usize = 512;

/// Bytes of arena that a [`Session`](crate::Session) of `max_tokens` tokens needs for this model, on any target.
///
/// Saturates at `usize::MAX` where a target cannot address that much.
pub const fn arena_len(config: &Config, max_tokens: usize) -> usize {
    let sizes = Sizes::new(config, max_tokens);
    let (n, h) = (max_tokens as u64, sizes.hidden);
    let tokens = padded(4 * n) * 3 + padded(n);
    let rows = padded(4 * n * h) + padded(n * sizes.hidden_stride) + padded(8 * n);
    let head = padded(4 * h) * 2 + padded(sizes.hidden_stride) + padded(8) + padded(4 * sizes.scores);
    let total = tokens + rows + head + sizes.work() + ALIGN;
    if total > usize::MAX as u64 { usize::MAX } else { total as usize }
}

const fn padded(bytes: u64) -> u64 {
    bytes.div_ceil(ALIGN) * ALIGN
}

const fn max(a: u64, b: u64) -> u64 {
    if a > b { a } else { b }
}

/// Element counts that the plan is computed from; u64, so that no model overflows them on a 32-bit target.
struct Sizes {
    tokens: u64,
    hidden: u64,
    hidden_stride: u64,
    head: u64,
    intermediate: u64,
    intermediate_stride: u64,
    scores: u64,
    block: u64,
}

impl Sizes {
    const fn new(config: &Config, max_tokens: usize) -> Self {
        let (hidden, intermediate) = (config.hidden as u64, config.intermediate as u64);
        Self {
            tokens: max_tokens as u64,
            hidden,
            hidden_stride: quantized_stride(config.hidden as usize) as u64,
            head: hidden / config.heads as u64,
            intermediate,
            intermediate_stride: quantized_stride(config.intermediate as usize) as u64,
            scores: max(2 * config.labels as u64, VOCABULARY_CHUNK as u64),
            block: feed_forward_block(config, max_tokens) as u64,
        }
    }

    /// Bytes of the region that attention and feed-forward share.
    const fn work(&self) -> u64 {
        let (n, d) = (self.tokens, self.head);
        let score_rows = if n < SCORE_ROWS as u64 { n } else { SCORE_ROWS as u64 };
        let attention = padded(4 * n * self.hidden) + 4 * padded(4 * n * d) + padded(4 * score_rows * n);
        let feed_forward = padded(4 * self.block * self.intermediate)
            + padded(self.block * self.intermediate_stride)
            + padded(8 * self.block);
        max(attention, feed_forward)
    }
}

/// Rows that pass through the feed-forward block together: as many as fit where attention keeps its
/// context, so that the wide activation costs no memory of its own, but at least 8 to reuse each weight.
pub(crate) const fn feed_forward_block(config: &Config, max_tokens: usize) -> usize {
    let fit = max_tokens as u64 * config.hidden as u64 / config.intermediate as u64;
    let block = if fit > 8 { fit } else { 8 };
    if block < max_tokens as u64 { block as usize } else { max_tokens }
}

/// The session's buffers; `n` = tokens the session was made for, `h` = hidden size.
pub(crate) struct Buffers<'m> {
    /// Token ids, `[n]`.
    pub(crate) ids: &'m mut [u32],
    /// Byte range of each token in its text, `[n]` each.
    pub(crate) starts: &'m mut [u32],
    pub(crate) ends: &'m mut [u32],
    /// Segment of each token, `[n]`.
    pub(crate) types: &'m mut [u8],
    /// Hidden states, `[n][h]`.
    pub(crate) x: &'m mut [f32],
    /// The same rows as int8, `[n][quantized_stride(h)]`.
    pub(crate) values: &'m mut [i8],
    /// Their scales, `[n]`.
    pub(crate) scales: &'m mut [RowScale],
    /// Attention or feed-forward scratch.
    pub(crate) work: &'m mut [u8],
    /// One row for the head's input and one for its inner layer, `[h]` each.
    pub(crate) pooled: &'m mut [f32],
    pub(crate) inner: &'m mut [f32],
    /// That row as int8, and its scale.
    pub(crate) pooled_values: &'m mut [i8],
    pub(crate) pooled_scale: &'m mut [RowScale],
    /// Scores of labels (then their probabilities) or of a chunk of the vocabulary.
    pub(crate) scores: &'m mut [f32],
}

impl<'m> Buffers<'m> {
    /// Carves all buffers; `None` if the arena is shorter than [`arena_len`] says.
    pub(crate) fn new(config: &Config, n: usize, arena: &'m mut [u8]) -> Option<Self> {
        let sizes = Sizes::new(config, n);
        let (h, stride) = (config.hidden as usize, sizes.hidden_stride as usize);
        let (ids, rest) = cast::carve(arena, n)?;
        let (starts, rest) = cast::carve(rest, n)?;
        let (ends, rest) = cast::carve(rest, n)?;
        let (types, rest) = cast::carve(rest, n)?;
        let (x, rest) = cast::carve(rest, n * h)?;
        let (values, rest) = cast::carve(rest, n * stride)?;
        let (scales, rest) = cast::carve(rest, n)?;
        let (pooled, rest) = cast::carve(rest, h)?;
        let (inner, rest) = cast::carve(rest, h)?;
        let (pooled_values, rest) = cast::carve(rest, stride)?;
        let (pooled_scale, rest) = cast::carve(rest, 1)?;
        let (scores, rest) = cast::carve(rest, sizes.scores as usize)?;
        let (work, _) = cast::carve(rest, sizes.work() as usize)?;
        Some(Self {
            ids,
            starts,
            ends,
            types,
            x,
            values,
            scales,
            work,
            pooled,
            inner,
            pooled_values,
            pooled_scale,
            scores,
        })
    }
}

/// Attention scratch for `n` tokens and heads of width `d`.
pub(crate) struct AttentionWork<'w> {
    /// All heads' outputs side by side, `[n][h]`.
    pub(crate) context: &'w mut [f32],
    /// One head's queries, keys, transposed keys `[d][n]` and values, `[n][d]`.
    pub(crate) query: &'w mut [f32],
    pub(crate) key: &'w mut [f32],
    pub(crate) key_transposed: &'w mut [f32],
    pub(crate) value: &'w mut [f32],
    /// Scores of up to [`SCORE_ROWS`] queries, `[rows][n]`.
    pub(crate) scores: &'w mut [f32],
}

impl<'w> AttentionWork<'w> {
    /// # Panics
    /// If `work` is shorter than the plan says, which [`Buffers::new`] rules out.
    pub(crate) fn new(work: &'w mut [u8], n: usize, h: usize, d: usize) -> Self {
        let (context, rest) = piece(work, n * h);
        let (query, rest) = piece(rest, n * d);
        let (key, rest) = piece(rest, n * d);
        let (key_transposed, rest) = piece(rest, n * d);
        let (value, rest) = piece(rest, n * d);
        let (scores, _) = piece(rest, n.min(SCORE_ROWS) * n);
        Self { context, query, key, key_transposed, value, scores }
    }
}

/// Feed-forward scratch for a block of rows and the inner width `i`.
pub(crate) struct FeedForwardWork<'w> {
    /// Activations, `[block][i]`.
    pub(crate) inner: &'w mut [f32],
    /// The same as int8, `[block][quantized_stride(i)]`, and their scales, `[block]`.
    pub(crate) values: &'w mut [i8],
    pub(crate) scales: &'w mut [RowScale],
}

impl<'w> FeedForwardWork<'w> {
    /// # Panics
    /// If `work` is shorter than the plan says, which [`Buffers::new`] rules out.
    pub(crate) fn new(work: &'w mut [u8], block: usize, i: usize) -> Self {
        let (inner, rest) = piece(work, block * i);
        let (values, rest) = piece(rest, block * quantized_stride(i));
        let (scales, _) = piece(rest, block);
        Self { inner, values, scales }
    }
}

fn piece<T: cast::Plain>(bytes: &mut [u8], len: usize) -> (&mut [T], &mut [u8]) {
    cast::carve(bytes, len).expect("the plan sizes the shared region for every phase")
}

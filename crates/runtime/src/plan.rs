//! The memory plan: how many bytes a session needs, and what for.
//!
//! What outlives a layer, and the keys and values of all heads, have memory of their own. The rest
//! of a layer runs in blocks of rows, each in the scratch memory of its thread; before that, that
//! memory holds the quantized rows that the keys and values are made from.

use distil_format::{Artifact, Config, Dtype, Head, MAX_POSITIONS, Role};
use distil_kernels::cast::ALIGNMENT;
use distil_kernels::{RowScale, quantized_stride};

/// Query rows whose attention scores are held at a time.
pub(crate) const SCORE_ROWS: usize = 32;
/// Rows that the inner loops of several instruction sets take together, or a divisor of them: 12, 6, 4 and 3.
const ROWS_TOGETHER: usize = 12;
/// Vocabulary entries whose masked-LM scores are held at a time.
pub(crate) const VOCABULARY_CHUNK: usize = 512;

/// How much memory a session may spend, and on how many threads.
///
/// The results have the same bits with every plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Rows that pass through a layer together, at most.
    rows: usize,
    threads: usize,
}

impl Plan {
    /// Up to 56 rows pass through a layer together: weights are read seldom.
    pub const FAST: Plan = Plan { rows: 56, threads: 1 };
    /// Up to 8 rows pass through a layer together: less memory, more traffic.
    pub const SMALL: Plan = Plan { rows: 8, threads: 1 };

    /// All rows pass through a layer together: weights are read once. For machines where memory does not matter.
    pub const LARGE: Plan = Plan { rows: usize::MAX, threads: 1 };

    /// The same plan with scratch memory for this many threads; 0 counts as 1.
    pub const fn with_threads(self, threads: usize) -> Plan {
        Plan { rows: self.rows, threads: if threads == 0 { 1 } else { threads } }
    }

    /// Number of threads with scratch memory.
    pub const fn threads(self) -> usize {
        self.threads
    }

    /// Rows whose keys and values are made at a time: whole tiles of 16 tokens.
    pub(crate) const fn key_rows(self) -> usize {
        match self.rows / 16 {
            0 => 16,
            tiles if tiles > 6 => 96,
            tiles => 16 * tiles,
        }
    }

    /// Rows of each block of a thread that has `rows` of them: about equal blocks, and few inner loops with rows missing.
    pub(crate) fn block_rows(self, rows: usize) -> usize {
        let blocks = rows.div_ceil(self.rows).max(1);
        rows.div_ceil(blocks).next_multiple_of(ROWS_TOGETHER).min(self.rows)
    }
}

/// Bytes of arena that a [`Session`](crate::Session) of `max_tokens` tokens needs for this model and
/// plan, on any target.
///
/// Saturates at `usize::MAX` where a target cannot address that much; more tokens than the format has positions count as
/// that many.
pub fn arena_len(artifact: &Artifact<'_>, max_tokens: usize, plan: Plan) -> usize {
    let sizes = Sizes::new(artifact, max_tokens, plan);
    usize::try_from(sizes.total()).unwrap_or(usize::MAX)
}

const fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGNMENT as u64)
}

/// Bytes of the parts of an arena; u64, so that no model overflows them on a 32-bit target.
pub(crate) struct Sizes {
    /// Tokens, hidden size.
    n: u64,
    h: u64,
    threads: u64,
    /// Scores of labels, of a chunk of the vocabulary, or of every token as the start and the end of an answer.
    pub(crate) scores: u64,
    /// What each token is to the word it stands in, where the head asks.
    pub(crate) words: u64,
    /// Keys and values of one head.
    pub(crate) head: u64,
    /// Quantized rows of all tokens.
    pub(crate) rows: u64,
    /// Making keys and values, for one thread.
    pub(crate) projection: u64,
    /// A block of rows on its way through a layer, for one thread.
    pub(crate) block: u64,
    heads: u64,
}

impl Sizes {
    pub(crate) fn new(artifact: &Artifact<'_>, max_tokens: usize, plan: Plan) -> Self {
        Self::of(artifact.config(), has_float_attention(artifact), max_tokens, plan)
    }

    fn of(config: &Config, float_attention: bool, max_tokens: usize, plan: Plan) -> Self {
        // No model has more positions, so there is no session of more tokens. With that, and the bounds of the configuration,
        // every part is less than 2^50 bytes; only the number of threads has no bound.
        let n = (max_tokens as u64).min(MAX_POSITIONS.into());
        let h = u64::from(config.hidden);
        let d = h / u64::from(config.heads);
        let stride = |width: u64| quantized_stride(width as usize) as u64;
        let quantized =
            |rows: u64, width: u64| padded(rows * stride(width)) + padded(rows * size_of::<RowScale>() as u64);
        let float = |rows: u64, width: u64| padded(4 * rows * width);
        let key_rows = n.min(plan.key_rows() as u64);
        let block = n.min(plan.rows as u64);
        let score_rows = block.min(SCORE_ROWS as u64);
        let wide = u64::from(config.intermediate);
        let attention = 2 * float(block, h) + quantized(block, d) + float(score_rows, n) + quantized(score_rows, n);
        let feed_forward = float(block, wide) + quantized(block, wide);
        // A matrix of keys or values is padded to whole tiles, whichever the layout.
        let tiles = 16 * n.div_ceil(16) * (16 * d.div_ceil(16));
        let integer_head = 2 * padded(tiles) + 2 * float(n, 1);
        let float_head = 2 * float(n, d);
        Self {
            n,
            h,
            threads: plan.threads as u64,
            scores: match config.head {
                Head::QuestionAnswering => 2 * n,
                _ => (2 * u64::from(config.labels)).max(VOCABULARY_CHUNK as u64),
            },
            words: if matches!(config.head, Head::TokenClassification | Head::QuestionAnswering) { n } else { 0 },
            head: if float_attention { integer_head.max(float_head) } else { integer_head },
            rows: quantized(n, h),
            projection: float(key_rows, h) + quantized(key_rows, d),
            block: quantized(block, h) + attention.max(feed_forward),
            heads: u64::from(config.heads),
        }
    }

    /// Keys and values of all heads.
    pub(crate) fn all_heads(&self) -> u64 {
        self.heads * self.head
    }

    /// Scratch memory: first the quantized rows and what makes keys and values of them, then the
    /// blocks.
    pub(crate) fn work(&self) -> u64 {
        let making = self.threads.saturating_mul(self.projection).saturating_add(self.rows);
        making.max(self.threads.saturating_mul(self.block))
    }

    fn total(&self) -> u64 {
        let tokens = 3 * padded(4 * self.n) + padded(self.n) + padded(self.words);
        let stride = quantized_stride(self.h as usize) as u64;
        let head =
            2 * padded(4 * self.h) + padded(stride) + padded(size_of::<RowScale>() as u64) + padded(4 * self.scores);
        let rest = tokens + padded(4 * self.n * self.h) + head + self.all_heads() + ALIGNMENT as u64;
        rest.saturating_add(self.work())
    }
}

/// Whether a layer has float queries, keys or values, so that its attention is computed in float.
fn has_float_attention(artifact: &Artifact<'_>) -> bool {
    artifact
        .tensors()
        .any(|tensor| matches!(tensor.id.role, Role::Query | Role::Key | Role::Value) && tensor.dtype == Dtype::F32)
}

#[cfg(test)]
mod tests {
    use super::{Plan, Sizes};
    use distil_format::{
        Architecture, Config, Head, MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LABELS, MAX_LAYERS, MAX_POSITIONS, MAX_TYPES,
        MAX_VOCABULARY, Pooling, Problem,
    };

    /// The largest model that a file may have, with as many heads.
    fn largest(heads: u32) -> Config {
        Config {
            architecture: Architecture::Bert,
            hidden: MAX_HIDDEN,
            layers: MAX_LAYERS,
            heads,
            intermediate: MAX_INTERMEDIATE,
            vocab_size: MAX_VOCABULARY,
            max_positions: MAX_POSITIONS,
            type_vocab: MAX_TYPES,
            layer_norm_eps: 1e-12,
            head: Head::SequenceClassification,
            pooling: Pooling::Mean,
            normalize: true,
            labels: MAX_LABELS,
            problem: Problem::SingleLabel,
            lowercase: true,
            strip_accents: true,
            split_cjk: true,
            pad_id: 0,
            unk_id: 1,
            cls_id: 2,
            sep_id: 3,
            mask_id: 4,
        }
    }

    /// Runs with overflow checks, on 32-bit targets too: whatever wraps is a panic.
    #[test]
    fn no_model_plan_or_number_of_tokens_overflows() {
        for heads in [1, 2, 128, MAX_HIDDEN] {
            let config = largest(heads);
            assert_eq!(config.validate(), Ok(()));
            for plan in [Plan::LARGE, Plan::FAST, Plan::SMALL] {
                for float in [false, true] {
                    let total = |tokens, threads| Sizes::of(&config, float, tokens, plan.with_threads(threads)).total();
                    let most = total(MAX_POSITIONS as usize, 1);
                    // The hidden states alone are 2^31 bytes; nothing comes near 64 bits.
                    assert!((1 << 31..1 << 50).contains(&most), "{most}");
                    assert_eq!(total(usize::MAX, 1), most);
                    assert!(total(2, 1) < most && most < total(MAX_POSITIONS as usize, 3));
                    let all = total(usize::MAX, usize::MAX);
                    assert!(all > most && (usize::BITS < 64 || all == u64::MAX), "{all}");
                }
            }
        }
    }
}

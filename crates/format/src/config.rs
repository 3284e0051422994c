//! The model's configuration: what is in it, what values it may have, and its fixed struct in the file.

use crate::enums::{Architecture, Head, Pooling, Problem};
use crate::error::ConfigError;
use crate::record::record;

/// Most values in a token's vector.
pub const MAX_HIDDEN: u32 = 8192;
/// Most layers.
pub const MAX_LAYERS: u32 = 24;
/// Most values between the two feed-forward matrices.
pub const MAX_INTERMEDIATE: u32 = 32_768;
/// Most tokens in a vocabulary.
pub const MAX_VOCABULARY: u32 = 1 << 20;
/// Most positions.
pub const MAX_POSITIONS: u32 = 1 << 16;
/// Most token types.
pub const MAX_TYPES: u32 = 256;
/// Most labels.
pub const MAX_LABELS: u32 = 1 << 16;

// The longest integer dot product, activations and weights up to 127 (128 leaves room for the unsigned variants), fits i32.
const _: () = assert!(MAX_INTERMEDIATE as u64 * 127 * 128 < 1 << 31);
const _: () = assert!(MAX_HIDDEN <= MAX_INTERMEDIATE);

/// What the model is: its shape, its head and how its text is prepared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The encoder's family.
    pub architecture: Architecture,
    /// Values in a token's vector: a multiple of `heads`, at most [`MAX_HIDDEN`].
    pub hidden: u32,
    /// Layers, 1 to [`MAX_LAYERS`].
    pub layers: u32,
    /// Attention heads, at least 1.
    pub heads: u32,
    /// Values between the two feed-forward matrices, 1 to [`MAX_INTERMEDIATE`].
    pub intermediate: u32,
    /// Rows of the word embedding, 1 to [`MAX_VOCABULARY`]. The vocabulary may have fewer entries (padded embeddings), never more.
    pub vocab_size: u32,
    /// Longest input in tokens, 2 to [`MAX_POSITIONS`].
    pub max_positions: u32,
    /// Token types, 0 (none) to [`MAX_TYPES`].
    pub type_vocab: u32,
    /// Added to the variance in a normalization: positive, at most 1, no denormal.
    pub layer_norm_eps: f32,
    /// What the model answers.
    pub head: Head,
    /// How token vectors become one vector; read where an embedding is asked for.
    pub pooling: Pooling,
    /// Whether an embedding is scaled to length 1.
    pub normalize: bool,
    /// Labels of a classifier of texts or tokens, 0 with any other head, at most [`MAX_LABELS`].
    pub labels: u32,
    /// How the scores of a classifier of texts are read; [`Problem::SingleLabel`] with any other head. One label alone is no choice:
    /// it is [`Problem::Regression`] or [`Problem::MultiLabel`].
    pub problem: Problem,
    /// Whether text is lower-cased.
    pub lowercase: bool,
    /// Whether accents are stripped.
    pub strip_accents: bool,
    /// Whether every CJK character is a word (`handle_chinese_chars`).
    pub split_cjk: bool,
    /// Id of `[PAD]`.
    pub pad_id: u32,
    /// Id of `[UNK]`.
    pub unk_id: u32,
    /// Id of `[CLS]`.
    pub cls_id: u32,
    /// Id of `[SEP]`.
    pub sep_id: u32,
    /// Id of `[MASK]`.
    pub mask_id: u32,
}

record! {
    /// The configuration section.
    struct ConfigRecord = 64 {
        architecture: u8,
        head: u8,
        pooling: u8,
        normalize: u8,
        lowercase: u8,
        strip_accents: u8,
        split_cjk: u8,
        problem: u8,
        hidden: u32,
        layers: u32,
        heads: u32,
        intermediate: u32,
        vocab_size: u32,
        max_positions: u32,
        type_vocab: u32,
        layer_norm_eps: f32,
        labels: u32,
        pad_id: u32,
        unk_id: u32,
        cls_id: u32,
        sep_id: u32,
        mask_id: u32,
    }
}

impl Config {
    /// Values of one attention head.
    pub const fn head_dim(&self) -> u32 {
        match self.hidden.checked_div(self.heads) {
            Some(values) => values,
            None => 0,
        }
    }

    /// Checks every value against its bounds and the others.
    ///
    /// # Errors
    /// The first value that no packed file may have.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let bounds = [
            ("hidden", self.hidden, 1, MAX_HIDDEN),
            ("layers", self.layers, 1, MAX_LAYERS),
            ("heads", self.heads, 1, MAX_HIDDEN),
            ("intermediate", self.intermediate, 1, MAX_INTERMEDIATE),
            ("vocab_size", self.vocab_size, 1, MAX_VOCABULARY),
            ("max_positions", self.max_positions, 2, MAX_POSITIONS),
            ("type_vocab", self.type_vocab, 0, MAX_TYPES),
            ("labels", self.labels, 0, MAX_LABELS),
        ];
        for (field, value, least, most) in bounds {
            if value < least || value > most {
                return Err(ConfigError::Range { field, value, least, most });
            }
        }
        if !self.hidden.is_multiple_of(self.heads) {
            return Err(ConfigError::Heads { hidden: self.hidden, heads: self.heads });
        }
        let eps = self.layer_norm_eps;
        if !(eps.is_normal() && eps > 0.0 && eps <= 1.0) {
            return Err(ConfigError::Epsilon(eps));
        }
        if self.head.has_labels() != (self.labels > 0) {
            return Err(ConfigError::Labels { head: self.head, labels: self.labels });
        }
        let single = self.problem == Problem::SingleLabel;
        let possible = if self.head == Head::SequenceClassification { !single || self.labels > 1 } else { single };
        if !possible {
            return Err(ConfigError::Problem { head: self.head, labels: self.labels, problem: self.problem });
        }
        let special = [
            ("pad", self.pad_id),
            ("unk", self.unk_id),
            ("cls", self.cls_id),
            ("sep", self.sep_id),
            ("mask", self.mask_id),
        ];
        for (token, id) in special {
            if id >= self.vocab_size {
                return Err(ConfigError::SpecialToken { token, id, vocab_size: self.vocab_size });
            }
        }
        Ok(())
    }

    /// Reads and checks the configuration section.
    pub(crate) fn decode(bytes: &[u8; ConfigRecord::LEN]) -> Result<Self, ConfigError> {
        let record = ConfigRecord::decode(bytes);
        let code = |field, value| ConfigError::Code { field, value };
        let flag = |field, value| match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(code(field, value)),
        };
        let head = Head::from_code(record.head).ok_or(code("head", record.head))?;
        let config = Self {
            architecture: Architecture::from_code(record.architecture)
                .ok_or(code("architecture", record.architecture))?,
            hidden: record.hidden,
            layers: record.layers,
            heads: record.heads,
            intermediate: record.intermediate,
            vocab_size: record.vocab_size,
            max_positions: record.max_positions,
            type_vocab: record.type_vocab,
            layer_norm_eps: record.layer_norm_eps,
            head,
            pooling: Pooling::from_code(record.pooling).ok_or(code("pooling", record.pooling))?,
            normalize: flag("normalize", record.normalize)?,
            labels: record.labels,
            problem: problem(head, record.labels, record.problem).ok_or(code("problem", record.problem))?,
            lowercase: flag("lowercase", record.lowercase)?,
            strip_accents: flag("strip_accents", record.strip_accents)?,
            split_cjk: flag("split_cjk", record.split_cjk)?,
            pad_id: record.pad_id,
            unk_id: record.unk_id,
            cls_id: record.cls_id,
            sep_id: record.sep_id,
            mask_id: record.mask_id,
        };
        config.validate()?;
        Ok(config)
    }

    /// Whether the answer is one number. Files say it by their single label alone.
    #[cfg(feature = "alloc")]
    fn is_score(&self) -> bool {
        self.labels == 1 && self.problem == Problem::Regression
    }

    /// The configuration section's bytes.
    #[cfg(feature = "alloc")]
    pub(crate) fn encode(&self) -> [u8; ConfigRecord::LEN] {
        ConfigRecord {
            architecture: self.architecture.code(),
            head: self.head.code(),
            pooling: self.pooling.code(),
            normalize: self.normalize.into(),
            lowercase: self.lowercase.into(),
            strip_accents: self.strip_accents.into(),
            split_cjk: self.split_cjk.into(),
            problem: if self.is_score() { 0 } else { self.problem.code() },
            hidden: self.hidden,
            layers: self.layers,
            heads: self.heads,
            intermediate: self.intermediate,
            vocab_size: self.vocab_size,
            max_positions: self.max_positions,
            type_vocab: self.type_vocab,
            layer_norm_eps: self.layer_norm_eps,
            labels: self.labels,
            pad_id: self.pad_id,
            unk_id: self.unk_id,
            cls_id: self.cls_id,
            sep_id: self.sep_id,
            mask_id: self.mask_id,
        }
        .encode()
    }
}

/// The problem that a file's byte stands for. A single label with byte 0 is a regression, as it was before there was a byte for it; no other byte says that.
fn problem(head: Head, labels: u32, byte: u8) -> Option<Problem> {
    let problem = Problem::from_code(byte)?;
    match (head == Head::SequenceClassification && labels == 1, problem) {
        (true, Problem::SingleLabel) => Some(Problem::Regression),
        (true, Problem::Regression) => None,
        _ => Some(problem),
    }
}

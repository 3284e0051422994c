//! A packed file's configuration by name: what `tools inspect` shows and `tools diff` compares.

use distil_format::Config;
use schemars::JsonSchema;
use serde::Serialize;

/// The configuration; its JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Shape {
    /// `distilbert` or `bert`.
    pub architecture: &'static str,
    /// What the model answers.
    pub head: &'static str,
    /// Width.
    pub hidden: u32,
    /// Layers.
    pub layers: u32,
    /// Attention heads.
    pub heads: u32,
    /// Feed-forward width.
    pub intermediate: u32,
    /// Rows of the word table.
    pub vocab_size: u32,
    /// Tokens that a text can have.
    pub max_positions: u32,
    /// Rows of the segment table; 0 without.
    pub token_types: u32,
    /// What is added to the variance.
    pub layer_norm_eps: f32,
    /// How token vectors become one vector.
    pub pooling: &'static str,
    /// Whether that vector gets length 1.
    pub normalize: bool,
    /// How the scores of labels are read.
    pub problem: &'static str,
    /// Whether text is lower-cased.
    pub lowercase: bool,
    /// Whether text loses its accents.
    pub strip_accents: bool,
    /// Whether Chinese characters are words of their own.
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

impl Shape {
    /// Of a packed file.
    pub fn new(config: &Config) -> Self {
        Self {
            architecture: config.architecture.name(),
            head: config.head.name(),
            hidden: config.hidden,
            layers: config.layers,
            heads: config.heads,
            intermediate: config.intermediate,
            vocab_size: config.vocab_size,
            max_positions: config.max_positions,
            token_types: config.type_vocab,
            layer_norm_eps: config.layer_norm_eps,
            pooling: config.pooling.name(),
            normalize: config.normalize,
            problem: config.problem.name(),
            lowercase: config.lowercase,
            strip_accents: config.strip_accents,
            split_cjk: config.split_cjk,
            pad_id: config.pad_id,
            unk_id: config.unk_id,
            cls_id: config.cls_id,
            sep_id: config.sep_id,
            mask_id: config.mask_id,
        }
    }
}

//! The structures that C sees.

use core::ffi::c_char;
use core::mem::MaybeUninit;

/// The version of this interface: it changes whenever a program has to be compiled again.
pub const DISTIL_ABI_VERSION: u32 = 1;
/// A packed file, and the buffer of a session, start at a multiple of this many bytes.
pub const DISTIL_ALIGNMENT: usize = 64;
/// No text, list or buffer is longer, in bytes or elements.
pub const DISTIL_MAX_LEN: usize = 0x7FFF_FFFF;

/// Scratch memory for a few rows at a time: the least memory, the most reading of weights.
pub const DISTIL_PLAN_SMALL: u32 = 0;
/// Scratch memory for 56 rows at a time.
pub const DISTIL_PLAN_FAST: u32 = 1;
/// Scratch memory for all rows: weights are read once.
pub const DISTIL_PLAN_LARGE: u32 = 2;

/// No head: texts become embeddings.
pub const DISTIL_HEAD_EMBEDDING: u32 = 0;
/// Words are filled in for `[MASK]`.
pub const DISTIL_HEAD_MASKED_LM: u32 = 1;
/// A text gets a label, or a score for each.
pub const DISTIL_HEAD_CLASSIFICATION: u32 = 2;
/// Every word gets a label.
pub const DISTIL_HEAD_TOKEN_CLASSIFICATION: u32 = 3;
/// A question is answered by a part of a text.
pub const DISTIL_HEAD_QUESTION_ANSWERING: u32 = 4;

/// An opened model: plain data, to be copied at will. It refers to the file's bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct distil_model {
    /// Not for the caller.
    pub opaque: [MaybeUninit<u64>; 80],
}

/// A model that is being opened: plain data. It refers to the file's bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct distil_opening {
    /// Not for the caller.
    pub opaque: [MaybeUninit<u64>; 112],
}

/// Text in UTF-8, not terminated by a zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct distil_text {
    /// Its first byte.
    pub bytes: *const c_char,
    /// Its bytes.
    pub len: usize,
}

/// Numbers inside a session's buffer: good until the session is used again.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct distil_values {
    /// The first of them.
    pub values: *const f32,
    /// How many they are.
    pub len: usize,
}

/// What a model is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct distil_model_info {
    /// Bytes of the file.
    pub file_len: usize,
    /// The checksum in the file's header.
    pub checksum: u32,
    /// One of DISTIL_HEAD_...
    pub head: u32,
    /// Numbers in a hidden state and in an embedding.
    pub hidden: u32,
    /// Layers.
    pub layers: u32,
    /// Labels of a classification; 0 for other heads.
    pub labels: u32,
    /// Token ids are less.
    pub vocabulary: u32,
    /// Most tokens of a session.
    pub max_tokens: u32,
}

/// How a session is to be.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct distil_options {
    /// Most tokens of a text, `[CLS]` and `[SEP]` included.
    pub max_tokens: usize,
    /// One of DISTIL_PLAN_...
    pub plan: u32,
    /// 1: a text that is too long loses its end; 0: it is an error.
    pub truncate: u32,
}

/// A token of a text.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct distil_token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// Byte of the text at which it starts.
    pub start: u32,
    /// Byte after its end.
    pub end: u32,
}

/// A classified text or token.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct distil_classification {
    /// Number of the best label.
    pub label: u32,
    /// Probability of the best label; 1 in a regression, which knows none.
    pub probability: f32,
    /// Name of the best label, inside the file.
    pub name: distil_text,
    /// Raw scores, one for each label.
    pub logits: distil_values,
    /// What they mean: probabilities, or in a regression the scores themselves.
    pub scores: distil_values,
}

/// A word with its label.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct distil_tag {
    /// Number of the label.
    pub label: u32,
    /// Its probability.
    pub probability: f32,
    /// Its name, inside the file.
    pub name: distil_text,
    /// Byte of the text at which the word starts.
    pub start: usize,
    /// Byte after its end.
    pub end: usize,
}

/// An answer: whole words of the text.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct distil_answer {
    /// Byte of the text at which it starts.
    pub start: usize,
    /// Byte after its end.
    pub end: usize,
    /// Raw score.
    pub score: f32,
    /// Its share of the softmax over all answers that were possible.
    pub probability: f32,
}

/// What came of a question, apart from the answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct distil_answers {
    /// Answers that were written, best first.
    pub found: usize,
    /// Windows in which the text was read.
    pub windows: usize,
    /// Tokens of all windows.
    pub tokens: usize,
    /// Score of there being no answer, for models that know of such questions: higher than the best answer's if there is none.
    pub no_answer: f32,
}

/// Bounds of the search for an answer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct distil_search {
    /// Most tokens of an answer.
    pub longest: usize,
    /// Tokens that a window of a long text shares with the next one.
    pub overlap: usize,
}

/// A vocabulary entry proposed for a `[MASK]`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct distil_candidate {
    /// Its number in the vocabulary.
    pub id: u32,
    /// Raw score.
    pub logit: f32,
    /// Its share of the softmax over the whole vocabulary.
    pub probability: f32,
}

//! What can go wrong between a packed file and an answer.

use core::fmt;

use distil_format::Head;

/// Why a checked file cannot become a [`Model`](crate::Model) on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelError {
    /// The instruction set asked for does not exist on this machine.
    Isa(distil_kernels::IsaUnavailable),
    /// A tensor of the file does not fit the kernels (its role's name follows).
    Tensor(&'static str),
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isa(error) => error.fmt(f),
            Self::Tensor(name) => {
                write!(f, "the {name} tensor is missing or has a shape the kernels do not take; pack the model again")
            }
        }
    }
}

impl core::error::Error for ModelError {}

/// Why a [`Session`](crate::Session) cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// The arena is too small.
    Arena {
        /// Bytes that [`arena_len`](crate::arena_len) asks for.
        needed: usize,
        /// Bytes that were given.
        given: usize,
    },
    /// The number of tokens is below 2 (`[CLS]` and `[SEP]`) or above the model's positions.
    Tokens {
        /// Tokens asked for.
        asked: usize,
        /// The most that the model's position embeddings allow.
        most: usize,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arena { needed, given } => {
                write!(f, "the arena has {given} bytes and needs {needed}; give it that many or ask for fewer tokens")
            }
            Self::Tokens { asked, most } => {
                write!(f, "a session of {asked} tokens was asked for; this model takes 2 to {most}")
            }
        }
    }
}

impl core::error::Error for SessionError {}

/// Why an input got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunError {
    /// The model itself cannot run.
    Model(ModelError),
    /// The text has more tokens than the session was made for.
    TooLong {
        /// Tokens of the text, `[CLS]` and `[SEP]` included.
        tokens: usize,
        /// Tokens the session was made for.
        most: usize,
    },
    /// The question leaves no room for a token of its context.
    Question {
        /// Tokens of the question.
        tokens: usize,
        /// Tokens the session was made for: `[CLS]`, two `[SEP]`, the question and a part of the context.
        most: usize,
    },
    /// A token id is not in the vocabulary.
    TokenId(u32),
    /// A segment number is not one of the model's token types.
    TokenType(u8),
    /// No tokens were given, or the lists of ids and segments differ in length.
    Ids,
    /// The question needs another head than the file has.
    Head {
        /// The head that the question needs.
        needed: Head,
        /// The head that the file has.
        found: Head,
    },
    /// The text has no `[MASK]` to fill.
    NoMask,
    /// The model's numbers are too large to compute with: an output is infinite or no number.
    NotFinite,
    /// The position has no last hidden state: see [`Session::hidden`](crate::Session::hidden).
    Position {
        /// Position asked for, counted from `[CLS]` = 0.
        position: usize,
        /// Number of tokens encoded last that have one.
        tokens: usize,
    },
}

impl From<ModelError> for RunError {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => error.fmt(f),
            Self::TooLong { tokens, most } => {
                write!(f, "the text has {tokens} tokens and the session takes {most}; shorten it or allow truncation")
            }
            Self::Question { tokens, most } => write!(
                f,
                "the question has {tokens} tokens, which leaves no room for a text in the {most} of the session; shorten it or allow truncation"
            ),
            Self::TokenId(id) => {
                write!(f, "token id {id} is not in the vocabulary; tokenize with this file's own vocabulary")
            }
            Self::TokenType(segment) => {
                write!(f, "segment {segment} is not one of the model's token types; use 0 or 1")
            }
            Self::Ids => {
                f.write_str("the token ids are empty or their segments differ in number; give one segment for each id")
            }
            Self::Head { needed, found } => {
                write!(f, "this needs a {needed} head and the file has {found}; pack the model with --head {needed}")
            }
            Self::NoMask => f.write_str("the text has no [MASK]; write [MASK] where a word is to be filled in"),
            Self::NotFinite => f.write_str(
                "the model's numbers overflow: an output is infinite or no number; pack a model whose weights are sound",
            ),
            Self::Position { position, tokens } => {
                write!(f, "position {position} is not one of the {tokens} tokens encoded last; encode the text first")
            }
        }
    }
}

impl core::error::Error for RunError {}

/// Whether all numbers are finite. Weights of a checked file are, but their products need not be.
pub(crate) fn finite(values: &[f32]) -> Result<(), RunError> {
    const INFINITY: u32 = f32::INFINITY.to_bits();
    // The bits of positive floats ascend with them, up to infinity and then what is no number. Without a branch for each.
    let largest = values.iter().fold(0, |largest, value| value.abs().to_bits().max(largest));
    if largest < INFINITY { Ok(()) } else { Err(RunError::NotFinite) }
}

//! A number for every error: the same in Rust, in C and in what a program exits with.

use distil_format::OpenError;

use crate::error::{ModelError, RunError, SessionError};

/// The number of an error. Numbers are never given to another error, and lie between 10 and 99: apart from the 0, 1 and 2
/// that programs exit with, the 101 of a panic and the 102 of a processor's fault. The table is in docs/error-codes.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// The file's bytes do not start at a multiple of 64.
    Alignment = 10,
    /// There are fewer bytes than a header has.
    TooShort = 11,
    /// The first bytes are not a packed model's: nothing is there, erased flash, or another file.
    NoModel = 12,
    /// The file has a version that this program does not read.
    Version = 13,
    /// The file needs something that this program does not have.
    Flags = 14,
    /// The file's length is not the one in its header.
    Length = 15,
    /// The file is damaged.
    Checksum = 16,
    /// The file's parts are not where and what they must be.
    Structure = 17,
    /// The configuration is refused.
    Config = 18,
    /// A tensor is refused.
    Tensor = 19,
    /// The vocabulary is refused.
    Vocabulary = 20,
    /// The processor lacks the instruction set that was asked for.
    Isa = 30,
    /// A tensor is one that the kernels do not take.
    Kernels = 31,
    /// The memory is too small for the session.
    Memory = 32,
    /// A session cannot have so few or so many tokens.
    Tokens = 33,
    /// The text has too many tokens.
    TooLong = 40,
    /// The question leaves no room for a text.
    Question = 41,
    /// A token id is not in the vocabulary.
    TokenId = 42,
    /// A segment is not one of the model's token types.
    TokenType = 43,
    /// There are no token ids, or not as many as segments.
    Ids = 44,
    /// The file has another head than the question needs.
    Head = 45,
    /// The text has no mask to fill.
    NoMask = 46,
    /// An output is infinite or no number.
    NotFinite = 47,
    /// The position is not one of the tokens encoded last.
    Position = 48,
}

impl Code {
    /// All of them, by number.
    pub const ALL: [Code; 24] = [
        Self::Alignment,
        Self::TooShort,
        Self::NoModel,
        Self::Version,
        Self::Flags,
        Self::Length,
        Self::Checksum,
        Self::Structure,
        Self::Config,
        Self::Tensor,
        Self::Vocabulary,
        Self::Isa,
        Self::Kernels,
        Self::Memory,
        Self::Tokens,
        Self::TooLong,
        Self::Question,
        Self::TokenId,
        Self::TokenType,
        Self::Ids,
        Self::Head,
        Self::NoMask,
        Self::NotFinite,
        Self::Position,
    ];

    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<OpenError> for Code {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Misaligned => Self::Alignment,
            OpenError::TooShort { .. } => Self::TooShort,
            OpenError::Magic => Self::NoModel,
            OpenError::Version(_) => Self::Version,
            OpenError::Flags(_) => Self::Flags,
            OpenError::Length { .. } => Self::Length,
            OpenError::Checksum { .. } => Self::Checksum,
            OpenError::Header
            | OpenError::SectionTable(_)
            | OpenError::Padding(_)
            | OpenError::SectionLength(_)
            | OpenError::Labels => Self::Structure,
            OpenError::Config(_) => Self::Config,
            OpenError::Tensor { .. } => Self::Tensor,
            OpenError::Vocabulary(_) | OpenError::VocabularySize { .. } => Self::Vocabulary,
        }
    }
}

impl From<ModelError> for Code {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Isa(_) => Self::Isa,
            ModelError::Tensor(_) => Self::Kernels,
        }
    }
}

impl From<SessionError> for Code {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Arena { .. } => Self::Memory,
            SessionError::Tokens { .. } => Self::Tokens,
        }
    }
}

impl From<RunError> for Code {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Model(error) => error.into(),
            RunError::TooLong { .. } => Self::TooLong,
            RunError::Question { .. } => Self::Question,
            RunError::TokenId(_) => Self::TokenId,
            RunError::TokenType(_) => Self::TokenType,
            RunError::Ids => Self::Ids,
            RunError::Head { .. } => Self::Head,
            RunError::NoMask => Self::NoMask,
            RunError::NotFinite => Self::NotFinite,
            RunError::Position { .. } => Self::Position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_ascend_and_stay_clear_of_what_programs_exit_with() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        assert!(Code::ALL.iter().all(|code| (10..100).contains(&code.number())));
    }
}

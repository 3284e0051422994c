//! Why a vocabulary is refused.

use core::fmt;

/// Why a vocabulary section is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VocabularyError {
    /// The section's length is not the one that its counts give.
    Length,
    /// A count is out of its bounds or a reserved byte is not zero.
    Counts,
    /// The trie's bits do not describe one trie in level order.
    Structure,
    /// Siblings are not in ascending order of their labels.
    Order,
    /// A count kept for fast access is wrong.
    Directory,
    /// The table of a root's edges is wrong.
    Roots,
    /// An entry that starts a word begins with `##` and goes on.
    Prefix,
    /// An entry is longer than [`MAX_PIECE_BYTES`](super::MAX_PIECE_BYTES).
    TooLong,
    /// An entry is not UTF-8.
    Utf8,
    /// The ids are not each number from 0 to the number of entries once.
    Ids,
}

impl fmt::Display for VocabularyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "wrong length",
            Self::Counts => "a count is out of bounds",
            Self::Structure => "the trie is malformed",
            Self::Order => "siblings are out of order",
            Self::Directory => "a directory count is wrong",
            Self::Roots => "a root table is wrong",
            Self::Prefix => "an entry that starts a word begins with ##",
            Self::TooLong => "an entry is longer than 256 bytes",
            Self::Utf8 => "an entry is not UTF-8",
            Self::Ids => "the ids are not each number once",
        })
    }
}

impl core::error::Error for VocabularyError {}

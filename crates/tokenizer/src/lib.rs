#![no_std]
#![forbid(unsafe_code)]
//! BERT tokenization without allocation: text in, token ids with byte offsets out.
//!
//! The steps are those of the `tokenizers` crate (0.23) with `BertNormalizer`, `BertPreTokenizer`
//! and `WordPiece`, and every string gives the same ids and the same offsets as there:
//!
//! 1. Special tokens such as `[MASK]` are found in the raw text.
//! 2. Control and other invisible characters go, every white space becomes a plain space.
//! 3. Each CJK ideograph becomes a word of its own ([`Settings::split_cjk`]).
//! 4. Canonical decomposition, then nonspacing marks go ([`Settings::strip_accents`]).
//! 5. Lower-casing, one character at a time ([`Settings::lowercase`]).
//! 6. Words end at white space; each punctuation character is a word of its own.
//! 7. Each word is cut greedily into the longest pieces that the [`Vocabulary`] has. A word of
//!    more than [`MAX_WORD_CHARS`] characters, or one with a part that no piece fits, is one
//!    unknown token.
//!
//! All of this happens in one pass over the text; nothing is stored but the current word.
//! Working memory is one buffer of [`WORKING_BYTES`] bytes on the stack (at most 1,536), whatever
//! the text. Unicode data take 14 KB of read-only memory; lower-casing is that of `core`, as in
//! `tokenizers`, so both follow the Unicode version of the compiler there.
//!
//! `[CLS]` and `[SEP]` are not added here: they belong to the model's input, not to a text.
//!
//! ```
//! use distil_tokenizer::{Settings, Token, Tokenizer, Vocabulary};
//!
//! struct Toy;
//! impl Vocabulary for Toy {
//!     fn longest_match(&self, text: &[u8], continuation: bool) -> Option<(u32, usize)> {
//!         let pieces: &[(&str, u32)] = if continuation { &[("s", 6)] } else { &[("light", 5)] };
//!         pieces.iter().find(|(p, _)| text.starts_with(p.as_bytes())).map(|&(p, id)| (id, p.len()))
//!     }
//! }
//!
//! let settings = Settings {
//!     lowercase: true, strip_accents: true, split_cjk: true,
//!     pad: 0, unk: 1, cls: 2, sep: 3, mask: 4,
//! };
//! let mut tokens = [Token::default(); 8];
//! let n = Tokenizer::new(Toy, settings).tokenize("Lights [MASK]", &mut tokens)?;
//! assert_eq!(tokens[..n], [
//!     Token { id: 5, start: 0, end: 5 },
//!     Token { id: 6, start: 5, end: 6 },
//!     Token { id: 4, start: 7, end: 13 },
//! ]);
//! # Ok::<(), distil_tokenizer::TooManyTokens>(())
//! ```

mod ascii;
mod marks;
mod scan;
mod tables;
mod unicode;
mod word;

use core::fmt;
use core::ops::ControlFlow;

pub use word::MAX_WORD_CHARS;

/// Bytes of stack that the working buffer of a running tokenization takes.
pub const WORKING_BYTES: usize = size_of::<word::Word>();

const _: () = assert!(WORKING_BYTES <= 1536 && size_of::<Token>() == 12);

/// The pieces that words are cut into.
///
/// References to a vocabulary are vocabularies too.
pub trait Vocabulary {
    /// Finds the longest entry that `text` begins with, and gives its id and its length in bytes
    /// of `text`.
    ///
    /// With `continuation` only entries written with a leading `##` count, and they are matched
    /// without it; otherwise all entries count, as they are written. `text` is valid UTF-8 and
    /// not empty; an entry ends where one of its characters ends. An answer of no bytes, or of
    /// more than `text` has, is taken as none.
    fn longest_match(&self, text: &[u8], continuation: bool) -> Option<(u32, usize)>;
}

impl<V: Vocabulary + ?Sized> Vocabulary for &V {
    fn longest_match(&self, text: &[u8], continuation: bool) -> Option<(u32, usize)> {
        (**self).longest_match(text, continuation)
    }
}

/// How a model wants its text normalized, and the ids of its special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Turn letters into lower case.
    pub lowercase: bool,
    /// Decompose characters and drop nonspacing marks. A BERT model that does not say otherwise
    /// does this exactly when it lower-cases.
    pub strip_accents: bool,
    /// Make each CJK ideograph a word.
    pub split_cjk: bool,
    /// Id of `[PAD]`.
    pub pad: u32,
    /// Id of `[UNK]`, also given to words that the vocabulary cannot spell.
    pub unk: u32,
    /// Id of `[CLS]`.
    pub cls: u32,
    /// Id of `[SEP]`.
    pub sep: u32,
    /// Id of `[MASK]`.
    pub mask: u32,
}

/// One token and the part of the text it stands for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Token {
    /// Vocabulary id.
    pub id: u32,
    /// Byte offset of the first character in the text.
    pub start: u32,
    /// Byte offset after the last character in the text.
    pub end: u32,
}

/// The text has more tokens than the caller gave room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyTokens {
    /// Tokens written: the whole of the caller's slice.
    pub fitted: usize,
}

impl fmt::Display for TooManyTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text has more than {} tokens: give more room or a shorter text", self.fitted)
    }
}

impl core::error::Error for TooManyTokens {}

/// A vocabulary with its settings, ready to tokenize.
#[derive(Clone, Copy, Debug)]
pub struct Tokenizer<V> {
    vocabulary: V,
    settings: Settings,
}

impl<V: Vocabulary> Tokenizer<V> {
    /// A tokenizer over `vocabulary`. Nothing is built: this only keeps the two together.
    pub const fn new(vocabulary: V, settings: Settings) -> Self {
        Self { vocabulary, settings }
    }

    /// The settings given to [`Tokenizer::new`].
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The vocabulary given to [`Tokenizer::new`].
    pub const fn vocabulary(&self) -> &V {
        &self.vocabulary
    }

    /// Calls `emit` with each token in order until it breaks or the text ends.
    ///
    /// Offsets have 32 bits: of a text longer than 4 GiB only that much is read.
    pub fn for_each(&self, text: &str, mut emit: impl FnMut(Token) -> ControlFlow<()>) -> ControlFlow<()> {
        self.for_each_piece(text, |token, _| emit(token))
    }

    /// [`Tokenizer::for_each`] that also says whether a token continues the word of the token before it.
    pub fn for_each_piece(&self, text: &str, emit: impl FnMut(Token, bool) -> ControlFlow<()>) -> ControlFlow<()> {
        let limit = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
        let text = &text[..text.floor_char_boundary(limit)];
        let mut word = word::Word::new();
        scan::Scan::new(text, &self.settings, &self.vocabulary, &mut word, emit).run()
    }

    /// Writes the tokens of `text` to the front of `out` and gives their number.
    ///
    /// # Errors
    ///
    /// [`TooManyTokens`] when they do not all fit; `out` then holds the first of them.
    pub fn tokenize(&self, text: &str, out: &mut [Token]) -> Result<usize, TooManyTokens> {
        let mut count = 0;
        let flow = self.for_each(text, |token| match out.get_mut(count) {
            Some(slot) => {
                *slot = token;
                count += 1;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        });
        match flow {
            ControlFlow::Continue(()) => Ok(count),
            ControlFlow::Break(()) => Err(TooManyTokens { fitted: count }),
        }
    }
}

//! The current word, and its cutting into pieces.

use core::ops::ControlFlow;

use crate::{Token, Vocabulary};

/// A word of more normalized characters than this is one unknown token.
pub const MAX_WORD_CHARS: usize = 100;

/// The current word after normalization, with the source of each of its characters.
///
/// Only the first [`MAX_WORD_CHARS`] characters are kept: a longer word is unknown, and of it
/// nothing is needed but where it starts and ends.
pub(crate) struct Word {
    /// Normalized text, UTF-8.
    bytes: [u8; 4 * MAX_WORD_CHARS],
    /// For each character the offset of the source character it came from ...
    starts: [u32; MAX_WORD_CHARS],
    /// ... and the length of that in bytes.
    widths: [u8; MAX_WORD_CHARS],
    /// Bytes used in `bytes`.
    len: usize,
    /// Characters so far; `MAX_WORD_CHARS + 1` stands for any larger number.
    chars: usize,
    /// Where the source of the last character ends.
    end: u32,
    /// Pieces found, before it is known that the whole word has pieces: ids and lengths.
    ids: [u32; MAX_WORD_CHARS],
    lens: [u16; MAX_WORD_CHARS],
}

impl Word {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; 4 * MAX_WORD_CHARS],
            starts: [0; MAX_WORD_CHARS],
            widths: [0; MAX_WORD_CHARS],
            len: 0,
            chars: 0,
            end: 0,
            ids: [0; MAX_WORD_CHARS],
            lens: [0; MAX_WORD_CHARS],
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.chars == 0
    }

    /// Appends one normalized character that came from the `width` bytes of text at `start`.
    #[inline]
    pub(crate) fn push(&mut self, c: char, start: u32, width: u8) {
        self.end = start + u32::from(width);
        if self.chars >= MAX_WORD_CHARS {
            self.chars = MAX_WORD_CHARS + 1;
            return;
        }
        self.starts[self.chars] = start;
        self.widths[self.chars] = width;
        self.chars += 1;
        self.len += c.encode_utf8(&mut self.bytes[self.len..]).len();
    }

    /// Ends the word: emits its tokens, each with whether it is not the first, and forgets it. Nothing happens if there
    /// is no word.
    pub(crate) fn finish(
        &mut self,
        vocabulary: &impl Vocabulary,
        unk: u32,
        emit: &mut impl FnMut(Token, bool) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (chars, len) = (self.chars, self.len);
        (self.chars, self.len) = (0, 0);
        if chars == 0 {
            return ControlFlow::Continue(());
        }
        let pieces = if chars > MAX_WORD_CHARS { None } else { self.cut(len, vocabulary) };
        let Some(pieces) = pieces else {
            return emit(Token { id: unk, start: self.starts[0], end: self.end }, false);
        };
        let (mut at, mut first) = (0, 0);
        for (&id, &piece) in self.ids.iter().zip(&self.lens).take(pieces) {
            let next = at + usize::from(piece);
            let after = first + self.bytes[at..next].iter().filter(|b| (**b as i8) >= -64).count();
            // A piece has at least one character; a vocabulary that cuts inside of one is wrong,
            // but must not make this panic.
            let last = after.max(1) - 1;
            let first_at = first.min(last);
            let end = self.starts[last] + u32::from(self.widths[last]);
            emit(Token { id, start: self.starts[first_at], end }, at > 0)?;
            (at, first) = (next, after);
        }
        ControlFlow::Continue(())
    }

    /// The same for a whole word of ASCII letters and digits at `start` of the text, none pushed
    /// before it: its offsets need no bookkeeping.
    #[inline]
    pub(crate) fn ascii(
        &mut self,
        source: &[u8],
        start: u32,
        lowercase: bool,
        vocabulary: &impl Vocabulary,
        unk: u32,
        emit: &mut impl FnMut(Token, bool) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let unknown = Token { id: unk, start, end: start + source.len() as u32 };
        if source.len() > MAX_WORD_CHARS {
            return emit(unknown, false);
        }
        let bytes = &mut self.bytes[..source.len()];
        bytes.copy_from_slice(source);
        if lowercase {
            bytes.make_ascii_lowercase();
        }
        let Some(pieces) = self.cut(source.len(), vocabulary) else {
            return emit(unknown, false);
        };
        let mut at = start;
        for (&id, &piece) in self.ids.iter().zip(&self.lens).take(pieces) {
            let end = at + u32::from(piece);
            emit(Token { id, start: at, end }, at > start)?;
            at = end;
        }
        ControlFlow::Continue(())
    }

    /// Cuts the first `len` bytes into the longest pieces from the left, and gives their number;
    /// none if a part has no piece.
    #[inline]
    fn cut(&mut self, len: usize, vocabulary: &impl Vocabulary) -> Option<usize> {
        let mut rest = &self.bytes[..len];
        let mut pieces = 0;
        while !rest.is_empty() {
            let (id, piece) = vocabulary.longest_match(rest, pieces > 0)?;
            if piece == 0 {
                return None;
            }
            rest = rest.get(piece..)?;
            *self.ids.get_mut(pieces)? = id;
            self.lens[pieces] = piece as u16;
            pieces += 1;
        }
        Some(pieces)
    }
}

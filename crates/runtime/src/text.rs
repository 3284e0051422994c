//! From text to the token ids of a sequence: `[CLS] text [SEP]` or `[CLS] text [SEP] pair [SEP]`.

use core::ops::ControlFlow;

use distil_format::{Config, Head};
use distil_tokenizer::{Settings, Token, Tokenizer};

use crate::buffers::Buffers;
use crate::error::RunError;

/// What a token is to the words of its text: the first piece of one ...
pub(crate) const WORD: u8 = 0;
/// ... a later piece of one ...
pub(crate) const PIECE: u8 = 1;
/// ... or no part of the text: `[CLS]`, `[SEP]`, or an id that was given without a text.
pub(crate) const ADDED: u8 = 2;

/// The vocabulary inside a packed file, as the tokenizer searches it.
#[derive(Clone, Copy)]
pub struct PackedVocabulary<'a>(pub distil_format::Vocabulary<'a>);

impl distil_tokenizer::Vocabulary for PackedVocabulary<'_> {
    fn longest_match(&self, text: &[u8], continuation: bool) -> Option<(u32, usize)> {
        self.0.longest_match(text, continuation)
    }
}

/// The tokenizer of a packed file.
pub fn tokenizer<'a>(config: &Config, vocabulary: distil_format::Vocabulary<'a>) -> Tokenizer<PackedVocabulary<'a>> {
    let settings = Settings {
        lowercase: config.lowercase,
        strip_accents: config.strip_accents,
        split_cjk: config.split_cjk,
        pad: config.pad_id,
        unk: config.unk_id,
        cls: config.cls_id,
        sep: config.sep_id,
        mask: config.mask_id,
    };
    Tokenizer::new(PackedVocabulary(vocabulary), settings)
}

/// The two texts of a line: `question<TAB>context` for a question answering head, `text<TAB>pair` for a classifier of
/// texts; else the line alone.
pub fn texts_of(head: Head, line: &str) -> (&str, Option<&str>) {
    match line.split_once('\t') {
        Some((first, second)) if matches!(head, Head::QuestionAnswering | Head::SequenceClassification) => {
            (first, Some(second))
        }
        _ => (line, None),
    }
}

/// Fills `buffers` with the sequence of `text` and `pair`; returns its number of tokens.
///
/// A sequence longer than `most` is an error, or with `truncate` loses tokens from the end of the
/// longer text until it fits.
pub(crate) fn fill(
    tokenizer: &Tokenizer<PackedVocabulary>,
    config: &Config,
    texts: (&str, Option<&str>),
    most: usize,
    truncate: bool,
    buffers: &mut Buffers,
) -> Result<usize, RunError> {
    let (text, pair) = texts;
    let special = if pair.is_some() { 3 } else { 2 };
    let segments = Sequence { tokenizer, config, most, buffers };
    let (written, lengths) = segments.write(text, pair, (usize::MAX, usize::MAX));
    let needed = lengths.0 + lengths.1 + special;
    if needed <= most {
        return Ok(written);
    }
    if !truncate || most < special {
        return Err(RunError::TooLong { tokens: needed, most });
    }
    let segments = Sequence { tokenizer, config, most, buffers };
    Ok(segments.write(text, pair, shares(lengths, most - special)).0)
}

/// A part of a context behind its question.
pub(crate) struct Window {
    /// Tokens of the sequence.
    pub(crate) tokens: usize,
    /// The first of them that is of the context.
    pub(crate) first: usize,
    /// Tokens of the context in it.
    pub(crate) len: usize,
    /// Whether a word goes on behind its end.
    pub(crate) cut: bool,
    /// Whether the context does.
    pub(crate) more: bool,
}

/// Fills `buffers` with `[CLS] question [SEP] part [SEP]`, where the question has its first `keep` tokens and the
/// part those of the context from `skip` on, at most `room` of them: together no more than the session takes.
pub(crate) fn fill_window(
    tokenizer: &Tokenizer<PackedVocabulary>,
    config: &Config,
    (question, keep): (&str, usize),
    (context, skip, room): (&str, usize, usize),
    buffers: &mut Buffers,
) -> Window {
    let mut sequence = Sequence { tokenizer, config, most: keep + room + 3, buffers };
    let mut at = 0;
    sequence.added(&mut at, config.cls_id, 0);
    sequence.text(&mut at, question, 0, keep);
    sequence.added(&mut at, config.sep_id, 0);
    let segment = u8::from(config.type_vocab > 1);
    let (first, mut count) = (at, 0);
    let (mut cut, mut more) = (false, false);
    let _ = tokenizer.for_each_piece(context, |token, continues| {
        if count == skip + room {
            (cut, more) = (continues, true);
            return ControlFlow::Break(());
        }
        if count >= skip {
            sequence.push(&mut at, token, segment, word(continues));
        }
        count += 1;
        ControlFlow::Continue(())
    });
    let len = at - first;
    sequence.added(&mut at, config.sep_id, segment);
    Window { tokens: at, first, len, cut, more }
}

/// Tokens of a text, nothing added.
pub(crate) fn count(tokenizer: &Tokenizer<PackedVocabulary>, text: &str) -> usize {
    let mut count = 0;
    let _ = tokenizer.for_each(text, |_| {
        count += 1;
        ControlFlow::<()>::Continue(())
    });
    count
}

const fn word(continues: bool) -> u8 {
    if continues { PIECE } else { WORD }
}

/// How many tokens of two texts to keep out of `room`, taking from the longer one first.
fn shares((a, b): (usize, usize), room: usize) -> (usize, usize) {
    let half = room / 2;
    if a <= half {
        (a, room - a)
    } else if b <= room - half {
        (room - b, b)
    } else {
        (room - half, half)
    }
}

struct Sequence<'s, 'v, 'b, 'm> {
    tokenizer: &'s Tokenizer<PackedVocabulary<'v>>,
    config: &'s Config,
    most: usize,
    buffers: &'b mut Buffers<'m>,
}

impl Sequence<'_, '_, '_, '_> {
    /// Writes the sequence with at most `keep` tokens of each text.
    /// Returns how many tokens were written and how many the texts have.
    fn write(mut self, text: &str, pair: Option<&str>, keep: (usize, usize)) -> (usize, (usize, usize)) {
        let mut at = 0;
        self.added(&mut at, self.config.cls_id, 0);
        let first = self.text(&mut at, text, 0, keep.0);
        self.added(&mut at, self.config.sep_id, 0);
        let mut second = 0;
        if let Some(pair) = pair {
            let segment = u8::from(self.config.type_vocab > 1);
            second = self.text(&mut at, pair, segment, keep.1);
            self.added(&mut at, self.config.sep_id, segment);
        }
        (at, (first, second))
    }

    fn text(&mut self, at: &mut usize, text: &str, segment: u8, keep: usize) -> usize {
        let mut count = 0;
        let tokenizer = self.tokenizer;
        let _ = tokenizer.for_each_piece(text, |token, continues| {
            if count < keep {
                self.push(at, token, segment, word(continues));
            }
            count += 1;
            ControlFlow::<()>::Continue(())
        });
        count
    }

    /// Writes a token that is not in the text.
    fn added(&mut self, at: &mut usize, id: u32, segment: u8) {
        self.push(at, Token { id, start: 0, end: 0 }, segment, ADDED);
    }

    /// Writes one token, or nothing once the session is full: the caller compares the counts.
    fn push(&mut self, at: &mut usize, token: Token, segment: u8, word: u8) {
        if *at < self.most {
            let i = *at;
            self.buffers.ids[i] = token.id;
            self.buffers.starts[i] = token.start;
            self.buffers.ends[i] = token.end;
            self.buffers.types[i] = segment;
            if let Some(place) = self.buffers.words.get_mut(i) {
                *place = word;
            }
            *at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn truncation_takes_from_the_longer_text() {
        assert_eq!(shares((3, 100), 10), (3, 7));
        assert_eq!(shares((100, 3), 10), (7, 3));
        assert_eq!(shares((100, 100), 10), (5, 5));
        assert_eq!(shares((100, 100), 11), (6, 5));
        assert_eq!(shares((100, 0), 10), (10, 0));
    }
}

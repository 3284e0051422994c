//! From text to the token ids of a sequence: `[CLS] text [SEP]` or `[CLS] text [SEP] pair [SEP]`.

use core::ops::ControlFlow;

use distil_format::Config;
use distil_tokenizer::{Settings, Tokenizer};

use crate::buffers::Buffers;
use crate::error::RunError;

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
        self.push(&mut at, self.config.cls_id, 0, 0, 0);
        let first = self.text(&mut at, text, 0, keep.0);
        self.push(&mut at, self.config.sep_id, 0, 0, 0);
        let mut second = 0;
        if let Some(pair) = pair {
            let segment = u8::from(self.config.type_vocab > 1);
            second = self.text(&mut at, pair, segment, keep.1);
            self.push(&mut at, self.config.sep_id, 0, 0, segment);
        }
        (at, (first, second))
    }

    fn text(&mut self, at: &mut usize, text: &str, segment: u8, keep: usize) -> usize {
        let mut count = 0;
        let tokenizer = self.tokenizer;
        let _ = tokenizer.for_each(text, |token| {
            if count < keep {
                self.push(at, token.id, token.start, token.end, segment);
            }
            count += 1;
            ControlFlow::<()>::Continue(())
        });
        count
    }

    /// Writes one token, or nothing once the session is full: the caller compares the counts.
    fn push(&mut self, at: &mut usize, id: u32, start: u32, end: u32, segment: u8) {
        if *at < self.most {
            let i = *at;
            self.buffers.ids[i] = id;
            self.buffers.starts[i] = start;
            self.buffers.ends[i] = end;
            self.buffers.types[i] = segment;
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

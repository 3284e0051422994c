//! WordPiece with a memory for words: text repeats itself, so most words are looked up and not cut again.
//!
//! Text is cut at ASCII spaces and ASCII punctuation first. BERT's normalization never looks across either (both are
//! starters in Unicode's sense, none changes when marks follow, and punctuation stands alone afterwards), so what lies
//! between them can be tokenized by itself, and [`Vocabulary::encode`] of the whole gives the same ids.

use super::Vocabulary;
use crate::Result;

/// Slots of the memory: 4 MiB for each thread.
const SLOTS: usize = 1 << 16;
/// Longest word remembered, in bytes; the last byte of a key holds the length.
const LONGEST: usize = 31;
/// Most tokens remembered of a word.
const MOST: usize = 7;

/// A tokenizer for one thread; a copy begins with the same memory.
#[derive(Clone, Debug)]
pub struct Encoder<'v> {
    vocabulary: &'v Vocabulary,
    slots: Vec<Slot>,
    /// Ids of the ASCII punctuation marks.
    marks: [u32; 128],
    lower: String,
}

/// One word and its ids: a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Slot {
    key: [u64; 4],
    count: u32,
    ids: [u32; MOST],
}

const _: () = assert!(size_of::<Slot>() == 64);

/// What a byte does to a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Space,
    Mark,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Word; 256];
    let mut b = 0;
    while b < 128 {
        // The other white space of ASCII is dropped as control characters, without parting words.
        if matches!(b as u8, b' ' | b'\t' | b'\n' | b'\r') {
            classes[b] = Class::Space;
        } else if (b as u8).is_ascii_punctuation() {
            classes[b] = Class::Mark;
        }
        b += 1;
    }
    classes
};

impl<'v> Encoder<'v> {
    /// An encoder that remembers nothing yet.
    pub fn new(vocabulary: &'v Vocabulary) -> Result<Self> {
        let mut marks = [vocabulary.special.unk; 128];
        for b in (0..128u8).filter(u8::is_ascii_punctuation) {
            if let [id] = vocabulary.encode(char::from(b).encode_utf8(&mut [0; 4]))?[..] {
                marks[usize::from(b)] = id;
            }
        }
        Ok(Self { vocabulary, slots: vec![Slot::default(); SLOTS], marks, lower: String::new() })
    }

    /// Appends the token ids of a text, without special tokens: the same as [`Vocabulary::encode`] gives.
    pub fn encode(&mut self, text: &str, out: &mut Vec<u32>) -> Result<()> {
        let bytes = text.as_bytes();
        let mut start = 0;
        for (i, &b) in bytes.iter().enumerate() {
            let class = CLASSES[usize::from(b)];
            if class == Class::Word {
                continue;
            }
            if start < i {
                self.word(&text[start..i], out)?;
            }
            if class == Class::Mark {
                out.push(self.marks[usize::from(b)]);
            }
            start = i + 1;
        }
        if start < bytes.len() { self.word(&text[start..], out) } else { Ok(()) }
    }

    /// What stands between spaces and punctuation marks of ASCII: not always one word.
    fn word(&mut self, word: &str, out: &mut Vec<u32>) -> Result<()> {
        if word.len() > LONGEST {
            return self.cut(word, out);
        }
        let key = key(word.as_bytes());
        let place = place(key);
        let slot = &self.slots[place];
        if slot.key == key {
            out.extend_from_slice(&slot.ids[..slot.count as usize]);
            return Ok(());
        }
        let before = out.len();
        self.cut(word, out)?;
        let found = &out[before..];
        if found.len() <= MOST {
            let mut ids = [0; MOST];
            ids[..found.len()].copy_from_slice(found);
            self.slots[place] = Slot { key, count: found.len() as u32, ids };
        }
        Ok(())
    }

    fn cut(&mut self, word: &str, out: &mut Vec<u32>) -> Result<()> {
        if !word.bytes().all(|b| b.is_ascii_alphanumeric()) {
            out.extend(self.vocabulary.encode(word)?);
            return Ok(());
        }
        // Nothing to clean and nothing to part.
        if !self.vocabulary.lowercase {
            return self.vocabulary.encode_word(word, out);
        }
        self.lower.clear();
        self.lower.push_str(word);
        self.lower.make_ascii_lowercase();
        self.vocabulary.encode_word(&self.lower, out)
    }
}

/// The word padded with zeros, its length in the last byte. No word has length 0, so an empty slot matches none.
fn key(word: &[u8]) -> [u64; 4] {
    let mut bytes = [0u8; 32];
    bytes[..word.len()].copy_from_slice(word);
    bytes[LONGEST] = word.len() as u8;
    [0, 8, 16, 24].map(|i| u64::from_le_bytes(bytes[i..i + 8].try_into().expect("8 bytes")))
}

fn place(key: [u64; 4]) -> usize {
    let mix = key.iter().fold(0u64, |hash, &part| (hash.rotate_left(5) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (mix >> 32) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    const ENTRIES: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nab\n##a\n##b\n##ab\ne\n##e\n.\n,\n-\n#\n##\n'\ni\n##i\n\
                           ss\n##ss\nß\n中\n文\n国\n。\n“\n”\n[\n]\nmask\n0\n1\n##1\nab-ab\n²\n";

    /// Characters that are special somewhere in the normalization.
    const SPECIAL: [char; 42] = [
        ' ', ' ', ' ', ' ', '\t', '\r', '.', ',', '-', '#', '\'', '[', ']', '<', '=', '`', '\u{0}', '\u{b}', '\u{c}',
        '\u{1f}', '\u{7f}', '\u{85}', '\u{a0}', '\u{ad}', '\u{200b}', '\u{2028}', '\u{3000}', '\u{fffd}', '\u{301}',
        '\u{323}', '\u{338}', '\u{e000}', 'é', 'İ', 'ß', 'Σ', '中', '文', '\u{f900}', '“', '。', '²',
    ];

    #[test]
    fn the_same_as_the_definition() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for lowercase in [true, false] {
            let vocabulary = Vocabulary::new(ENTRIES.into(), lowercase).unwrap();
            let mut encoder = Encoder::new(&vocabulary).unwrap();
            for _ in 0..20_000 {
                let length = rng.random_range(0..24);
                let text: String = (0..length)
                    .map(|_| match rng.random_range(0..3) {
                        0 => SPECIAL[rng.random_range(0..SPECIAL.len())],
                        1 => rng.random_range('\u{0}'..='\u{7f}'),
                        _ => ['a', 'b', 'A', 'B', 'i', '1'][rng.random_range(0..6)],
                    })
                    .collect();
                let mut ids = vec![];
                encoder.encode(&text, &mut ids).unwrap();
                assert_eq!(ids, vocabulary.encode(&text).unwrap(), "{text:?}");
            }
        }
    }

    #[test]
    fn every_character_between_others() {
        for lowercase in [true, false] {
            let vocabulary = Vocabulary::new(ENTRIES.into(), lowercase).unwrap();
            let mut encoder = Encoder::new(&vocabulary).unwrap();
            for c in ('\u{0}'..='\u{3ff}').chain('\u{2000}'..='\u{206f}').chain('\u{3000}'..='\u{30ff}') {
                for text in [format!("a{c}b"), format!("a {c}b"), format!("a.{c}b"), format!("é{c}.b")] {
                    let mut ids = vec![];
                    encoder.encode(&text, &mut ids).unwrap();
                    assert_eq!(ids, vocabulary.encode(&text).unwrap(), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn long_words_and_many_pieces() {
        let vocabulary = Vocabulary::new(ENTRIES.into(), true).unwrap();
        let mut encoder = Encoder::new(&vocabulary).unwrap();
        for length in [1, 7, 8, 30, 31, 32, 99, 100, 101, 1000] {
            // Twice: the second time from the memory, where it was kept.
            for _ in 0..2 {
                for text in ["a".repeat(length), "é".repeat(length), format!("{}中", "b".repeat(length))] {
                    let mut ids = vec![9];
                    encoder.encode(&text, &mut ids).unwrap();
                    assert_eq!(ids[1..], vocabulary.encode(&text).unwrap(), "{length}");
                }
            }
        }
    }
}

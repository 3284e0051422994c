//! Look-ups in the generated tables.

use crate::tables::{
    CLASS_INDEX, CLASS_RUNS, COMBINING_RUNS, DECOMPOSED, DECOMPOSED_OFFSETS, DECOMPOSED_POOL, DECOMPOSED_STARTS,
};

/// What a character is to the tokenizer. One class per character is enough: the table's generator
/// checks that no character would need two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// Part of a word.
    Plain,
    /// Dropped by the clean-up.
    Removed,
    /// Ends a word.
    Space,
    /// A word of its own.
    Punctuation,
    /// An ideograph: a word of its own if the model splits them.
    Cjk,
    /// Dropped with the accents: nothing but nonspacing marks.
    Mark,
    /// Takes part in the reordering of marks, but stays.
    KeptMark,
}

/// Class of a character: its [`Base`], and whether decomposition without accents changes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) base: Base,
    pub(crate) decomposes: bool,
}

/// The class of `c`.
pub(crate) fn class(c: char) -> Class {
    let code = u32::from(c);
    let block = (code >> 8) as usize;
    let (low, high) = if block + 1 < CLASS_INDEX.len() {
        (usize::from(CLASS_INDEX[block]), usize::from(CLASS_INDEX[block + 1]) + 1)
    } else {
        (usize::from(CLASS_INDEX[CLASS_INDEX.len() - 1]), CLASS_RUNS.len())
    };
    let runs = &CLASS_RUNS[low..high];
    let after = if runs.len() == 1 { 1 } else { runs.partition_point(|run| run >> 8 <= code) };
    // The index leads to a run that starts at or before the block, so `after` is at least 1.
    let byte = runs[after - 1];
    let base = match byte & 7 {
        0 => Base::Plain,
        1 => Base::Removed,
        2 => Base::Space,
        3 => Base::Punctuation,
        4 => Base::Cjk,
        5 => Base::Mark,
        _ => Base::KeptMark,
    };
    Class { base, decomposes: byte & 8 != 0 }
}

/// Combining class of the first character of the decomposition of `c`: 0 for a starter.
pub(crate) fn combining_class(c: char) -> u8 {
    let after = COMBINING_RUNS.partition_point(|run| run >> 8 <= u32::from(c));
    (COMBINING_RUNS[after - 1] & 0xFF) as u8
}

/// What is left of a character after canonical decomposition and removal of nonspacing marks.
/// Only for characters whose class says that they decompose; others are left as they are.
pub(crate) fn decompose(c: char) -> Decomposed {
    let code = u32::from(c);
    if let Some(index) = code.checked_sub(SYLLABLES).filter(|i| *i < 19 * 21 * 28) {
        return Decomposed::hangul(index);
    }
    let run = DECOMPOSED_STARTS.partition_point(|start| *start <= code);
    let Some(run) = run.checked_sub(1) else {
        return Decomposed::One(c);
    };
    let slot = usize::from(DECOMPOSED_OFFSETS[run]) + (code - DECOMPOSED_STARTS[run]) as usize;
    match DECOMPOSED.get(slot) {
        Some(value @ 0xD800..0xE000) => Decomposed::Pool(usize::from(value - 0xD800)),
        Some(&value) => Decomposed::One(char::from_u32(u32::from(value)).unwrap_or(c)),
        None => Decomposed::One(c),
    }
}

/// Hangul syllables decompose by arithmetic: 19 leading consonants, 21 vowels, 27 trailing
/// consonants or none (The Unicode Standard, section 3.12).
const SYLLABLES: u32 = 0xAC00;

/// The characters of a decomposition, in order.
#[derive(Clone, Copy)]
pub(crate) enum Decomposed {
    One(char),
    /// The rest of a Hangul syllable: up to three jamo, the next one first.
    Jamo([char; 3], u8),
    /// Index into `DECOMPOSED_POOL`.
    Pool(usize),
    Done,
}

impl Decomposed {
    fn hangul(index: u32) -> Self {
        let jamo = |base: u32, i: u32| char::from_u32(base + i).unwrap_or_default();
        let (lead, vowel) = (jamo(0x1100, index / 588), jamo(0x1161, index % 588 / 28));
        match index % 28 {
            0 => Self::Jamo([lead, vowel, '\0'], 2),
            trail => Self::Jamo([lead, vowel, jamo(0x11A7, trail)], 3),
        }
    }
}

impl Iterator for Decomposed {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match *self {
            Self::One(c) => {
                *self = Self::Done;
                Some(c)
            }
            Self::Jamo(_, 0) | Self::Done => None,
            Self::Jamo([a, b, c], left) => {
                *self = Self::Jamo([b, c, a], left - 1);
                Some(a)
            }
            Self::Pool(index) => {
                let entry = *DECOMPOSED_POOL.get(index)?;
                *self = if entry >> 31 == 0 { Self::Pool(index + 1) } else { Self::Done };
                char::from_u32(entry & !(1 << 31))
            }
        }
    }
}

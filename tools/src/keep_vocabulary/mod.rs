//! Dropping the vocabulary entries that a text does not need, and with them their rows of the word table.
//!
//! Words are cut greedily into the longest pieces there are. So a word whose pieces are all kept is cut as before: at each
//! place the longest entry is still there. A word that needs a dropped piece is cut into shorter ones. That it does not
//! become `[UNK]` is what single characters are kept for, as words and as continuations; where a vocabulary has a
//! character only inside longer entries, those are kept.

mod count;
mod report;
mod rows;

use std::collections::HashSet;
use std::path::Path;

use distil_format::{Vocabulary, WriteError, build_vocabulary};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::hf::{self, Model};
use crate::pack;
use crate::sequence::Sequencer;
use crate::text::read_text;
use count::Counts;

pub use report::Report;
pub use rows::follow;

/// What the manifest says about dropped entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Kept {
    /// SHA-256 of the text, in hexadecimal.
    pub text_sha256: String,
    /// Entries that stayed.
    pub entries: u64,
    /// Entries that there were.
    pub of: u64,
}

/// Drops what the text in the file `path` does not need from `vocabulary` and `model`. Entries keep their order and get new
/// ids. `progress` is told how many of how many lines are done; each is looked at twice.
///
/// # Errors
/// If the file cannot be read or holds no text, and if the vocabulary cannot be packed at all.
pub fn keep(
    model: &mut Model,
    vocabulary: &mut hf::Vocabulary,
    path: &Path,
    mut progress: impl FnMut(usize, usize),
) -> Result<Report, Error> {
    let text = read_text(path)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        let message = format!("{}: no text in it", path.display());
        return Err(Error::usage(message, "give a file with text of the kind that the model is for"));
    }
    let folder = model.folder.clone();
    let wrong = |error: WriteError| Error::Pack { folder: folder.clone(), error };
    let before_bytes = build_vocabulary(&vocabulary.pieces).map_err(wrong)?;
    let before = Sequencer::new(&pack::config(model, vocabulary, model.pooling), view(&before_bytes));
    let counts = Counts::of(&lines, &before, vocabulary.pieces.len(), |done| progress(done, 2 * lines.len()));

    let fallback = Fallback::of(&vocabulary.pieces);
    let special = special(vocabulary);
    let always = |id: usize| special.contains(&id) || fallback.keeps(&vocabulary.pieces[id]);
    let ids: Vec<usize> = (0..vocabulary.pieces.len()).filter(|&id| counts.all(id) > 0 || always(id)).collect();
    let kept = Kept {
        text_sha256: Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
        entries: ids.len() as u64,
        of: vocabulary.pieces.len() as u64,
    };
    let (used, tokens) = ((0..vocabulary.pieces.len()).filter(|&id| counts.all(id) > 0).count(), counts.tokens());
    let (unknown, expected) = (counts.all(vocabulary.special.unk as usize), counts.expected(always));

    let rows = model.config.vocab_size;
    rows::keep(model, vocabulary, &ids);
    vocabulary.kept = Some(kept.clone());
    let after_bytes = build_vocabulary(&vocabulary.pieces).map_err(wrong)?;
    let after = Sequencer::new(&pack::config(model, vocabulary, model.pooling), view(&after_bytes));
    let done = |done: usize| progress(lines.len() + done, 2 * lines.len());
    let same = count::same(&lines, &before, &after, &ids, done) as f64 / tokens.max(1) as f64;
    Ok(Report {
        kept,
        used,
        tokens,
        unknown,
        same,
        expected,
        inner_characters: fallback.inner.len(),
        rows_dropped: rows - ids.len(),
        vocabulary_bytes_dropped: before_bytes.len().saturating_sub(after_bytes.len()),
    })
}

fn view(bytes: &[u8]) -> Vocabulary<'_> {
    Vocabulary::new(bytes).expect("it was just built")
}

fn special(vocabulary: &hf::Vocabulary) -> [usize; 5] {
    let hf::SpecialIds { pad, unk, cls, sep, mask } = vocabulary.special;
    [pad, unk, cls, sep, mask].map(|id| id as usize)
}

/// An entry without its `##`, and whether it had one.
fn split(piece: &str) -> (&str, bool) {
    match piece.strip_prefix("##") {
        Some(rest) if !rest.is_empty() => (rest, true),
        _ => (piece, false),
    }
}

/// What stays whatever the text: all that words of unknown pieces can be made of.
struct Fallback {
    /// Characters that are no entry of their own where they stand in some entry: at the start of a word, or (`true`)
    /// inside.
    inner: HashSet<(char, bool)>,
}

impl Fallback {
    fn of(pieces: &[String]) -> Self {
        let alone: HashSet<(char, bool)> = pieces.iter().filter_map(|piece| single(piece)).collect();
        // An entry in brackets is no part of a word: brackets are words of their own.
        let words = pieces.iter().filter(|piece| !is_bracketed(piece));
        let inner = words.flat_map(|piece| places(piece)).filter(|place| !alone.contains(place)).collect();
        Self { inner }
    }

    fn keeps(&self, piece: &str) -> bool {
        single(piece).is_some() || (!is_bracketed(piece) && places(piece).any(|place| self.inner.contains(&place)))
    }
}

fn is_bracketed(piece: &str) -> bool {
    piece.len() > 2 && piece.starts_with('[') && piece.ends_with(']')
}

/// The characters of an entry, each with whether it stands inside a word.
fn places(piece: &str) -> impl Iterator<Item = (char, bool)> + '_ {
    let (text, continues) = split(piece);
    text.chars().enumerate().map(move |(index, char)| (char, continues || index > 0))
}

/// The character of an entry that has one.
fn single(piece: &str) -> Option<(char, bool)> {
    let mut places = places(piece);
    places.next().filter(|_| places.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fallback(pieces: &[&str]) -> (Vec<String>, usize) {
        let pieces: Vec<String> = pieces.iter().map(|&piece| piece.to_owned()).collect();
        let fallback = Fallback::of(&pieces);
        let kept = pieces.iter().filter(|piece| fallback.keeps(piece)).cloned();
        (kept.collect(), fallback.inner.len())
    }

    #[test]
    fn single_characters_stay() {
        let (kept, inner) =
            fallback(&["[PAD]", "[unused1]", "a", "##a", "b", "##b", "ab", "##ba", "é", "##é", "#", "##"]);
        // `##` alone is a word of two characters, the second of which is nowhere alone inside a word.
        assert_eq!((&kept[..], inner), (&["a", "##a", "b", "##b", "é", "##é", "#", "##"].map(str::to_owned)[..], 1));
    }

    #[test]
    fn entries_with_a_character_of_their_own_stay() {
        let (kept, inner) = fallback(&["a", "##a", "aña", "##ña", "aa", "ña"]);
        assert_eq!((&kept[..], inner), (&["a", "##a", "aña", "##ña", "ña"].map(str::to_owned)[..], 2));
    }
}

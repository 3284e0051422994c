//! Vocabularies of two files, entry by entry.

use std::collections::HashMap;

use distil_format::{Artifact, MAX_PIECE_BYTES, SectionKind, Vocabulary};
use schemars::JsonSchema;
use serde::Serialize;

/// How many entries are shown.
const SHOWN: usize = 10;

/// Two vocabularies; its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VocabularyReport {
    /// Entries of the first file.
    pub a: usize,
    /// Entries of the second file.
    pub b: usize,
    /// Entries that only the first file has.
    pub only_a: usize,
    /// Entries that only the second file has.
    pub only_b: usize,
    /// Entries of both files that have another id in each.
    pub renumbered: usize,
    /// The first ids with another entry in each file, at most ten.
    pub first: Vec<EntryReport>,
}

/// An id whose entry differs; its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct EntryReport {
    /// The id.
    pub id: usize,
    /// The first file's entry, as `vocab.txt` has it; null if there is none.
    pub a: Option<String>,
    /// The second file's.
    pub b: Option<String>,
}

/// `None` if both have the same bytes.
pub(super) fn compare(a: &Artifact<'_>, b: &Artifact<'_>) -> Option<VocabularyReport> {
    if section(a) == section(b) {
        return None;
    }
    let (a, b) = (entries(&a.vocabulary()), entries(&b.vocabulary()));
    let ids: HashMap<&str, usize> = b.iter().enumerate().map(|(id, entry)| (&**entry, id)).collect();
    let in_both: Vec<bool> = a.iter().enumerate().filter_map(|(id, entry)| Some(*ids.get(&**entry)? == id)).collect();
    let differing = (0..a.len().max(b.len())).filter(|&id| a.get(id) != b.get(id));
    Some(VocabularyReport {
        only_a: a.len() - in_both.len(),
        only_b: b.len() - in_both.len(),
        renumbered: in_both.iter().filter(|same| !**same).count(),
        first: differing
            .take(SHOWN)
            .map(|id| EntryReport { id, a: a.get(id).cloned(), b: b.get(id).cloned() })
            .collect(),
        a: a.len(),
        b: b.len(),
    })
}

fn section<'a>(artifact: &Artifact<'a>) -> Option<&'a [u8]> {
    let (_, range) = artifact.sections().find(|(kind, _)| *kind == SectionKind::Vocabulary)?;
    artifact.bytes().get(range)
}

/// Every entry by id, as `vocab.txt` has it; empty for an id without one.
fn entries(vocabulary: &Vocabulary<'_>) -> Vec<String> {
    let mut entries = vec![String::new(); vocabulary.len()];
    let mut buffer = [0; MAX_PIECE_BYTES];
    // In the order in which they are stored: looking up each id would walk over half of the vocabulary every time.
    for index in 0..vocabulary.len() {
        let Some((id, piece, continues)) = vocabulary.entry(index, &mut buffer) else { continue };
        if let Some(entry) = entries.get_mut(id as usize) {
            *entry = if continues { format!("##{piece}") } else { piece.to_owned() };
        }
    }
    entries
}

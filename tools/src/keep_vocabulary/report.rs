//! What dropping entries came to, for people and programs.

use std::io::{self, Write};

use distil_format::{Artifact, Role};
use serde::Serialize;

use super::Kept;

/// What dropping came to; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// What the manifest says too.
    #[serde(flatten)]
    pub kept: Kept,
    /// Entries that occur in the text.
    pub used: usize,
    /// Tokens of the text.
    pub tokens: u64,
    /// Those of them that are `[UNK]`.
    pub unknown: u64,
    /// Share of the text's tokens that are the same with the entries that stayed.
    pub same: f64,
    /// Share of the tokens of every tenth line that would be the same if only the other lines had been given: what to expect
    /// of new text of this kind. `None` for fewer than ten lines.
    pub expected: Option<f64>,
    /// Characters that the vocabulary has only inside longer entries: a word with one of them that needs a dropped piece
    /// may become `[UNK]`. None in BERT's own vocabularies.
    pub inner_characters: usize,
    /// Rows of the word table that went.
    pub rows_dropped: usize,
    /// Bytes by which the packed vocabulary shrank.
    pub vocabulary_bytes_dropped: usize,
}

impl Report {
    /// Bytes by which the file `artifact`, packed with what stayed, is smaller than with everything; padding left out.
    pub fn saved(&self, artifact: &Artifact<'_>) -> usize {
        // Every row of the word table, and every value of the bias, takes the same.
        let each = [Role::WordEmbedding, Role::MlmBias].into_iter().filter_map(|role| artifact.tensor(role, 0));
        let each: usize =
            each.map(|tensor| (tensor.data.len() + tensor.scales.len()) / artifact.config().vocab_size as usize).sum();
        each * self.rows_dropped + self.vocabulary_bytes_dropped
    }

    /// Prints it; `saved` is the size saved, as text.
    pub fn print(&self, out: &mut dyn Write, saved: &str) -> io::Result<()> {
        let Self { kept: Kept { entries, of, .. }, used, tokens, unknown, same, .. } = self;
        writeln!(out, "vocabulary: {entries} of {of} entries kept ({used} of them occur in the text), {saved} saved")?;
        let unknown = *unknown as f64 / (*tokens).max(1) as f64 * 100.0;
        write!(out, "the text: {tokens} tokens ({unknown:.2}% [UNK]), {:.2}% of them as before", same * 100.0)?;
        match self.expected {
            Some(share) => {
                writeln!(out, "; of every tenth line {:.2}% if only the others had been given", share * 100.0)?
            }
            None => writeln!(out)?,
        }
        match self.inner_characters {
            0 => Ok(()),
            count => writeln!(
                out,
                "note: {count} character(s) are in this vocabulary only inside longer entries; words with them may become [UNK]"
            ),
        }
    }
}

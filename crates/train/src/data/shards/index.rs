//! `index.json`: what a data folder holds and how it was made.

use super::VERSION;
use crate::data::text::BadLine;
use crate::data::vocabulary::Special;
use crate::{Error, Result, files};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// One binary file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardEntry {
    /// File name in the folder.
    pub file: String,
    /// Sequences in it.
    pub sequences: u64,
    /// Tokens in it.
    pub tokens: u64,
}

/// `index.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Version of the format: 2.
    pub version: u32,
    /// SHA-256 of `vocab.txt`.
    pub vocabulary_sha256: String,
    /// Entries of the vocabulary.
    pub vocabulary_size: usize,
    /// Whether text was lower-cased.
    pub lowercase: bool,
    /// Ids of the special tokens.
    pub special: Special,
    /// Longest sequence allowed when the text was cut, special tokens included.
    pub max_length: usize,
    /// Lines or rows with text.
    pub lines: u64,
    /// Pieces left out because they were short.
    pub dropped_short: u64,
    /// Pieces left out because half or more of their tokens were unknown.
    pub dropped_unknown: u64,
    /// Lines left out because there was no text in them, by kind.
    pub bad_lines: BTreeMap<BadLine, u64>,
    /// Files that could not be read to their ends.
    pub damaged_files: u64,
    /// Training text.
    pub train: Vec<ShardEntry>,
    /// Held-out text; may be empty.
    pub held_out: Vec<ShardEntry>,
    /// How often each token occurs in the training text.
    pub counts: Vec<u64>,
}

impl Index {
    /// Reads `index.json` of a data folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("index.json");
        if !path.exists() {
            let reason = if folder.is_dir() { "no index.json in it" } else { "no such folder" };
            return Err(Error::file(folder, reason, "make it with `train prepare`"));
        }
        let wrong = |reason: String| Error::file(&path, reason, "run `train prepare` again");
        let json: serde_json::Value =
            serde_json::from_slice(&files::read(&path)?).map_err(|e| wrong(format!("not an index: {e}")))?;
        match json["version"].as_u64() {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => return Err(wrong(format!("data of version {version}, not {VERSION}"))),
            None => return Err(wrong("not an index of prepared data".into())),
        }
        let index: Self = serde_json::from_value(json).map_err(|e| wrong(format!("not an index: {e}")))?;
        if index.counts.len() != index.vocabulary_size {
            return Err(wrong(format!("{} counts for {} entries", index.counts.len(), index.vocabulary_size)));
        }
        Ok(index)
    }

    /// Tokens in some shards.
    pub fn tokens(entries: &[ShardEntry]) -> u64 {
        entries.iter().map(|entry| entry.tokens).sum()
    }

    /// Sequences in some shards.
    pub fn sequences(entries: &[ShardEntry]) -> u64 {
        entries.iter().map(|entry| entry.sequences).sum()
    }
}

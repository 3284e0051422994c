//! Writes shards.

use super::ShardEntry;
use super::dataset::bytes_of;
use super::header::Header;
use crate::{Result, files};
use std::path::{Path, PathBuf};

/// Tokens in a shard, about: what the writer holds in memory.
const SHARD: usize = if cfg!(test) { 8192 } else { 16 << 20 };

/// Writes sequences to shards named `PREFIX-00000.bin` and so on.
#[derive(Debug)]
pub(in crate::data) struct ShardWriter {
    folder: PathBuf,
    prefix: &'static str,
    width: usize,
    vocabulary: [u8; 32],
    /// Where each sequence ends, as bytes.
    table: Vec<u8>,
    tokens: Vec<u8>,
    entries: Vec<ShardEntry>,
}

impl ShardWriter {
    /// Tokens take two bytes when the vocabulary, whose SHA-256 goes into every shard, allows it.
    pub(in crate::data) fn new(folder: &Path, prefix: &'static str, vocabulary_size: usize, sha256: &str) -> Self {
        Self {
            folder: folder.to_path_buf(),
            prefix,
            width: token_width(vocabulary_size),
            vocabulary: bytes_of(sha256),
            table: vec![],
            tokens: vec![],
            entries: vec![],
        }
    }

    /// Bytes of a token.
    pub(in crate::data) fn width(&self) -> usize {
        self.width
    }

    /// Adds sequences: the length of each, and all their tokens of [`Self::width`] bytes.
    pub(in crate::data) fn push(&mut self, lengths: &[u32], mut tokens: &[u8]) -> Result<()> {
        for &length in lengths {
            let (sequence, rest) = tokens.split_at(length as usize * self.width);
            tokens = rest;
            self.tokens.extend_from_slice(sequence);
            let end = (self.tokens.len() / self.width) as u32;
            self.table.extend_from_slice(&end.to_le_bytes());
            if end as usize >= SHARD {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let file = format!("{}-{:05}.bin", self.prefix, self.entries.len());
        let sequences = (self.table.len() / 4) as u64;
        let tokens = (self.tokens.len() / self.width) as u64;
        let header = Header {
            width: self.width,
            sequences,
            tokens,
            vocabulary: self.vocabulary,
            table: crc32c::crc32c(&self.table),
            content: crc32c::crc32c(&self.tokens),
        };
        files::write_with(&self.folder.join(&file), |out| {
            out.write_all(&header.to_bytes())?;
            out.write_all(&self.table)?;
            out.write_all(&self.tokens)
        })?;
        self.entries.push(ShardEntry { file, sequences, tokens });
        self.table.clear();
        self.tokens.clear();
        Ok(())
    }

    /// Writes what is left and returns the shards.
    pub(in crate::data) fn finish(mut self) -> Result<Vec<ShardEntry>> {
        if !self.table.is_empty() {
            self.flush()?;
        }
        Ok(self.entries)
    }
}

/// Bytes that a token of a vocabulary takes.
pub(in crate::data) fn token_width(vocabulary_size: usize) -> usize {
    if vocabulary_size <= 1 << 16 { 2 } else { 4 }
}

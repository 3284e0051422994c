//! Token shards: a folder with `index.json`, `vocab.txt` and binary files of sequences.
//!
//! A shard is little-endian: the magic `DSTLTOKS`, version 1 (`u32`), bytes per token (`u32`: 2 or 4), the number of
//! sequences (`u64`) and of tokens (`u64`); then the length of each sequence (`u32`), then all tokens one after another.
//! Sequences hold their `[CLS]` and `[SEP]`. The index is written last: a folder without one is incomplete.

use super::vocabulary::Special;
use crate::{Error, Result, files};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"DSTLTOKS";
const HEADER: usize = 32;
/// Tokens in a shard, about.
const SHARD: usize = if cfg!(test) { 64 } else { 32 << 20 };

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
    /// Version of the format: 1.
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
    /// Pieces left out because they were short.
    pub dropped_short: u64,
    /// Pieces left out because half or more of their tokens were unknown.
    pub dropped_unknown: u64,
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
        let index: Self = serde_json::from_slice(&files::read(&path)?)
            .map_err(|e| Error::file(&path, format!("not an index: {e}"), "run `train prepare` again"))?;
        if index.version != 1 || index.counts.len() != index.vocabulary_size {
            return Err(Error::file(&path, "not an index of version 1", "run `train prepare` again"));
        }
        Ok(index)
    }

    /// Tokens in some shards.
    pub fn tokens(entries: &[ShardEntry]) -> u64 {
        entries.iter().map(|entry| entry.tokens).sum()
    }
}

/// Writes sequences to shards named `PREFIX-00000.bin` and so on.
#[derive(Debug)]
pub(super) struct ShardWriter {
    folder: PathBuf,
    prefix: &'static str,
    width: usize,
    lengths: Vec<u32>,
    tokens: Vec<u8>,
    entries: Vec<ShardEntry>,
}

impl ShardWriter {
    /// Tokens take two bytes when the vocabulary allows it.
    pub(super) fn new(folder: &Path, prefix: &'static str, vocabulary_size: usize) -> Self {
        let width = if vocabulary_size <= 1 << 16 { 2 } else { 4 };
        let folder = folder.to_path_buf();
        Self { folder, prefix, width, lengths: vec![], tokens: vec![], entries: vec![] }
    }

    /// Adds a sequence.
    pub(super) fn push(&mut self, sequence: &[u32]) -> Result<()> {
        self.lengths.push(sequence.len() as u32);
        for id in sequence {
            self.tokens.extend_from_slice(&id.to_le_bytes()[..self.width]);
        }
        if self.tokens.len() >= SHARD * self.width { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let file = format!("{}-{:05}.bin", self.prefix, self.entries.len());
        let sequences = self.lengths.len() as u64;
        let tokens = (self.tokens.len() / self.width) as u64;
        let mut bytes = Vec::with_capacity(HEADER + 4 * self.lengths.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&1u32.to_le_bytes());
        bytes.extend_from_slice(&(self.width as u32).to_le_bytes());
        bytes.extend_from_slice(&sequences.to_le_bytes());
        bytes.extend_from_slice(&tokens.to_le_bytes());
        bytes.extend(self.lengths.iter().flat_map(|n| n.to_le_bytes()));
        files::write_with(&self.folder.join(&file), |out| {
            out.write_all(&bytes)?;
            out.write_all(&self.tokens)
        })?;
        self.entries.push(ShardEntry { file, sequences, tokens });
        self.lengths.clear();
        self.tokens.clear();
        Ok(())
    }

    /// Writes what is left and returns the shards.
    pub(super) fn finish(mut self) -> Result<Vec<ShardEntry>> {
        if !self.lengths.is_empty() {
            self.flush()?;
        }
        Ok(self.entries)
    }
}

/// The sequences of some shards, in memory as they are on disk.
#[derive(Debug)]
pub struct Dataset {
    shards: Vec<Shard>,
    /// Per sequence: shard, first token in it, length.
    sequences: Vec<(u32, u32, u32)>,
}

#[derive(Debug)]
struct Shard {
    bytes: Vec<u8>,
    width: usize,
    first: usize,
}

impl Dataset {
    /// Reads and checks the shards of a data folder.
    pub fn read(folder: &Path, entries: &[ShardEntry], vocabulary_size: usize) -> Result<Self> {
        let mut data = Self { shards: vec![], sequences: vec![] };
        for entry in entries {
            // Only names that `prepare` gives: an index cannot point outside its folder.
            let path = folder.join(Path::new(&entry.file).file_name().unwrap_or_default());
            let bytes = files::read(&path)?;
            data.add(bytes, entry, vocabulary_size)
                .map_err(|reason| Error::file(&path, reason, "run `train prepare` again"))?;
        }
        Ok(data)
    }

    fn add(&mut self, bytes: Vec<u8>, entry: &ShardEntry, vocabulary_size: usize) -> Result<(), String> {
        let field = |at: usize, len: usize| {
            let bytes = bytes.get(at..at + len)?;
            Some(bytes.iter().rev().fold(0u64, |value, &b| value << 8 | u64::from(b)))
        };
        let header = [field(8, 4), field(12, 4), field(16, 8), field(24, 8)];
        let [Some(1), Some(width @ (2 | 4)), Some(sequences), Some(tokens)] = header else {
            return Err("not a token shard of version 1".into());
        };
        if !bytes.starts_with(MAGIC) || (sequences, tokens) != (entry.sequences, entry.tokens) {
            return Err("not the shard that index.json describes".into());
        }
        let size = HEADER as u128 + 4 * u128::from(sequences) + u128::from(width) * u128::from(tokens);
        if bytes.len() as u128 != size || u32::try_from(tokens).is_err() {
            return Err(format!("{} bytes, not {size}: the file is cut or altered", bytes.len()));
        }
        let shard = self.shards.len() as u32;
        let mut start = 0u64;
        for i in 0..sequences as usize {
            let length = field(HEADER + 4 * i, 4).unwrap_or(0);
            self.sequences.push((shard, start as u32, length as u32));
            start += length;
        }
        let (first, width) = (HEADER + 4 * sequences as usize, width as usize);
        if start != tokens {
            return Err("the lengths do not add up".into());
        }
        let largest = bytes[first..].chunks_exact(width).map(id).max().unwrap_or(0);
        if largest as usize >= vocabulary_size {
            return Err(format!("token id {largest} is outside the vocabulary of {vocabulary_size}"));
        }
        self.shards.push(Shard { bytes, width, first });
        Ok(())
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Lengths of all sequences.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.sequences.iter().map(|&(_, _, length)| length as usize)
    }

    /// Appends the tokens of sequence `i`.
    pub fn extend(&self, i: usize, out: &mut Vec<u32>) {
        let (shard, start, length) = self.sequences[i];
        let shard = &self.shards[shard as usize];
        let start = shard.first + start as usize * shard.width;
        let bytes = &shard.bytes[start..start + length as usize * shard.width];
        out.extend(bytes.chunks_exact(shard.width).map(id));
    }
}

fn id(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, &b| value << 8 | u32::from(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_come_back_over_several_shards() {
        for size in [1000, 100_000] {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = ShardWriter::new(folder.path(), "train", size);
            let sequences: Vec<Vec<u32>> =
                (0..40).map(|i| (0..3 + i % 9).map(|j| (i * 97 + j) % size as u32).collect()).collect();
            sequences.iter().for_each(|s| writer.push(s).unwrap());
            let entries = writer.finish().unwrap();
            assert!(entries.len() > 2);
            let data = Dataset::read(folder.path(), &entries, size).unwrap();
            assert_eq!(data.len(), 40);
            for (i, sequence) in sequences.iter().enumerate() {
                let mut out = vec![];
                data.extend(i, &mut out);
                assert_eq!(&out, sequence);
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ShardWriter::new(folder.path(), "train", 50);
        writer.push(&[1, 2, 3, 49]).unwrap();
        writer.push(&[4, 5]).unwrap();
        let entries = writer.finish().unwrap();
        let path = folder.path().join(&entries[0].file);
        let good = std::fs::read(&path).unwrap();
        let read = |size| Dataset::read(folder.path(), &entries, size).map(|d| d.len());
        assert_eq!(read(50).unwrap(), 2);
        assert!(read(49).unwrap_err().to_string().contains("outside the vocabulary"));
        for cut in 0..good.len() {
            std::fs::write(&path, &good[..cut]).unwrap();
            assert!(read(50).is_err(), "cut to {cut} bytes");
        }
        for i in 0..HEADER + 8 {
            let mut bad = good.clone();
            bad[i] ^= 0x40;
            std::fs::write(&path, &bad).unwrap();
            assert!(read(50).is_err(), "byte {i} changed");
        }
    }
}

//! Text to token shards.

use super::corpus::for_each_block;
use super::shards::{Index, ShardWriter};
use super::vocabulary::Vocabulary;
use crate::{Error, Result, files};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What to prepare.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// Training text.
    pub text: Vec<PathBuf>,
    /// Held-out text.
    pub held_out: Vec<PathBuf>,
    /// Every n-th line of the training text is held out; 0: none.
    pub hold_out_every: usize,
    /// Whether text is lower-cased and stripped of accents.
    pub lowercase: bool,
    /// Longest sequence, special tokens included; longer text is cut into pieces.
    pub max_length: usize,
    /// Shortest sequence kept, special tokens included.
    pub min_length: usize,
}

/// Tokenizes in parallel and writes the data folder. `read` counts the bytes taken from the files.
pub fn prepare(preparation: &Preparation, vocabulary: &Vocabulary, out: &Path, read: &Arc<AtomicU64>) -> Result<Index> {
    files::create_folder(out)?;
    let index_path = out.join("index.json");
    if index_path.exists() {
        // From here on the folder is incomplete.
        std::fs::remove_file(&index_path).map_err(|e| Error::io(&index_path, &e))?;
    }
    let mut train = ShardWriter::new(out, "train", vocabulary.size);
    let mut held_out = ShardWriter::new(out, "held-out", vocabulary.size);
    let mut counts = vec![0u64; vocabulary.size];
    let mut dropped = Dropped::default();
    let cutter = Cutter { preparation, vocabulary };
    let mut line = 0usize;
    for path in &preparation.text {
        for_each_block(path, read, |lines| {
            for (pieces, lost) in cutter.block(&lines)? {
                line += 1;
                let every = preparation.hold_out_every;
                let hold = every > 0 && line.is_multiple_of(every);
                dropped.add(lost);
                for piece in pieces {
                    if hold {
                        held_out.push(&piece)?;
                    } else {
                        piece.iter().for_each(|&id| counts[id as usize] += 1);
                        train.push(&piece)?;
                    }
                }
            }
            Ok(())
        })?;
    }
    for path in &preparation.held_out {
        for_each_block(path, read, |lines| {
            for (pieces, lost) in cutter.block(&lines)? {
                dropped.add(lost);
                pieces.iter().try_for_each(|piece| held_out.push(piece))?;
            }
            Ok(())
        })?;
    }
    let index = Index {
        version: 1,
        vocabulary_sha256: vocabulary.sha256.clone(),
        vocabulary_size: vocabulary.size,
        lowercase: preparation.lowercase,
        special: vocabulary.special,
        max_length: preparation.max_length,
        dropped_short: dropped.short,
        dropped_unknown: dropped.unknown,
        train: train.finish()?,
        held_out: held_out.finish()?,
        counts,
    };
    if index.train.is_empty() {
        return Err(Error::Data(format!(
            "no training text is left: {} pieces were shorter than {} tokens, {} had too many unknown words; \
             lower --min-length or use a vocabulary that fits the text",
            index.dropped_short, preparation.min_length, index.dropped_unknown
        )));
    }
    files::write(&out.join("vocab.txt"), &vocabulary.bytes)?;
    let json = serde_json::to_vec(&index).map_err(|e| Error::Data(e.to_string()))?;
    files::write(&index_path, &json)?;
    Ok(index)
}

#[derive(Clone, Copy, Debug, Default)]
struct Dropped {
    short: u64,
    unknown: u64,
}

impl Dropped {
    fn add(&mut self, other: Self) {
        self.short += other.short;
        self.unknown += other.unknown;
    }
}

/// Cuts lines into sequences.
struct Cutter<'a> {
    preparation: &'a Preparation,
    vocabulary: &'a Vocabulary,
}

type Pieces = (Vec<Vec<u32>>, Dropped);

impl Cutter<'_> {
    fn block(&self, lines: &[String]) -> Result<Vec<Pieces>> {
        lines.par_iter().map(|line| self.line(line)).collect()
    }

    fn line(&self, line: &str) -> Result<Pieces> {
        let special = &self.vocabulary.special;
        let (mut pieces, mut dropped) = (Vec::new(), Dropped::default());
        for ids in self.vocabulary.encode(line)?.chunks(self.preparation.max_length - 2) {
            let length = ids.len() + 2;
            if length < self.preparation.min_length {
                dropped.short += 1;
                continue;
            }
            if 2 * ids.iter().filter(|&&id| id == special.unk).count() >= length {
                dropped.unknown += 1;
                continue;
            }
            let mut piece = Vec::with_capacity(length);
            piece.push(special.cls);
            piece.extend_from_slice(ids);
            piece.push(special.sep);
            pieces.push(piece);
        }
        Ok((pieces, dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::super::shards::Dataset;
    use super::*;

    #[test]
    fn cuts_drops_counts_and_holds_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n").unwrap();
        // Seven tokens make two pieces; one is too short; two of three are unknown; every fifth line is held out.
        std::fs::write(path("text"), "a b a b a b a\na\na x y\nb b\na a b\n\n").unwrap();
        std::fs::write(path("more"), "b b b b\n").unwrap();
        let vocabulary = Vocabulary::read(&path("vocab.txt"), true).unwrap();
        let preparation = Preparation {
            text: vec![path("text")],
            held_out: vec![path("more")],
            hold_out_every: 5,
            lowercase: true,
            max_length: 6,
            min_length: 4,
        };
        let out = path("data");
        let index = prepare(&preparation, &vocabulary, &out, &Arc::default()).unwrap();
        assert_eq!(Index::read(&out).unwrap(), index);
        assert_eq!((index.dropped_short, index.dropped_unknown), (1, 0));
        let read = |entries| {
            let data = Dataset::read(&out, entries, 7).unwrap();
            let sequence = |i| {
                let mut ids = vec![];
                data.extend(i, &mut ids);
                ids
            };
            (0..data.len()).map(sequence).collect::<Vec<_>>()
        };
        let train = [vec![2, 5, 6, 5, 6, 3], vec![2, 5, 6, 5, 3], vec![2, 5, 1, 1, 3], vec![2, 6, 6, 3]];
        assert_eq!(read(&index.train), train);
        assert_eq!(read(&index.held_out), [vec![2, 5, 5, 6, 3], vec![2, 6, 6, 6, 6, 3]]);
        assert_eq!(index.counts, [0, 2, 4, 4, 0, 5, 5]);
    }

    #[test]
    fn nothing_left_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n").unwrap();
        std::fs::write(path("text"), "x x x x x x\na\n").unwrap();
        let vocabulary = Vocabulary::read(&path("vocab.txt"), true).unwrap();
        let preparation = Preparation {
            text: vec![path("text")],
            held_out: vec![],
            hold_out_every: 0,
            lowercase: true,
            max_length: 16,
            min_length: 5,
        };
        let error = prepare(&preparation, &vocabulary, &path("data"), &Arc::default()).unwrap_err();
        assert!(error.to_string().contains("1 pieces were shorter than 5"), "{error}");
        assert!(!path("data").join("index.json").exists());
    }
}

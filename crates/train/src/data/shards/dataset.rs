//! The sequences of a data folder, in memory as they are on disk.

use super::shard::Shard;
use super::{Index, ShardEntry};
use crate::{Error, Result};
use std::path::Path;

/// The sequences of some shards. Opening takes milliseconds and almost no memory, whatever the size of the data: the
/// system brings in what is read. A shard's tokens are compared with their checksum when the first of them is read.
#[derive(Debug)]
pub struct Dataset {
    shards: Vec<Shard>,
    /// Number of the first sequence of each shard, and at last of all.
    firsts: Vec<usize>,
    vocabulary_size: usize,
}

impl Dataset {
    /// Opens some of an index's shards.
    ///
    /// # Errors
    ///
    /// A shard that is missing, of another version or length than its header or the index says, made with another
    /// vocabulary, or with a damaged header or table of sequences.
    pub fn open(folder: &Path, entries: &[ShardEntry], index: &Index) -> Result<Self> {
        let vocabulary = bytes_of(&index.vocabulary_sha256);
        let mut data = Self { shards: vec![], firsts: vec![0], vocabulary_size: index.vocabulary_size };
        for entry in entries {
            // Only names that `prepare` gives: an index cannot point outside its folder.
            let path = folder.join(Path::new(&entry.file).file_name().unwrap_or_default());
            let shard = Shard::open(&path, &vocabulary, index.max_length).and_then(|shard| {
                if shard.len() as u64 == entry.sequences && shard.tokens() == entry.tokens {
                    Ok(shard)
                } else {
                    Err("its size is not what index.json says".into())
                }
            });
            let shard = shard.map_err(|reason| Error::file(&path, reason, "run `train prepare` again"))?;
            data.firsts.push(data.len() + shard.len());
            data.shards.push(shard);
        }
        if u32::try_from(data.len()).is_err() {
            return Err(Error::file(folder, "more than 4 billion sequences", "prepare it in parts"));
        }
        Ok(data)
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.firsts.last().copied().unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lengths of all sequences.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.shards.iter().flat_map(Shard::lengths)
    }

    /// Appends the tokens of sequence `i`; all are below the size of the vocabulary.
    ///
    /// # Errors
    ///
    /// A shard whose tokens are not those that were written. `out` then holds anything.
    ///
    /// # Panics
    ///
    /// When there is no sequence `i`.
    pub fn extend(&self, i: usize, out: &mut Vec<u32>) -> Result<()> {
        assert!(i < self.len(), "sequence {i} of {}", self.len());
        let place = self.firsts.partition_point(|&first| first <= i) - 1;
        let shard = &self.shards[place];
        shard.extend(i - self.firsts[place], self.vocabulary_size, out).map_err(|reason| damaged(shard, reason))
    }

    /// Reads every token once: compares all shards with their checksums and all tokens with the vocabulary.
    pub fn verify(&self) -> Result<()> {
        let mut ids = Vec::new();
        for shard in &self.shards {
            for i in 0..shard.len() {
                ids.clear();
                shard.extend(i, self.vocabulary_size, &mut ids).map_err(|reason| damaged(shard, reason))?;
            }
        }
        Ok(())
    }
}

fn damaged(shard: &Shard, reason: String) -> Error {
    Error::file(&shard.path, reason, "run `train prepare` again, and check the disk")
}

/// The 32 bytes of a SHA-256 in hexadecimal; zeros, which no vocabulary has, when it is none.
pub(super) fn bytes_of(sha256: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(sha256.as_bytes().as_chunks::<2>().0) {
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::ShardWriter;
    use super::*;
    use crate::data::vocabulary::Special;

    fn index(size: usize, train: Vec<ShardEntry>) -> Index {
        Index {
            version: 2,
            vocabulary_sha256: crate::files::sha256(b"some vocabulary"),
            vocabulary_size: size,
            lowercase: true,
            special: Special { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 },
            max_length: 12,
            lines: 0,
            dropped_short: 0,
            dropped_unknown: 0,
            bad_lines: Default::default(),
            damaged_files: 0,
            train,
            held_out: vec![],
            counts: vec![0; size],
        }
    }

    fn write(folder: &Path, size: usize, sequences: &[Vec<u32>]) -> Index {
        let mut index = index(size, vec![]);
        let mut writer = ShardWriter::new(folder, "train", size, &index.vocabulary_sha256);
        for sequence in sequences {
            writer.push(&[sequence.len() as u32], &encode(sequence, writer.width())).unwrap();
        }
        index.train = writer.finish().unwrap();
        index
    }

    fn encode(sequence: &[u32], width: usize) -> Vec<u8> {
        sequence.iter().flat_map(|id| id.to_le_bytes()[..width].to_vec()).collect()
    }

    #[test]
    fn sequences_come_back_over_several_shards() {
        for size in [1000, 100_000] {
            let folder = tempfile::tempdir().unwrap();
            let sequences: Vec<Vec<u32>> =
                (0..4000).map(|i| (0..3 + i % 9).map(|j| (i * 97 + j) % size as u32).collect()).collect();
            let index = write(folder.path(), size, &sequences);
            assert!(index.train.len() > 2);
            let data = Dataset::open(folder.path(), &index.train, &index).unwrap();
            assert_eq!(data.len(), 4000);
            assert!(data.lengths().eq(sequences.iter().map(Vec::len)));
            for (i, sequence) in sequences.iter().enumerate().rev() {
                let mut out = vec![];
                data.extend(i, &mut out).unwrap();
                assert_eq!(&out, sequence);
            }
            data.verify().unwrap();
        }
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let index = write(folder.path(), 50, &[vec![1, 2, 3, 49], vec![4, 5]]);
        let path = folder.path().join(&index.train[0].file);
        let good = std::fs::read(&path).unwrap();
        // What training does: open, then read sequences.
        let read = |index: &Index| {
            let data = Dataset::open(folder.path(), &index.train, index)?;
            let mut out = vec![];
            (0..data.len()).try_for_each(|i| data.extend(i, &mut out))?;
            Ok::<_, Error>(out)
        };
        assert_eq!(read(&index).unwrap(), [1, 2, 3, 49, 4, 5]);
        let replace = |bytes: &[u8]| {
            // A new file, as a mapped one must not be written into.
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
        };
        for bit in 0..8 * good.len() {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            replace(&bad);
            let error = read(&index).expect_err(&format!("bit {bit} changed")).to_string();
            assert!(error.contains("train-00000.bin") && error.contains("train prepare"), "{error}");
        }
        for cut in 0..good.len() {
            replace(&good[..cut]);
            assert!(read(&index).is_err(), "cut to {cut} bytes");
        }
        replace(&good);
        let error = read(&Index { vocabulary_size: 49, ..index.clone() }).unwrap_err().to_string();
        assert!(error.contains("token id 49 is outside the vocabulary of 49"), "{error}");
        let other = Index { vocabulary_sha256: crate::files::sha256(b"another"), ..index.clone() };
        assert!(read(&other).unwrap_err().to_string().contains("another vocabulary"));
        let short = Index { max_length: 3, ..index.clone() };
        assert!(read(&short).unwrap_err().to_string().contains("add up"));
        let mut larger = index;
        larger.train[0].sequences += 1;
        assert!(read(&larger).unwrap_err().to_string().contains("index.json"));
    }
}

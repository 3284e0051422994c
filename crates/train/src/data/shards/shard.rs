//! One mapped shard.

use super::header::{Header, LENGTH};
use crate::data::mapped::Mapped;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A shard whose header and table are checked; its tokens are when they are first asked for.
#[derive(Debug)]
pub(super) struct Shard {
    /// Where it is, for messages.
    pub(super) path: PathBuf,
    bytes: Mapped,
    header: Header,
    /// The result of comparing the tokens with their checksum.
    verified: OnceLock<Result<(), String>>,
}

impl Shard {
    /// Maps a file and checks its header, its length and the table of its sequences, which is 4 bytes a sequence.
    pub(super) fn open(path: &Path, vocabulary: &[u8; 32], max_length: usize) -> Result<Self, String> {
        let bytes = Mapped::open(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => "no such file".into(),
            _ => format!("it cannot be mapped into memory ({e})"),
        })?;
        let header = Header::read(&bytes)?;
        if &header.vocabulary != vocabulary {
            return Err("made with another vocabulary than its folder's".into());
        }
        let shard = Self { path: path.to_path_buf(), bytes, header, verified: OnceLock::new() };
        let (table, _) = shard.parts();
        if crc32c::crc32c(table) != shard.header.table {
            return Err("its table of sequences is damaged".into());
        }
        let (mut last, mut sound) = (0u32, true);
        for end in ends(table) {
            sound &= last < end && (end.wrapping_sub(last) as usize) <= max_length;
            last = end;
        }
        if !sound || u64::from(last) != shard.header.tokens {
            return Err("its sequences do not add up".into());
        }
        Ok(shard)
    }

    /// Number of sequences.
    pub(super) fn len(&self) -> usize {
        self.header.sequences as usize
    }

    /// Number of tokens.
    pub(super) fn tokens(&self) -> u64 {
        self.header.tokens
    }

    /// Lengths of all sequences.
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        let mut start = 0u32;
        ends(self.parts().0).map(move |end| {
            let length = end.saturating_sub(start);
            start = end;
            length as usize
        })
    }

    /// Compares the tokens with their checksum, once.
    pub(super) fn verify(&self) -> Result<(), String> {
        let check = || {
            let (_, tokens) = self.parts();
            match crc32c::crc32c(tokens) == self.header.content {
                true => Ok(()),
                false => Err("its tokens are not those that were written: the file is damaged".into()),
            }
        };
        self.verified.get_or_init(check).clone()
    }

    /// Appends the tokens of sequence `i`, each below `vocabulary_size`.
    pub(super) fn extend(&self, i: usize, vocabulary_size: usize, out: &mut Vec<u32>) -> Result<(), String> {
        self.verify()?;
        let (table, tokens) = self.parts();
        let end_of = |i: usize| {
            let bytes = table.get(4 * i..4 * i + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().expect("4 bytes")) as usize)
        };
        let start = if i == 0 { Some(0) } else { end_of(i - 1) };
        let range = start.zip(end_of(i)).filter(|(start, end)| start <= end);
        let width = self.header.width;
        let bytes = range.and_then(|(start, end)| tokens.get(start * width..end * width));
        // The table was right when it was opened.
        let bytes = bytes.ok_or("it changed while it was in use")?;
        let before = out.len();
        if width == 2 {
            out.extend(bytes.as_chunks().0.iter().map(|&token| u32::from(u16::from_le_bytes(token))));
        } else {
            out.extend(bytes.as_chunks().0.iter().map(|&token| u32::from_le_bytes(token)));
        }
        match out[before..].iter().find(|&&id| id as usize >= vocabulary_size) {
            None => Ok(()),
            Some(id) => Err(format!("token id {id} is outside the vocabulary of {vocabulary_size}")),
        }
    }

    /// Table and tokens. The header was checked against the length of the file.
    fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes[LENGTH..].split_at(4 * self.len())
    }
}

fn ends(table: &[u8]) -> impl Iterator<Item = u32> + '_ {
    table.as_chunks().0.iter().map(|&end| u32::from_le_bytes(end))
}

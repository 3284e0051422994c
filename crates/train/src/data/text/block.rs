//! Some lines of one file on their way from the reader to a tokenizing thread.

use super::{BadLine, Field, Format};
use std::borrow::Cow;

/// Bytes of text in a block, about.
const BYTES: usize = if cfg!(test) { 16 << 10 } else { 256 << 10 };
/// Lines in a block at most, for files of empty ones.
const LINES: usize = 1 << 14;
/// Longest line or value in bytes.
pub(in crate::data) const LONGEST: usize = if cfg!(test) { 1 << 20 } else { 16 << 20 };

/// Lines of one file, as raw bytes. Reused for other lines once they are written.
#[derive(Debug, Default)]
pub(in crate::data) struct Block {
    /// Number of the file.
    pub(in crate::data) file: usize,
    /// Number of the first line or row, from 1.
    pub(in crate::data) first: u64,
    bytes: Vec<u8>,
    /// End of each line in `bytes`; the line end itself may be part of it.
    ends: Vec<usize>,
    /// Lines the reader found bad; they are empty here.
    bad: Vec<(u64, BadLine)>,
}

impl Block {
    /// Makes it an empty block that continues at a line.
    pub(in crate::data) fn restart(&mut self, file: usize, first: u64) {
        (self.file, self.first) = (file, first);
        self.bytes.clear();
        self.ends.clear();
        self.bad.clear();
    }

    /// Number of the next line.
    pub(super) fn next(&self) -> u64 {
        self.first + self.ends.len() as u64
    }

    /// Whether it should be given away.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES || self.ends.len() >= LINES
    }

    /// Whether it holds no line.
    pub(in crate::data) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Lets the caller append one line's bytes; closes the line when that succeeds with one.
    pub(super) fn line<E>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> Result<LineEnd, E>) -> Result<LineEnd, E> {
        let start = self.bytes.len();
        let end = append(&mut self.bytes);
        match &end {
            Ok(LineEnd::Complete) => self.ends.push(self.bytes.len()),
            _ => self.bytes.truncate(start),
        }
        end
    }

    /// A line that the reader could not take.
    pub(super) fn bad(&mut self, kind: BadLine) {
        self.bad.push((self.next(), kind));
        self.ends.push(self.bytes.len());
    }

    /// Calls `f` with each text that is not blank, and `bad` with every other line's number; both in order.
    pub(in crate::data) fn texts<E>(
        &self,
        format: Format,
        field: &Field,
        mut f: impl FnMut(&str) -> Result<(), E>,
        mut bad: impl FnMut(u64, BadLine),
    ) -> Result<(), E> {
        let (mut start, mut known) = (0, self.bad.iter().peekable());
        for (number, &end) in (self.first..).zip(&self.ends) {
            let bytes = &self.bytes[start..end];
            start = end;
            if let Some(&(_, kind)) = known.next_if(|(line, _)| *line == number) {
                bad(number, kind);
                continue;
            }
            let text = match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => {
                    bad(number, BadLine::NotUtf8);
                    continue;
                }
            };
            // A byte order mark belongs to the file, not to its first line.
            let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text }.trim();
            let text = match format {
                Format::JsonLines if !text.is_empty() => match field.text(text) {
                    Ok(text) => text,
                    Err(kind) => {
                        bad(number, kind);
                        continue;
                    }
                },
                _ => Cow::Borrowed(text),
            };
            let text = text.trim();
            if !text.is_empty() {
                f(text)?;
            }
        }
        Ok(())
    }
}

/// What came of reading a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// It is all there.
    Complete,
    /// It is longer than [`LONGEST`] and goes on.
    TooLong,
    /// The file has ended.
    None,
}

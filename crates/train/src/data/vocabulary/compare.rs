//! Two vocabularies entry by entry: the same size says nothing.

use std::fmt;

/// How two vocabularies differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Ids with other entries on the two sides, or with an entry on one side only.
    pub entries: usize,
    /// Entries on the left and on the right.
    pub sizes: [usize; 2],
    /// The first of these ids: its line in `vocab.txt` is one more.
    pub first: usize,
    /// Its entries; none where one vocabulary has ended.
    pub values: [Option<String>; 2],
}

/// Compares two `vocab.txt` files, whatever their line ends; `None` when every id has the same entry on both sides.
pub fn compare(left: &[u8], right: &[u8]) -> Option<Difference> {
    let (left, right) = (entries(left), entries(right));
    let sizes = [left.len(), right.len()];
    let differ = |&id: &usize| left.get(id) != right.get(id);
    let longest = left.len().max(right.len());
    let first = (0..longest).find(differ)?;
    let entry = |side: &[&[u8]]| side.get(first).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    Some(Difference {
        entries: (first..longest).filter(differ).count(),
        sizes,
        first,
        values: [entry(&left), entry(&right)],
    })
}

/// The lines without their ends; an end of the last line makes no entry.
pub(super) fn entries(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> =
        bytes.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = if self.entries == 1 { "1 entry differs" } else { &format!("{} entries differ", self.entries) };
        let value = |side: usize| match &self.values[side] {
            Some(entry) => format!("`{entry}`"),
            None => format!("nothing (it has {} entries)", self.sizes[side]),
        };
        write!(f, "{entries}, first on line {}: {} against {}", self.first + 1, value(0), value(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_whatever_the_line_ends() {
        assert_eq!(compare(b"a\nb\n", b"a\r\nb"), None);
        assert_eq!(compare(b"", b""), None);
    }

    #[test]
    fn counts_and_shows_the_first() {
        let difference = compare(b"a\nb\nc\nd\n", b"a\nc\nb\nd\n").unwrap();
        assert_eq!((difference.entries, difference.first), (2, 1));
        assert_eq!(difference.to_string(), "2 entries differ, first on line 2: `b` against `c`");
        let difference = compare(b"a\nb\n", b"a\nb\nc\n").unwrap();
        assert_eq!(difference.sizes, [2, 3]);
        let text = "1 entry differs, first on line 3: nothing (it has 2 entries) against `c`";
        assert_eq!(difference.to_string(), text);
        // One entry lost at the start moves all others.
        assert_eq!(compare(b"a\nb\nc\n", b"b\nc\n").unwrap().entries, 3);
    }
}

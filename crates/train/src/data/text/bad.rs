//! Lines that hold no text: counted by kind, the first few remembered with their places.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Why a line or row was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadLine {
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON.
    BrokenJson,
    /// JSON without the field.
    MissingField,
    /// The field is no string.
    NotText,
    /// The field is null.
    Null,
    /// More than 16 MiB.
    TooLong,
}

impl BadLine {
    /// In words, after "N lines".
    pub fn text(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not UTF-8",
            Self::BrokenJson => "not JSON",
            Self::MissingField => "without the field",
            Self::NotText => "with something else than a string in the field",
            Self::Null => "with null in the field",
            Self::TooLong => "longer than 16 MiB",
        }
    }
}

/// Places remembered of each kind.
const PLACES: usize = 3;

/// The bad lines of a preparation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadLines {
    kinds: BTreeMap<BadLine, (u64, Vec<String>)>,
}

impl BadLines {
    /// Counts one; `place` is `FILE:LINE` or `FILE:ROW`, lines and rows counted from 1.
    pub fn add(&mut self, kind: BadLine, place: impl FnOnce() -> String) {
        let (count, places) = self.kinds.entry(kind).or_default();
        *count += 1;
        if places.len() < PLACES {
            places.push(place());
        }
    }

    /// Number by kind.
    pub fn counts(&self) -> BTreeMap<BadLine, u64> {
        self.kinds.iter().map(|(&kind, &(count, _))| (kind, count)).collect()
    }

    /// One line of text a kind, with its first places.
    pub fn report(&self) -> Vec<String> {
        let line = |(kind, (count, places)): (&BadLine, &(u64, Vec<String>))| {
            let lines = if *count == 1 { "line" } else { "lines" };
            let mut text = format!("left out: {count} {lines} {}: {}", kind.text(), places.join(", "));
            if *count > places.len() as u64 {
                // Writing to a string cannot fail.
                let _ = write!(text, ", ...");
            }
            text
        };
        self.kinds.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_and_shows_the_first() {
        let mut bad = BadLines::default();
        bad.add(BadLine::Null, || "a.jsonl:1".into());
        for line in 1..=5 {
            bad.add(BadLine::NotUtf8, || format!("b.txt:{line}"));
        }
        assert_eq!(bad.counts(), BTreeMap::from([(BadLine::NotUtf8, 5), (BadLine::Null, 1)]));
        let report = bad.report();
        assert_eq!(report[0], "left out: 5 lines not UTF-8: b.txt:1, b.txt:2, b.txt:3, ...");
        assert_eq!(report[1], "left out: 1 line with null in the field: a.jsonl:1");
    }
}

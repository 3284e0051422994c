//! Which columns of a file hold texts and labels.

use super::Task;
use super::table::Table;
use crate::{Error, Result};

/// The columns of a task's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Name of the column of the first text.
    pub text: Option<String>,
    /// Of the second.
    pub pair: Option<String>,
    /// Of the label.
    pub label: Option<String>,
}

/// Places of the columns in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// First text.
    pub text: usize,
    /// Second text.
    pub pair: Option<usize>,
    /// Label.
    pub label: usize,
}

/// What a file without a header holds.
#[derive(Clone, Copy, Debug)]
struct Bare {
    columns: Columns,
    /// Fewest columns.
    least: usize,
}

impl Task {
    /// Names of the columns in GLUE's files with a header: text, pair, label.
    fn names(self) -> (&'static str, Option<&'static str>, &'static str) {
        match self {
            Self::Rte | Self::Wnli => ("sentence1", Some("sentence2"), "label"),
            Self::Qnli => ("question", Some("sentence"), "label"),
            Self::Mrpc => ("#1 String", Some("#2 String"), "Quality"),
            Self::Qqp => ("question1", Some("question2"), "is_duplicate"),
            Self::Mnli => ("sentence1", Some("sentence2"), "gold_label"),
            Self::Stsb => ("sentence1", Some("sentence2"), "score"),
            Self::Cola | Self::Sst2 => ("sentence", None, "label"),
            Self::Classification | Self::Regression | Self::MultiLabel | Self::Squad => ("text", None, "label"),
            Self::Tokens => ("tokens", None, "tags"),
        }
    }

    /// CoLA's files, and those of the STS benchmark, have no header.
    fn bare(self) -> Option<Bare> {
        match self {
            Self::Cola => Some(Bare { columns: Columns { text: 3, pair: None, label: 1 }, least: 4 }),
            Self::Stsb => Some(Bare { columns: Columns { text: 5, pair: Some(6), label: 4 }, least: 7 }),
            _ => None,
        }
    }

    /// Whether GLUE's own file has lines without all their columns, which everyone leaves out.
    pub(super) fn has_short_lines(self) -> bool {
        self == Self::Qqp
    }
}

impl Layout {
    /// Finds the columns; takes the header off the table.
    ///
    /// # Errors
    /// A column that is not there.
    pub fn find(&self, task: Task, table: &mut Table) -> Result<Columns> {
        let (text, pair, label) = task.names();
        let chosen = |mine: &Option<String>, known: &str| mine.clone().unwrap_or_else(|| known.to_string());
        // A second text is what is asked for where the first is.
        let pair = self.pair.clone().or(pair.filter(|_| self.text.is_none()).map(str::to_string));
        let names = [Some(chosen(&self.text, text)), pair, Some(chosen(&self.label, label))];
        let first = table.first().unwrap_or_default();
        let place = |name: &String| first.iter().position(|field| field.trim_start_matches('\u{feff}') == name);
        let found = names.each_ref().map(|name| name.as_ref().and_then(place));
        if let (Some(text), Some(label)) = (found[0], found[2])
            && found[1].is_some() == names[1].is_some()
        {
            table.take_header();
            return Ok(Columns { text, pair: found[1], label });
        }
        let bare = task.bare().filter(|_| *self == Self::default() && !table.is_named());
        if let Some(bare) = bare.filter(|bare| first.len() >= bare.least && found.iter().all(Option::is_none)) {
            return Ok(bare.columns);
        }
        let missing = names.iter().zip(found).find_map(|(name, found)| name.as_ref().filter(|_| found.is_none()));
        let has: Vec<String> = first.iter().take(12).map(|field| format!("`{}`", short(field))).collect();
        let next = "name the columns with --text-column, --pair-column and --label-column";
        let reason = match (missing, first.is_empty()) {
            (_, true) => "it is empty".into(),
            (Some(name), _) => format!("no column `{name}` (the first line has {})", has.join(", ")),
            (None, _) => "its columns are not those of the task".into(),
        };
        Err(Error::file(table.path(), reason, next))
    }
}

/// The beginning of a field, for messages.
pub(super) fn short(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

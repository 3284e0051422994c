//! Tables of figures, printed as Markdown that also reads well on a terminal.

use std::fmt;

/// What one command measured.
pub(super) struct Table {
    /// What the rows are.
    pub(super) title: String,
    /// The command that prints it again.
    pub(super) command: String,
    /// Names of the columns.
    pub(super) head: Vec<String>,
    /// A cell for each column.
    pub(super) rows: Vec<Vec<String>>,
    /// What a reader has to know, one sentence or more each.
    pub(super) notes: Vec<String>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(title: impl Into<String>, command: impl Into<String>, head: &[&str]) -> Self {
        let head = head.iter().map(|&name| name.to_owned()).collect();
        Self { title: title.into(), command: command.into(), head, rows: Vec::new(), notes: Vec::new() }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n\n    {}\n", self.title, self.command)?;
        write!(f, "{}", Grid { head: &self.head, rows: &self.rows })?;
        self.notes.iter().try_for_each(|note| writeln!(f, "\n{note}"))
    }
}

/// Head and rows of a Markdown table, every column as wide as its longest cell.
pub(super) struct Grid<'a> {
    pub(super) head: &'a [String],
    pub(super) rows: &'a [Vec<String>],
}

impl fmt::Display for Grid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(self.head).chain(self.rows.iter().map(Vec::as_slice));
        let width = |column: usize| {
            lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.head.len()).map(width).collect();
        for (number, line) in lines().enumerate() {
            for (cell, &width) in line.iter().zip(&widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                writeln!(f, "{}|", widths.iter().map(|&width| format!("|{:-<1$}", "", width + 2)).collect::<String>())?;
            }
        }
        Ok(())
    }
}

/// Three digits that count, whatever the size.
pub(super) fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        0.0 => 0,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Table, digits, grouped};

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let mut table = Table::new("Times", "cargo xtask bench host", &["tokens", "ms"]);
        table.rows.push(vec!["8".into(), "1.98 (1.89..2.20)".into()]);
        table.notes.push("One thread.".into());
        let expected = "### Times\n\n    cargo xtask bench host\n\n\
            | tokens | ms                |\n\
            |--------|-------------------|\n\
            | 8      | 1.98 (1.89..2.20) |\n\nOne thread.\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!(
            [0.0, 0.0478, 0.25, 1.984, 28.04, 141.2].map(digits),
            ["0", "0.0478", "0.250", "1.98", "28.0", "141"]
        );
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}

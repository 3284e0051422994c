//! The table at the end: what each model costs and how well it predicts.

use std::fmt;

use crate::bench::grouped;

/// What was measured of one model.
pub(super) struct Row {
    /// Which model it is.
    pub(super) name: &'static str,
    /// Number of weights.
    pub(super) parameters: u64,
    /// Size of its file, vocabulary and head included.
    pub(super) bytes: u64,
    /// Share of held-out masked tokens that it predicts exactly.
    pub(super) accuracy: f64,
    /// Median time for a sentence on this machine, one thread.
    pub(super) milliseconds: f64,
    /// Instructions for a sentence on each emulated machine, in the order of [`Table::machines`]; `None` where it
    /// does not fit.
    pub(super) instructions: Vec<Option<f64>>,
}

/// Teacher first, packed student last.
pub(super) struct Table {
    /// Emulated machines.
    pub(super) machines: Vec<String>,
    /// Tokens of the sentence that was timed.
    pub(super) tokens: usize,
    /// The models.
    pub(super) rows: Vec<Row>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<22}{:>12}{:>12}{:>12}{:>14}", "", "parameters", "bytes", "accuracy", "ms / sentence")?;
        for machine in &self.machines {
            write!(f, "{:>22}", format!("M instr. {machine}"))?;
        }
        writeln!(f)?;
        for row in &self.rows {
            write!(
                f,
                "{:<22}{:>12}{:>12}{:>11.1}%{:>14.3}",
                row.name,
                grouped(row.parameters),
                grouped(row.bytes),
                100.0 * row.accuracy,
                row.milliseconds
            )?;
            for instructions in &row.instructions {
                match instructions {
                    Some(instructions) => write!(f, "{:>22.2}", instructions / 1e6)?,
                    None => write!(f, "{:>22}", "too large")?,
                }
            }
            writeln!(f)?;
        }
        self.summary(f)
    }
}

impl Table {
    /// How the last row compares with the first.
    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last)) = (self.rows.first(), self.rows.last()) else { return Ok(()) };
        write!(
            f,
            "\nagainst the {}, the {} is {:.1}x smaller, {:.1}x faster on this machine",
            first.name,
            last.name,
            first.bytes as f64 / last.bytes as f64,
            first.milliseconds / last.milliseconds
        )?;
        for (machine, (a, b)) in self.machines.iter().zip(first.instructions.iter().zip(&last.instructions)) {
            if let (Some(a), Some(b)) = (a, b) {
                write!(f, ", takes {:.1}x fewer instructions on {machine}", a / b)?;
            }
        }
        writeln!(f, ", and keeps {:.1}% of its accuracy.", 100.0 * last.accuracy / first.accuracy)?;
        writeln!(
            f,
            "(a sentence: {} tokens, answered in full; one thread; all rows in the same runtime; accuracy: masked tokens of held-out text)",
            self.tokens
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_compares_first_and_last() {
        let row = |name, bytes, accuracy, milliseconds, instructions| Row {
            name,
            parameters: 1000,
            bytes,
            accuracy,
            milliseconds,
            instructions: vec![Some(instructions)],
        };
        let rows = vec![row("teacher", 4000, 0.8, 2.0, 3e6), row("packed student", 1000, 0.6, 0.5, 1e6)];
        let text = Table { machines: vec!["cortex-a53".into()], tokens: 9, rows }.to_string();
        assert!(text.contains("4.0x smaller, 4.0x faster"), "{text}");
        assert!(text.contains("3.0x fewer instructions on cortex-a53, and keeps 75.0%"), "{text}");
    }
}

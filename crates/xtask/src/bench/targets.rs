//! What the project wants to reach, and how far a measurement is from it.

use super::table::{Grid, Table, digits};

/// A goal: a number to be reached or not to be exceeded.
struct Target {
    id: &'static str,
    /// Heading of its table.
    group: &'static str,
    work: &'static str,
    at_least: bool,
    bound: f64,
    unit: &'static str,
}

const HOST: &str = "Host, against ONNX Runtime int8 with the same instruction set, in the same run, one thread";
const AMX: &str = "Host, against ONNX Runtime int8 with all that the processor has, in the same run, one thread";
const AARCH64: &str = "64-bit ARM, instructions for one text, answer included";
const CORTEX_M: &str = "Cortex-M, estimated cycles per multiply-add of a whole run";
const AROUND: &str = "Around the encoder";

const fn at_least(id: &'static str, group: &'static str, work: &'static str, bound: f64, unit: &'static str) -> Target {
    Target { id, group, work, at_least: true, bound, unit }
}

const fn at_most(id: &'static str, group: &'static str, work: &'static str, bound: f64, unit: &'static str) -> Target {
    Target { id, group, work, at_least: false, bound, unit }
}

const TARGETS: [Target; 21] = [
    at_least("host-int8-8-avx512", HOST, "int8, 8 tokens", 2.2, "x"),
    at_least("host-int8-32-avx512", HOST, "int8, 32 tokens", 1.6, "x"),
    at_least("host-int8-128-avx512", HOST, "int8, 128 tokens", 1.4, "x"),
    at_least("host-int8-384-avx512", HOST, "int8, 384 tokens", 1.4, "x"),
    at_least("host-int4-8-avx512", HOST, "int4, 8 tokens", 3.5, "x"),
    at_least("host-int8-128-avx2", HOST, "int8, 128 tokens, both held to AVX2", 1.0, "x"),
    at_least("host-int8-8-auto", AMX, "int8, 8 tokens", 2.2, "x"),
    at_least("host-int8-32-auto", AMX, "int8, 32 tokens", 1.6, "x"),
    at_least("host-int8-128-auto", AMX, "int8, 128 tokens", 1.4, "x"),
    at_least("host-int8-384-auto", AMX, "int8, 384 tokens", 1.4, "x"),
    at_least("host-int4-8-auto", AMX, "int4, 8 tokens", 3.5, "x"),
    at_most("a64-cortex-a53-int8-128", AARCH64, "Cortex-A53, int8, 128 tokens", 1.28e9, ""),
    at_most("a64-cortex-a53-int4-128", AARCH64, "Cortex-A53, int4, 128 tokens", 1.05e9, ""),
    at_most("a64-cortex-a76-int8-128", AARCH64, "Cortex-A76, int8, 128 tokens", 0.48e9, ""),
    at_most("a64-max-int8-128", AARCH64, "newest core (i8mm), int8, 128 tokens", 0.30e9, ""),
    at_most("cycles-qemu-m55", CORTEX_M, "Cortex-M55, int8", 0.18, ""),
    at_most("cycles-qemu-m7", CORTEX_M, "Cortex-M7, int8", 0.95, ""),
    at_least("host-threads-128", AROUND, "two threads against one, int8, 128 tokens", 1.8, "x"),
    at_least("tokenizer", AROUND, "tokenizer against the `tokenizers` crate, one thread", 4.0, "x"),
    at_most("open", AROUND, "open the packed DistilBERT, checksum apart", 100.0, "us"),
    at_most("copied", AROUND, "bytes of weights that opening copies", 0.0, "B"),
];

/// A figure for one of the goals.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// The goal's name.
    pub(super) id: String,
    pub(super) value: f64,
    /// Smallest and largest; `exact` where repeating gives the same number.
    pub(super) spread: String,
    /// The other side of the comparison, and its own figure.
    pub(super) peer: String,
    /// The machine.
    pub(super) machine: String,
    /// The command that prints it.
    pub(super) command: String,
}

/// The goals with what was measured, one table for each group that has a figure.
pub(super) fn tables(measured: &[Measured], commit: &str) -> String {
    let head = ["work", "figure", "spread", "target", "", "peer", "machine", "commit", "command"].map(str::to_owned);
    let mut text = String::new();
    let mut groups: Vec<&str> = TARGETS.iter().map(|target| target.group).collect();
    groups.dedup();
    for group in groups {
        let rows: Vec<Vec<String>> = TARGETS
            .iter()
            .filter(|target| target.group == group)
            .filter_map(|target| Some((target, measured.iter().find(|measured| measured.id == target.id)?)))
            .map(|(target, measured)| target.row(measured, commit))
            .collect();
        if !rows.is_empty() {
            text += &format!("### {group}\n\n{}\n", Grid { head: &head, rows: &rows });
        }
    }
    text
}

impl Target {
    fn row(&self, measured: &Measured, commit: &str) -> Vec<String> {
        let met = if self.at_least { measured.value >= self.bound } else { measured.value <= self.bound };
        let sign = if self.at_least { ">=" } else { "<=" };
        vec![
            self.work.into(),
            self.shown(measured.value),
            measured.spread.clone(),
            format!("{sign} {}", self.shown(self.bound)),
            if met { "met" } else { "missed" }.into(),
            measured.peer.clone(),
            measured.machine.clone(),
            commit.into(),
            format!("`{}`", measured.command),
        ]
    }

    fn shown(&self, value: f64) -> String {
        match self.unit {
            "" if value >= 1e6 => format!("{} M", digits(value / 1e6)),
            "" => digits(value),
            "x" => format!("{}x", digits(value)),
            unit => format!("{} {unit}", digits(value)),
        }
    }
}

/// The commands' own tables, then the goals.
pub(super) fn page(tables: &[Table], measured: &[Measured], commit: &str) -> String {
    let mut text: String = tables.iter().map(|table| format!("{table}\n")).collect();
    text += &self::tables(measured, commit);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Measured, TARGETS, tables};

    fn measured(id: &str, value: f64) -> Measured {
        let text = String::new;
        Measured { id: id.into(), value, spread: text(), peer: text(), machine: text(), command: text() }
    }

    #[test]
    fn names_are_unique() {
        assert_eq!(TARGETS.iter().map(|target| target.id).collect::<HashSet<_>>().len(), TARGETS.len());
    }

    #[test]
    fn goals_are_met_or_missed() {
        let text = tables(&[measured("host-int8-8-avx512", 2.3), measured("a64-cortex-a53-int8-128", 1.5e9)], "abc");
        let row = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
        assert!(row("| int8, 8").contains("2.30x") && row("| int8, 8").contains("| met "), "{text}");
        assert!(row("| Cortex-A53, int8").contains("1500 M") && row("| Cortex-A53").contains("| missed "), "{text}");
        assert!(!text.contains("Cortex-M7"), "what was not measured has no row: {text}");
    }
}

//! What can be wrong in the field, one thing after another: each has to end with its exit code and its words.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::app::App;
use super::images::{self, Images, folder};
use super::machine::{Launch, Machine};
use super::{build, expected};

/// The machine with the least memory.
const MACHINE: &str = "qemu-m33";

/// What is done to a good model.
type Damage = fn(&mut Vec<u8>);

/// A damaged model, the exit code and words of the message.
struct Case {
    what: &'static str,
    damage: Damage,
    code: i32,
    words: &'static str,
}

const CASES: [Case; 10] = [
    Case { what: "erased flash", damage: |bytes| bytes.fill(0xff), code: 12, words: "its place is erased flash" },
    Case {
        what: "something else in the model's place",
        damage: |bytes| bytes[0] = 0,
        code: 12,
        words: "wrong first bytes",
    },
    Case { what: "another version", damage: |bytes| bytes[8] = 9, code: 13, words: "the file has version 9" },
    Case { what: "an unknown flag", damage: |bytes| bytes[12] = 1, code: 14, words: "flags 0x1" },
    Case { what: "a length of 4 GiB", damage: |bytes| bytes[20] = 1, code: 15, words: "the file should have" },
    Case {
        what: "a wrong offset in the section table",
        damage: |bytes| bytes[64 + 9] ^= 1,
        code: 16,
        words: "the file is damaged",
    },
    Case {
        what: "a bit of the weights",
        damage: |bytes| flip(bytes, 2),
        code: 16,
        words: "the file is damaged (checksum",
    },
    Case {
        what: "the last bit of the file",
        damage: |bytes| *bytes.last_mut().unwrap() ^= 0x80,
        code: 16,
        words: "the file is damaged",
    },
    Case { what: "a bit of the checksum", damage: |bytes| bytes[24] ^= 4, code: 16, words: "the file is damaged" },
    Case {
        what: "a download that broke off",
        damage: |bytes| {
            let half = bytes.len() / 2;
            bytes[half..].fill(0xff);
        },
        code: 16,
        words: "the file is damaged",
    },
];

fn flip(bytes: &mut [u8], part: usize) {
    let at = bytes.len() / part;
    bytes[at] ^= 0x10;
}

/// Runs every case on the emulated machine.
pub(super) fn test(good: &Images) -> Result<()> {
    let machine = Machine::named(MACHINE)?;
    build(machine)?;
    let damaged = folder()?.join("damaged.distil");
    for case in &CASES {
        let mut bytes = fs::read(&good.model).with_context(|| format!("cannot read {}", good.model.display()))?;
        (case.damage)(&mut bytes);
        fs::write(&damaged, bytes).with_context(|| format!("cannot write {}", damaged.display()))?;
        expect(machine, case.what, (Some(&damaged), Some(&good.check)), None, (case.code, case.words))?;
    }
    let (model, check) = (Some(&*good.model), Some(&*good.check));
    let (large, long) = large()?;
    let (large, long) = (Some(&*large), Some(&*long));
    expect(machine, "no model", (None, check), None, NO_MODEL)?;
    expect(machine, "no check file", (model, None), None, NO_CHECK)?;
    expect(machine, "the check file of another model", (model, long), None, OTHER_CHECK)?;
    expect(machine, "an arena larger than the memory", (large, long), None, MEMORY)?;
    expect(machine, "a program that hangs", (model, check), Some("hang"), WATCHDOG)?;
    let slow = machine.launch(&Launch { model, check, word: Some("slow"), ..Launch::default() })?;
    expected::compare(machine, App::Selftest, &slow).context("a slow program that feeds its watchdog")
}

/// An exit code and words of the message.
type End = (i32, &'static str);

const NO_MODEL: End = (12, "wrong first bytes");
const NO_CHECK: End = (80, "there is no check file at its address");
const OTHER_CHECK: End = (81, "is loaded");
const MEMORY: End = (32, "the arena needs");
const WATCHDOG: End = (103, "gave no sign of life");

/// A model, and a sentence that is too long for the machine's memory with it.
fn large() -> Result<(PathBuf, PathBuf)> {
    let text = folder()?.join("long.txt");
    fs::write(&text, format!("[MASK] {}", "a long text ".repeat(20)))
        .with_context(|| format!("cannot write {}", text.display()))?;
    let shape = ["--layers", "1", "--hidden", "256", "--heads", "4", "--intermediate", "512"];
    let images = images::of_shape("large", &shape, Some(&text))?;
    Ok((images.model, images.check))
}

/// One run, which has to fail as told.
fn expect(
    machine: &Machine,
    what: &str,
    (model, check): (Option<&Path>, Option<&Path>),
    word: Option<&str>,
    (code, words): End,
) -> Result<()> {
    let run = machine.launch(&Launch { app: App::Selftest, model, check, word, ..Launch::default() })?;
    let message = run.text.lines().last().unwrap_or_default();
    println!("{what}: exit code {}, {message}", run.code);
    if run.code != code || !message.contains(words) || !message.starts_with(&format!("error {code}: ")) {
        bail!("{what}: expected exit code {code} and `error {code}: ... {words} ...`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use clap::Args as _;

    use super::{CASES, MEMORY, NO_CHECK, NO_MODEL, OTHER_CHECK, WATCHDOG};
    use crate::firmware::RunArgs;
    use crate::shell::root;

    /// First cells of the rows of a table.
    fn numbers(path: &str) -> BTreeSet<i32> {
        let text = fs::read_to_string(root().join(path)).unwrap();
        text.lines().filter_map(|line| line.split('|').nth(1)?.trim().parse().ok()).collect()
    }

    #[test]
    fn cases_end_with_documented_numbers() {
        let documented = numbers("docs/error-codes.md");
        let others = [NO_MODEL, NO_CHECK, OTHER_CHECK, MEMORY, WATCHDOG].map(|(code, _)| code);
        for code in CASES.iter().map(|case| case.code).chain(others) {
            assert!(documented.contains(&code), "docs/error-codes.md lacks {code}");
        }
    }

    #[test]
    fn the_help_and_the_guide_name_the_same_documented_numbers() {
        let command = RunArgs::augment_args(clap::Command::new("run"));
        let help = command.get_after_help().unwrap().to_string();
        let words = help.split(|c: char| !c.is_alphanumeric() && c != '-');
        let helped: BTreeSet<i32> = words.filter_map(|word| word.parse().ok()).collect();
        let guide = fs::read_to_string(root().join("docs/firmware.md")).unwrap();
        let (_, table) = guide.split_once("| exit code | meaning |").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let rows = table.lines().filter_map(|line| line.split('|').nth(1));
        let guided: BTreeSet<i32> = rows
            .flat_map(|cell| cell.split(|c: char| !c.is_ascii_digit()))
            .filter_map(|word| word.parse().ok())
            .collect();
        assert_eq!(helped, guided);
        let documented = numbers("docs/error-codes.md");
        assert!(helped.len() > 10 && helped.is_subset(&documented), "{helped:?}");
    }
}

//! What can be wrong in the field, one thing after another: each has to end with its exit code and its words.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::app::App;
use super::build;
use super::images::{self, Images, folder};
use super::machine::{Launch, Machine};

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
    Case { what: "erased flash", damage: |bytes| bytes.fill(0xff), code: 3, words: "its place is erased flash" },
    Case {
        what: "something else in the model's place",
        damage: |bytes| bytes[0] = 0,
        code: 3,
        words: "wrong first bytes",
    },
    Case { what: "another version", damage: |bytes| bytes[8] = 9, code: 4, words: "the file has version 9" },
    Case { what: "an unknown flag", damage: |bytes| bytes[12] = 1, code: 4, words: "flags 0x1" },
    Case { what: "a length of 4 GiB", damage: |bytes| bytes[20] = 1, code: 5, words: "the file should have" },
    Case {
        what: "a wrong offset in the section table",
        damage: |bytes| bytes[64 + 9] ^= 1,
        code: 5,
        words: "the file is damaged",
    },
    Case {
        what: "a bit of the weights",
        damage: |bytes| flip(bytes, 2),
        code: 5,
        words: "the file is damaged (checksum",
    },
    Case {
        what: "the last bit of the file",
        damage: |bytes| *bytes.last_mut().unwrap() ^= 0x80,
        code: 5,
        words: "the file is damaged",
    },
    Case { what: "a bit of the checksum", damage: |bytes| bytes[24] ^= 4, code: 5, words: "the file is damaged" },
    Case {
        what: "a download that broke off",
        damage: |bytes| {
            let half = bytes.len() / 2;
            bytes[half..].fill(0xff);
        },
        code: 5,
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
        expect(machine, case.what, (Some(&damaged), Some(&good.check)), case.code, case.words)?;
    }
    expect(machine, "no model", (None, Some(&good.check)), 3, "wrong first bytes")?;
    expect(machine, "no check file", (Some(&good.model), None), 2, "there is no check file at its address")?;
    let (large, long) = large()?;
    expect(machine, "the check file of another model", (Some(&good.model), Some(&long)), 2, "is loaded")?;
    expect(machine, "an arena larger than the memory", (Some(&large), Some(&long)), 7, "the arena needs")
}

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
fn expect(machine: &Machine, what: &str, files: (Option<&Path>, Option<&Path>), code: i32, words: &str) -> Result<()> {
    let run = machine.launch(&Launch { app: App::Selftest, model: files.0, check: files.1, ..Launch::default() })?;
    let message = run.text.lines().last().unwrap_or_default();
    println!("{what}: exit code {}, {message}", run.code);
    if run.code != code || !message.contains(words) || !message.starts_with(&format!("error {code}: ")) {
        bail!("{what}: expected exit code {code} and `error {code}: ... {words} ...`");
    }
    Ok(())
}

//! The smallest program for 64-bit ARM Linux, run in the emulator for programs.

use std::fs;

use anyhow::{Context, Result, bail};

use super::images;
use crate::cross::{Target, cargo_for};
use crate::shell::{display, output, root};

/// Its package and target.
pub(super) const PROGRAM: (&str, Target) = ("linux-a64", Target::Aarch64Linux);

/// A sentence that the small seeded model can answer.
const SENTENCE: &str = "turn the lights in the [MASK] off.";

/// Lets the program answer a sentence and compares what it prints with what is expected.
pub(crate) fn test() -> Result<()> {
    let images = images::fixture()?;
    let (package, target) = PROGRAM;
    let mut cargo = cargo_for("run", target, &root().join("firmware"))?;
    cargo.args(["--quiet", "--release", "--locked", "--package", package, "--"]).arg(&images.model).arg(SENTENCE);
    eprintln!("$ {}", display(&cargo));
    let found = output(&mut cargo)?;
    let path = root().join("firmware").join(package).join("expected.txt");
    let expected = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if found != expected {
        bail!("{package} printed `{}` and {} expects `{}`", found.trim(), path.display(), expected.trim());
    }
    println!("{package}: {}", found.trim());
    Ok(())
}

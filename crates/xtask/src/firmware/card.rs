//! The SD card of a Raspberry Pi: a folder to copy to its first partition.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{expected, flat, images};
use crate::cross::{Target, cargo_for, release_dir};
use crate::shell::{display, root, run};

/// The program for the boards, which no emulator runs: its package and target.
pub(super) const BOARD: (&str, Target) = ("raspberry-pi", Target::Aarch64None);

/// The check file lies at the next multiple of this after the model: the program looks there.
const CHECK_STEP: usize = 4096;

/// Names on the card.
const PROGRAM: &str = "kernel8.img";
const MODEL: &str = "model.img";

/// What the program begins its last line with, in a good run and after a fault or a panic.
const LAST_WORDS: [&str; 3] = ["classify ended", "fault on core", "panicked at"];

/// Arguments of `firmware card`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The packed model
    #[arg(long)]
    model: PathBuf,
    /// The check file; without it `tools check` makes one for the model
    #[arg(long)]
    check: Option<PathBuf>,
    /// The folder to write to, made if it does not exist
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Builds the program and makes its image.
pub(super) fn build() -> Result<PathBuf> {
    let (package, target) = BOARD;
    run(cargo_for("build", target, &root().join("firmware"))?.args(["--release", "--locked", "--package", package]))?;
    flat::image_of(&release_dir(target)?.join(package))
}

/// Runs the command.
pub(super) fn write(args: &Args) -> Result<()> {
    let images = match &args.check {
        Some(check) => images::Images { model: args.model.clone(), check: check.clone() },
        None => images::for_model(&args.model)?,
    };
    write_files(&images, &args.to)?;
    println!(
        "copy these to the first partition (FAT) of a card with Raspberry Pi OS, or beside the firmware's bootcode.bin, start*.elf \
         and fixup*.dat; firmware/{}/README.md says the rest",
        BOARD.0
    );
    Ok(())
}

/// Builds the program and writes the files.
fn write_files(images: &images::Images, to: &Path) -> Result<()> {
    let image = build()?;
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for (name, bytes) in [
        (PROGRAM, read(&image)?),
        (MODEL, joined(read(&images.model)?, &read(&images.check)?)),
        ("config.txt", read(&folder().join("config.txt"))?),
    ] {
        let path = to.join(name);
        fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{} ({} bytes)", path.display(), bytes.len());
    }
    Ok(())
}

/// Starts the card of a small seeded model in the one board that the emulator has, a Pi 3, and compares what it says with
/// what is expected. A board does not end by itself: it is switched off after its last word.
pub(super) fn run_emulated(accept: bool) -> Result<()> {
    let card = root().join("target/firmware/card");
    write_files(&images::fixture()?, &card)?;
    let mut qemu = Command::new("qemu-system-aarch64");
    qemu.args(["-M", "raspi3b", "-serial", "stdio", "-display", "none", "-monitor", "none"]);
    qemu.args(["-icount", "shift=0,sleep=off", "-kernel"]).arg(card.join(PROGRAM)).arg("-device");
    // As config.txt has it.
    qemu.arg(format!("loader,file={},addr=0x04000000,force-raw=on", card.join(MODEL).display()));
    eprintln!("$ {}", display(&qemu));
    let mut child = qemu
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-system-aarch64; run `cargo xtask setup`")?;
    let mut stdin = child.stdin.take().context("the emulator's input is a pipe")?;
    let lines = BufReader::new(child.stdout.take().context("the emulator's output is a pipe")?).lines();
    let (sender, received) = mpsc::channel();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut text = String::new();
    // The end of its words, or five minutes of silence: what is missing then shows in the comparison.
    while let Ok(line) = received.recv_timeout(Duration::from_secs(300)) {
        text += &format!("{}\n", line.replace('\r', ""));
        // As a person types: what comes before the serial port is set up can be lost.
        if line.starts_with("ready:") {
            stdin.write_all(b"paris is the capital of [MASK].\nquit\n")?;
        }
        if LAST_WORDS.iter().any(|words| line.starts_with(words)) {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    print!("{text}");
    expected::settle(&folder().join("expected.txt"), &text, accept, "cargo xtask firmware run raspberry-pi --accept")
}

/// The board's folder.
fn folder() -> PathBuf {
    root().join("firmware").join(BOARD.0)
}

/// The model, zeros, the check file.
fn joined(mut model: Vec<u8>, check: &[u8]) -> Vec<u8> {
    model.resize(model.len().next_multiple_of(CHECK_STEP), 0);
    model.extend(check);
    model
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn the_check_file_begins_at_a_page() {
        assert_eq!(joined(vec![1; 5000], b"DISTILCK")[8192..], *b"DISTILCK");
        assert_eq!(joined(vec![1; 4096], b"x").len(), 4097);
    }
}

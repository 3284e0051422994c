//! `bench all`: every figure of docs/performance.md, one command after another.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Parser;

use super::{Command, Outcome};

/// Arguments of `bench all`.
#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// Fewer rounds and no long texts: shows that every command works
    #[arg(long)]
    quick: bool,
    /// Text for the tokenizer [default: the demo's corpus]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Go on where a command fails, and say so at the end
    #[arg(long)]
    keep_going: bool,
}

/// The commands, as a person would type them after `cargo xtask bench`.
fn commands(args: &Args) -> Vec<Vec<String>> {
    let commands: &[&str] = if args.quick {
        &[
            "host --tokens 8,32 --rounds 2",
            "host --tokens 32 --rounds 2 --weights int8 --isa avx2 --peers int8 --peer-isa avx2",
            "host --tokens 32 --rounds 2 --weights int8 --peers int8 --peer-isa auto --threads 1,2",
            "instructions --tokens 8 --peer",
            "cycles --machine qemu-m55 --tokens 8",
            "cycles --machine qemu-m7 --tokens 8",
            "open --rounds 5",
            "seed --tokens 8 --rounds 2 --cpu cortex-a53",
        ]
    } else {
        &[
            "host --peer-isa auto",
            "host --weights int8,int4 --isa avx512vnni --peers int8 --peer-isa avx512",
            "host --tokens 128 --weights int8 --isa avx2 --peers int8 --peer-isa avx2",
            "host --tokens 128 --weights int8 --peers int8 --peer-isa auto --threads 1,2",
            "instructions --layout portable,tile8,tile4 --peer",
            "cycles --machine qemu-m55 --layout tile4",
            "cycles --machine qemu-m7 --layout tile4",
            "cycles --machine qemu-m55",
            "cycles --machine qemu-a64 --cpu cortex-a53",
            "cycles --machine qemu-a64 --cpu cortex-a76",
            "open",
            "seed",
        ]
    };
    let split = |command: &&str| command.split(' ').map(str::to_owned).collect();
    let mut commands: Vec<Vec<String>> = commands.iter().map(split).collect();
    let text = args.text.iter().flat_map(|path| ["--text".to_owned(), path.display().to_string()]);
    commands.push(std::iter::once("tokenizer".to_owned()).chain(text).collect());
    commands
}

/// A command line of its own, so that what is measured is what a person would get by typing it.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// Runs them all.
pub(super) fn measure(args: &Args) -> Result<Outcome> {
    let mut whole = Outcome { tables: Vec::new(), measured: Vec::new() };
    let mut failed = Vec::new();
    for words in commands(args) {
        let typed = format!("cargo xtask bench {}", words.join(" "));
        eprintln!("\n== {typed}");
        match Line::try_parse_from(&words)?.command.measure(&typed) {
            Ok(outcome) => {
                whole.tables.extend(outcome.tables);
                whole.measured.extend(outcome.measured);
            }
            Err(error) if args.keep_going => {
                eprintln!("{error:#}");
                failed.push(format!("`{typed}`: {error:#}"));
            }
            Err(error) => return Err(error.context(typed)),
        }
    }
    if whole.tables.is_empty() {
        bail!("no command worked: {}", failed.join("; "));
    }
    if let Some(table) = whole.tables.last_mut() {
        table.notes.extend(failed.into_iter().map(|failure| format!("Failed: {failure}")));
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, Line, commands};

    #[test]
    fn every_command_can_be_typed() {
        for quick in [false, true] {
            let args = Args { quick, text: Some("wiki.txt".into()), keep_going: false };
            for words in commands(&args) {
                assert!(Line::try_parse_from(&words).is_ok(), "{words:?}");
            }
        }
    }
}

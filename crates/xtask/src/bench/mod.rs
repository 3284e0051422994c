//! `cargo xtask bench`: prints the figures of docs/performance.md, each from a command of its own.
//!
//! Every command gives its own table, then the goals it has a figure for. Tables go to standard output as Markdown,
//! everything else to standard error.

mod all;
mod around;
mod cycles;
pub(crate) mod edge;
mod host;
mod instructions;
mod llvm;
mod peer;
mod peer_a64;
mod place;
mod profile;
mod programs;
mod quality;
mod scatter;
mod seed;
mod stats;
mod subjects;
mod table;
mod targets;
mod training;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;

pub(crate) use programs::inspected;
use table::Table;
pub(crate) use table::grouped;
use targets::Measured;

/// Arguments of `bench`.
#[derive(clap::Args)]
#[command(
    after_help = "DISTIL_BENCH_PYTHON names an interpreter that has the packages of benches/peers/requirements.txt; \
    without it, `host` makes one in the cache."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// Also write the tables to this file
    #[arg(long, short, global = true, value_name = "FILE.md")]
    output: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Milliseconds on this machine, in turns with ONNX Runtime
    Host(host::Args),
    /// Instructions on emulated 64-bit ARM processors
    Instructions(instructions::Args),
    /// Estimated cycles of a whole text, function by function
    Cycles(cycles::Args),
    /// Our tokenizer in turns with the `tokenizers` crate
    Tokenizer(around::TokenizerArgs),
    /// Opening a packed file, with and without its checksum
    Open(around::OpenArgs),
    /// DistilBERT against BERT-base: parameters, bytes, milliseconds, instructions
    Seed(seed::Args),
    /// What packed files keep of a task, beside their bytes and instructions
    Quality(quality::Args),
    /// A step of distillation in turns with PyTorch
    Training(training::Args),
    /// All of these but `quality` and `training`, with the arguments of docs/performance.md
    All(all::Args),
}

/// What a command measured.
struct Outcome {
    tables: Vec<Table>,
    measured: Vec<Measured>,
}

impl Command {
    /// Does it; `typed` is how a person would ask for it.
    fn measure(&self, typed: &str) -> Result<Outcome> {
        match self {
            Self::Host(args) => host::measure(args, typed),
            Self::Instructions(args) => instructions::measure(args, typed),
            Self::Cycles(args) => cycles::measure(args, typed),
            Self::Tokenizer(args) => around::tokenizer(args, typed),
            Self::Open(args) => around::open(args, typed),
            Self::Seed(args) => seed::measure(args, typed),
            Self::Quality(args) => quality::measure(args, typed),
            Self::Training(args) => training::measure(args, typed),
            Self::All(args) => all::measure(args),
        }
    }
}

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    let outcome = args.command.measure(&typed())?;
    let page = targets::page(&outcome.tables, &outcome.measured, &place::commit());
    println!("{page}");
    if let Some(path) = &args.output {
        let stamp = format!("{}, commit {}, {}\n\n", place::date(), place::commit(), place::machine());
        fs::write(path, stamp + &page).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

/// The command as it was typed, less the file that its tables go to.
fn typed() -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo xtask {}", without_output(&words).join(" "))
}

fn without_output(words: &[String]) -> Vec<&str> {
    let names_a_file = |word: &str| matches!(word, "-o" | "--output");
    let file = |at: usize| at > 0 && names_a_file(&words[at - 1]);
    let kept = |(at, word): (usize, &String)| !names_a_file(word) && !word.starts_with("--output=") && !file(at);
    words.iter().enumerate().filter(|&pair| kept(pair)).map(|(_, word)| word.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::without_output;

    #[test]
    fn the_file_is_not_part_of_the_command() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for text in
            ["bench -o a.md host --rounds 3", "bench host --rounds 3 --output a.md", "bench host --output=a --rounds 3"]
        {
            assert_eq!(without_output(&words(text)), ["bench", "host", "--rounds", "3"], "{text}");
        }
    }
}

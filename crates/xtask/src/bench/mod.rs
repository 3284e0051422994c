//! `cargo xtask bench`: prints the figures of docs/performance.md, each from a command of its own.
//!
//! Every command gives its own table, then the goals it has a figure for. Tables go to standard output as Markdown,
//! everything else to standard error.

mod cycles;
mod host;
mod instructions;
mod llvm;
mod peer;
mod place;
mod profile;
mod programs;
mod stats;
mod subjects;
mod table;
mod targets;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;

use table::Table;
pub(crate) use table::grouped;
use targets::Measured;

/// Arguments of `bench`.
#[derive(clap::Args)]
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
}

/// What a command measured.
struct Outcome {
    tables: Vec<Table>,
    measured: Vec<Measured>,
}

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    let typed = typed();
    let outcome = match &args.command {
        Command::Host(args) => host::measure(args, &typed)?,
        Command::Instructions(args) => instructions::measure(args, &typed)?,
        Command::Cycles(args) => cycles::measure(args, &typed)?,
    };
    let page = targets::page(&outcome.tables, &outcome.measured, &place::commit());
    println!("{page}");
    if let Some(path) = &args.output {
        let stamp = format!("{}, commit {}, {}\n\n", place::date(), place::commit(), place::machine());
        std::fs::write(path, stamp + &page).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

/// The command as it was typed.
fn typed() -> String {
    let words: Vec<_> = std::env::args().skip(1).collect();
    format!("cargo xtask {}", words.join(" "))
}

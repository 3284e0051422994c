//! One module per verb: its arguments, what it computes, how it prints it.

pub(crate) mod bench;
mod calibration;
mod check;
mod completions;
mod diff;
mod eval;
mod examples;
mod export_c;
mod fixture;
mod inspect;
mod man;
mod numbers;
mod pack;
mod packed;
mod report;
mod run;
mod schema;
mod signature;
mod tokenize;
mod unpack;
mod verify;

use std::io::Write;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::error::Error;
use crate::progress::working;

const EXIT_CODES: &str = "\
Data goes to standard output, progress and errors to standard error; where NO_COLOR is set, or standard error is no \
terminal, without escape codes. `tools help VERB` has examples; `tools schema VERB` describes what --json prints.

Exit codes: 0 done, and every check held; 1 a check did not hold, or an output could not be written; 2 the command \
line or an input is unusable.";

/// Packs BERT and DistilBERT models for devices, and looks into, runs, verifies and measures packed files.
#[derive(Debug, Parser)]
#[command(name = "tools", version, term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Pack a Hugging Face folder, or a model of the hub, into one file
    Pack(pack::Args),
    /// Write a packed file back as a Hugging Face folder, its weights as float32
    Unpack(unpack::Args),
    /// Write a packed file as C source or an object file, to link into firmware
    ExportC(export_c::Args),
    /// Show what is in a packed file: shape, sizes, memory, the error of packing
    Inspect(inspect::Args),
    /// Turn lines of text into token ids
    Tokenize(tokenize::Args),
    /// Answer texts with a packed file
    Run(run::Args),
    /// Compare a packed file with the float model it was made from
    Verify(verify::Args),
    /// Measure quality on labelled data
    Eval(eval::Args),
    /// Show what is different in two packed files
    Diff(diff::Args),
    /// Measure the time of one text
    Bench(bench::Args),
    /// Draw packed files on one page: bytes, errors, ranges, times, memory, quality
    Report(report::Args),
    /// Write inputs and exact outputs for a device to compare itself with
    Check(check::Args),
    /// Write a random model of a given shape, as a Hugging Face folder
    Fixture(fixture::Args),
    /// Make a pair of keys for signing packed files
    Keygen(signature::KeygenArgs),
    /// Sign a packed file
    Sign(signature::SignArgs),
    /// Describe the JSON of a verb
    Schema(schema::Args),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Write manual pages
    Man(man::Args),
}

impl Command {
    /// Does it; data goes to `out`.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::Pack(args) => args.run(out),
            Self::Unpack(args) => args.run(out),
            Self::ExportC(args) => args.run(out),
            Self::Inspect(args) => args.run(out),
            Self::Tokenize(args) => args.run(out),
            Self::Run(args) => args.run(out),
            Self::Verify(args) => args.run(out),
            Self::Eval(args) => args.run(out),
            Self::Diff(args) => args.run(out),
            Self::Bench(args) => args.run(out),
            Self::Report(args) => args.run(out),
            Self::Check(args) => args.run(out),
            Self::Fixture(args) => args.run(out),
            Self::Keygen(args) => args.run(out),
            Self::Sign(args) => args.run(out),
            Self::Schema(args) => args.run(out),
            Self::Completions(args) => args.run(out),
            Self::Man(args) => args.run(out),
        }
    }
}

/// The command line's grammar, with the examples in the help of each verb.
pub fn command() -> clap::Command {
    let with = |command: clap::Command, (verb, lines): &examples::Examples| {
        command.mut_subcommand(verb, |verb| {
            let before = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            verb.after_help(examples::after(&before, lines))
        })
    };
    examples::EXAMPLES.iter().fold(Cli::command(), with)
}

/// Reads this process's arguments; ends the process where they are wrong, or ask for help.
pub fn parse() -> Cli {
    let mut command = command();
    let matches = command.get_matches_mut();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// Prints a value as one line of JSON.
fn json_line(out: &mut dyn Write, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

/// A count of bytes for people: `66.5 MB` is 66.5 million bytes.
fn bytes(count: usize) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.2} MB", count as f64 / 1e6),
    }
}

/// A progress bar on standard error; see [`crate::progress`].
fn progress(what: &'static str, count: usize) -> ProgressBar {
    crate::progress::bar(what, count)
}

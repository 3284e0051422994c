//! `cargo xtask capi`: the library for C, its header, and their test.

mod library;
mod test;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;

use crate::shell::{cargo, root, run};
use library::For;
pub(crate) use test::test;

/// Arguments of `capi`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write libdistil.a and distil.h for a target
    Build {
        /// host, or one of the targets of the ARM machines
        #[arg(long, default_value = "host", value_parser = For::parse)]
        target: For,
        /// The folder to write to
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Write crates/capi/include/distil.h anew from the source
    Header,
    /// Open a model in slices on the emulated Cortex-M55: instructions of the longest steps
    Slices {
        /// A packed model of at most 256 MB
        file: PathBuf,
    },
}

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    match &args.command {
        Command::Build { target, output } => build(*target, output),
        Command::Header => run(cargo().env("DISTIL_WRITE_HEADER", "1").args([
            "test",
            "--locked",
            "--package",
            "distil-capi",
            "--test",
            "header",
        ])),
        Command::Slices { file } => test::slices(file),
    }
}

fn build(target: For, output: &PathBuf) -> Result<()> {
    let library = library::build(target, false)?;
    fs::create_dir_all(output).with_context(|| format!("cannot make the folder {}", output.display()))?;
    for from in [library, header()] {
        let name = from.file_name().context("a file has a name")?;
        let to = output.join(name);
        fs::copy(&from, &to).with_context(|| format!("cannot write {}", to.display()))?;
        println!("{}", to.display());
    }
    Ok(())
}

fn header() -> PathBuf {
    root().join("crates/capi/include/distil.h")
}

//! Development commands of the workspace: `cargo xtask COMMAND`.
//!
//! One module per command. [`shell`] runs other programs and [`cross`] knows how to build for and run on the ARM
//! targets; the commands are written in terms of those two.

mod bench;
mod capi;
mod cross;
mod cuda;
mod demo;
mod firmware;
mod models;
mod setup;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development commands of the distil workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make this machine able to build and run everything: Rust targets, emulators, the AArch64 linker
    Setup(setup::Args),
    /// Distil, pack and run on this machine and two emulated boards; ends with a table
    Demo(demo::Args),
    /// Build the trainer for NVIDIA's GPUs: one program that starts on any x86-64 Linux
    BuildCuda(cuda::Args),
    /// Run every check: format, lints, documentation, tests, bare-metal builds, emulated ARM
    Test(test::Args),
    /// Build the firmware images and run them in QEMU
    Firmware(firmware::Args),
    /// Build the library for C and its header
    Capi(capi::Args),
    /// Measure: milliseconds, instructions, estimated cycles, against peers; prints the tables of docs/performance.md
    Bench(bench::Args),
    /// Get published models for the recorded results
    Models(models::Args),
}

fn main() -> ExitCode {
    if cuda::nvcc::is_wanted() {
        return cuda::nvcc::main();
    }
    let result = match Cli::parse().command {
        Command::Setup(args) => setup::main(&args),
        Command::Demo(args) => demo::main(&args),
        Command::BuildCuda(args) => cuda::main(&args),
        Command::Test(args) => test::main(&args),
        Command::Firmware(args) => firmware::main(args),
        Command::Capi(args) => capi::main(&args),
        Command::Bench(args) => bench::main(&args),
        Command::Models(args) => models::main(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // On one line each, without a backtrace: these are messages to a person, not bugs.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

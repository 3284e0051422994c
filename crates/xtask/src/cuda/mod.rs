//! `cargo xtask build-cuda`: the trainer for NVIDIA's GPUs, as one program that starts on any x86-64 Linux.
//!
//! [`toolkit`] brings the compiler, [`shim`] makes the libraries that the linker asks for, [`nvcc`] leaves out kernels that
//! training does not need, and [`program`] looks at what came out. Nothing of it needs a GPU or a driver.

mod bindings;
mod home;
pub(crate) mod nvcc;
mod program;
mod shim;
pub(crate) mod toolkit;
mod wheels;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use crate::shell::{root, run};
use crate::test::Skipped;
use home::Home;

/// Arguments of `build-cuda`.
#[derive(clap::Args)]
#[command(
    after_help = "Needs a C compiler, and what `cargo xtask setup --cuda` gets (asked for by itself on the first \
    run).\nCC names another C compiler; NVCC_CCBIN the one that NVIDIA's compiler uses."
)]
pub(crate) struct Args {
    /// Several GPUs, too: with NCCL, which is looked for when it is first used
    #[arg(long)]
    nccl: bool,
    /// Only check the types, with NCCL and the tests: no program
    #[arg(long)]
    check: bool,
}

/// All that can be on.
const ALL: &str = "cuda,nccl";

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    let home = prepare(toolkit::ensure)?;
    println!("3. the trainer");
    let start = Instant::now();
    if args.check {
        // Where everything else is checked, so that most of it has been.
        run(&mut home.cargo(&["check", "--all-targets"], ALL, &shared_target()))?;
        println!("   checked in {:.0} s", start.elapsed().as_secs_f64());
        return Ok(());
    }
    // In a folder of its own: its features change most of what the trainer is made of.
    let target = own_target();
    let features = if args.nccl { ALL } else { "cuda" };
    run(home
        .cargo(&["build", "--release", "--bin", "train"], features, &target)
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols"))?;
    println!("   built in {:.0} s", start.elapsed().as_secs_f64());
    println!("4. the program");
    program::report(&target.join("release/train"))
}

/// The step of `cargo xtask test`: lints and tests the code for GPUs, links the program against the stand-ins and starts
/// it. It shares its folder, and so most of the work, with the steps before it.
pub(crate) fn test() -> Result<()> {
    let skip = |error: anyhow::Error| anyhow::Error::new(Skipped(format!("no CUDA compiler: {error:#}")));
    let home = prepare(|| toolkit::ensure().map_err(skip))?;
    let target = shared_target();
    run(home.cargo(&["clippy", "--all-targets"], ALL, &target).args(["--", "-D", "warnings"]))?;
    run(home.cargo(&["test", "--lib"], ALL, &target).arg("cuda"))?;
    run(&mut home.cargo(&["build", "--bin", "train"], ALL, &target))?;
    let program = target.join("debug/train");
    program::report(&program)?;
    program::check_messages(&program, &own_target())
}

fn prepare(toolkit: impl FnOnce() -> Result<PathBuf>) -> Result<Home> {
    println!("1. NVIDIA's compiler");
    let toolkit = toolkit()?;
    println!("2. stand-ins for NVIDIA's libraries");
    Home::prepare(toolkit, &own_target(), &shared_target())
}

/// Where the finished program and what it is linked with lie.
fn own_target() -> PathBuf {
    root().join("target/cuda")
}

/// Where cargo puts everything else.
fn shared_target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The C compiler.
fn compiler() -> OsString {
    std::env::var_os("CC").filter(|name| !name.is_empty()).unwrap_or_else(|| "cc".into())
}

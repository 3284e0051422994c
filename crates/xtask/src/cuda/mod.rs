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
    /// Only check the types, with NCCL: no program
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    println!("1. NVIDIA's compiler");
    let toolkit = toolkit::ensure()?;
    println!("2. stand-ins for NVIDIA's libraries");
    let home = Home::prepare(toolkit, &target_dir())?;
    println!("3. the trainer");
    let start = Instant::now();
    if args.check {
        run(home.command(&["check", "--tests"], "cuda,nccl").args(["--release"]))?;
        println!("   checked in {:.0} s", start.elapsed().as_secs_f64());
        return Ok(());
    }
    run(home.command(&["build"], if args.nccl { "cuda,nccl" } else { "cuda" }).args(["--release", "--bin", "train"]))?;
    println!("   built in {:.0} s", start.elapsed().as_secs_f64());
    program::report(&target_dir().join("release/train"))
}

/// Where this build lands: in a folder of its own, since its features change most of what the trainer is made of.
fn target_dir() -> PathBuf {
    root().join("target/cuda")
}

/// The C compiler.
fn compiler() -> OsString {
    std::env::var_os("CC").filter(|name| !name.is_empty()).unwrap_or_else(|| "cc".into())
}

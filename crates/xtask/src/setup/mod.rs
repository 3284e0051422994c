//! `cargo xtask setup`: makes this machine able to build and run everything.
//!
//! Each step first looks whether there is anything to do, so a second run takes a moment and changes nothing.

mod debian;
mod packages;

use std::process::Command;

use anyhow::{Result, bail};

use crate::cross::{Target, Toolchain};
use crate::cuda;
use crate::shell::{has, root, run};

/// Arguments of `setup`.
#[derive(clap::Args)]
#[command(after_help = "DISTIL_CACHE names the folder for downloads (default ~/.cache/distil).\n\
    DISTIL_TOOLCHAIN=rustup or =debian forces where the ARM libraries come from.")]
pub(crate) struct Args {
    /// Only say what is missing, change nothing; exit with 1 if something is
    #[arg(long)]
    check: bool,
    /// Also install what `bench cycles` and `bench instructions --peer` need
    #[arg(long)]
    bench: bool,
    /// Get only what `build-cuda` needs: NVIDIA's compiler, 104 MB to fetch, 271 MB in the cache
    #[arg(long, conflicts_with_all = ["bench", "check"])]
    cuda: bool,
}

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    if args.check {
        let missing = missing()?;
        for item in &missing {
            println!("missing: {item}");
        }
        if missing.is_empty() {
            println!("ready: nothing is missing");
            return Ok(());
        }
        bail!("run `cargo xtask setup` to get {} missing part(s)", missing.len());
    }
    if args.cuda {
        println!("NVIDIA's compiler");
        cuda::toolkit::ensure()?;
        println!("ready: `cargo xtask build-cuda`");
        return Ok(());
    }
    ensure()?;
    if args.bench {
        println!("3. for measuring");
        packages::install(&packages::BENCH)?;
    }
    Ok(())
}

/// What this machine lacks, in words.
pub(crate) fn missing() -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for target in Target::ALL {
        if Toolchain::of(target)?.is_none() {
            missing.push(format!("the Rust library for {}", target.triple()));
        }
    }
    missing.extend(packages::missing(&packages::TOOLS).into_iter().map(|tool| tool.what.to_string()));
    Ok(missing)
}

/// Does every step that is still to do.
pub(crate) fn ensure() -> Result<()> {
    println!("1. Rust libraries for the ARM targets");
    rust_targets()?;
    println!("2. emulators and the AArch64 linker");
    packages::install(&packages::TOOLS)?;
    println!("ready");
    Ok(())
}

/// Installs the targets with rustup, or unpacks Debian's compiler when rustup cannot.
fn rust_targets() -> Result<()> {
    let lacking = |target: &Target| Ok::<_, anyhow::Error>(Toolchain::of(*target)?.is_none());
    let mut wanted = Vec::new();
    for target in Target::ALL {
        if lacking(&target)? {
            wanted.push(target.triple());
        }
    }
    if wanted.is_empty() {
        let names: Vec<_> = Target::ALL
            .iter()
            .map(|target| Ok(format!("{} ({:?})", target.triple(), Toolchain::of(*target)?.expect("none is lacking"))))
            .collect::<Result<_>>()?;
        println!("   present: {}", names.join(", "));
        return Ok(());
    }
    if Toolchain::forced()? != Some(Toolchain::Debian) {
        if has("rustup") {
            let mut rustup = Command::new("rustup");
            rustup.current_dir(root()).env("RUSTUP_MAX_RETRIES", "1").env_remove("RUST_BACKTRACE");
            match run(rustup.args(["target", "add"]).args(&wanted)) {
                Ok(()) => return Ok(()),
                Err(error) => println!("   {error}"),
            }
        } else {
            println!("   rustup is not on this machine");
        }
        if Toolchain::forced()? == Some(Toolchain::Rustup) {
            bail!("rustup could not install the targets, and DISTIL_TOOLCHAIN=rustup forbids anything else");
        }
    }
    println!("   falling back to Debian's compiler, unpacked into a cache folder (nothing is installed)");
    debian::unpack()
}

//! Building for the ARM targets and running their programs.
//!
//! Two toolchains serve. With rustup's targets installed it is plain stable Rust. Without (a network that does not
//! reach rustup), `setup` has unpacked Debian's compiler and its library sources into the cache: then the compiler is
//! [`debian_rustc`], bare-metal targets build `core` themselves, and `RUSTC_BOOTSTRAP` admits the flag for that.
//! Everything cross-built goes to one target folder with one set of flags, so `core` is built once per target.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{cache, cargo, has, output, root};

/// A target that is not the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// Cortex-M4 and M7 with a float unit, no operating system.
    Thumbv7em,
    /// Cortex-M33, M55, M85 with a float unit, no operating system.
    Thumbv8m,
    /// 64-bit ARM, no operating system.
    Aarch64None,
    /// 64-bit ARM Linux.
    Aarch64Linux,
}

impl Target {
    pub(crate) const ALL: [Self; 4] = [Self::Thumbv7em, Self::Thumbv8m, Self::Aarch64None, Self::Aarch64Linux];
    pub(crate) const BARE: [Self; 3] = [Self::Thumbv7em, Self::Thumbv8m, Self::Aarch64None];

    /// The target's name.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Thumbv7em => "thumbv7em-none-eabihf",
            Self::Thumbv8m => "thumbv8m.main-none-eabihf",
            Self::Aarch64None => "aarch64-unknown-none",
            Self::Aarch64Linux => "aarch64-unknown-linux-gnu",
        }
    }

    fn is_bare(self) -> bool {
        self != Self::Aarch64Linux
    }
}

/// Where the libraries of a target come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Toolchain {
    /// The active toolchain has the target installed.
    Rustup,
    /// The compiler that `setup` unpacked from Debian's packages.
    Debian,
}

impl Toolchain {
    /// What `DISTIL_TOOLCHAIN` (`rustup` or `debian`) asks for, if it asks.
    pub(crate) fn forced() -> Result<Option<Self>> {
        match std::env::var("DISTIL_TOOLCHAIN").as_deref() {
            Err(_) | Ok("" | "auto") => Ok(None),
            Ok("rustup") => Ok(Some(Self::Rustup)),
            Ok("debian") => Ok(Some(Self::Debian)),
            Ok(other) => bail!("DISTIL_TOOLCHAIN is `{other}`; it can be auto, rustup or debian"),
        }
    }

    /// The toolchain that can build for `target` on this machine now.
    pub(crate) fn of(target: Target) -> Result<Option<Self>> {
        let rustup =
            || Ok::<_, anyhow::Error>(sysroot()?.join("lib/rustlib").join(target.triple()).join("lib").is_dir());
        let debian = || Ok::<_, anyhow::Error>(debian_rustc()?.is_file());
        Ok(match Self::forced()? {
            Some(Self::Rustup) => rustup()?.then_some(Self::Rustup),
            Some(Self::Debian) => debian()?.then_some(Self::Debian),
            None if rustup()? => Some(Self::Rustup),
            None => debian()?.then_some(Self::Debian),
        })
    }
}

/// The active toolchain's folder.
pub(crate) fn sysroot() -> Result<PathBuf> {
    let text = output(Command::new("rustc").current_dir(root()).args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(text.trim()))
}

/// The folder of the unpacked compiler.
pub(crate) fn debian_folder() -> Result<PathBuf> {
    Ok(cache()?.join("toolchain"))
}

/// The script that starts the unpacked compiler with its own libraries.
pub(crate) fn debian_rustc() -> Result<PathBuf> {
    Ok(debian_folder()?.join("rustc"))
}

/// Whether clippy can check code for this target (the unpacked compiler comes without it).
pub(crate) fn has_clippy(target: Target) -> Result<bool> {
    Ok(Toolchain::of(target)? == Some(Toolchain::Rustup))
}

/// Whether AArch64 Linux programs run here without an emulator.
pub(crate) const NATIVE_AARCH64_LINUX: bool = cfg!(all(target_arch = "aarch64", target_os = "linux"));

/// The user-mode emulator for AArch64 Linux programs.
pub(crate) fn qemu_user() -> Option<&'static str> {
    ["qemu-aarch64-static", "qemu-aarch64"].into_iter().find(|name| has(name))
}

/// Where programs for a target land: the target folder of every cross build.
pub(crate) fn target_dir() -> PathBuf {
    root().join("target/arm")
}

/// `cargo VERB --target TARGET` with the environment that the target needs; `folder` is the workspace's root.
///
/// Fails when nothing on this machine can build for the target, naming the command that changes that.
pub(crate) fn cargo_for(verb: &str, target: Target, folder: &Path) -> Result<Command> {
    let Some(toolchain) = Toolchain::of(target)? else {
        bail!("no Rust library for {} on this machine; run `cargo xtask setup`", target.triple());
    };
    let mut command = cargo();
    command.current_dir(folder).env("CARGO_TARGET_DIR", target_dir());
    command.arg(verb).args(["--target", target.triple()]);
    if folder != root().join("firmware") {
        // The flags of the bare-metal targets are written once, in the firmware workspace.
        command.arg("--config").arg(root().join("firmware/.cargo/config.toml"));
    }
    if toolchain == Toolchain::Debian {
        command.env("RUSTC", debian_rustc()?);
        // Results of the two compilers must not share a folder.
        command.env("CARGO_TARGET_DIR", target_dir().join("debian"));
        if target.is_bare() {
            command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core,alloc");
        }
    }
    if target == Target::Aarch64Linux && !NATIVE_AARCH64_LINUX {
        command
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
            .env("CC_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-gcc");
        // The oldest core that is served: an instruction it lacks must not slip in.
        run_on(&mut command, "cortex-a53")?;
    }
    Ok(command)
}

/// Lets a command of [`cargo_for`] run AArch64 Linux programs on this emulated processor.
pub(crate) fn run_on(command: &mut Command, processor: &str) -> Result<()> {
    let emulator = qemu_user().context("no qemu-aarch64 on this machine; run `cargo xtask setup`")?;
    let runner = format!("{emulator} -cpu {processor} -L /usr/aarch64-linux-gnu");
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
    Ok(())
}

/// Where `cargo_for` puts the programs of a target built with the release profile.
pub(crate) fn release_dir(target: Target) -> Result<PathBuf> {
    let folder = match Toolchain::of(target)? {
        Some(Toolchain::Debian) => target_dir().join("debian"),
        _ => target_dir(),
    };
    Ok(folder.join(target.triple()).join("release"))
}

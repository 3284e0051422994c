//! The fallback where rustup reaches nothing: Debian's compiler and library sources, unpacked, not installed.
//!
//! `apt-get` downloads the packages with lists of its own in the cache folder, so neither root nor a foreign
//! architecture on the system is needed. The folder gets its final name only when the compiler in it has run.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cross::{debian_folder, debian_rustc, sysroot};
use crate::shell::{has, output, run};

/// The compiler, its libraries for both ends of a cross build, and the sources that bare targets compile.
const PACKAGES: [&str; 7] = [
    "rustc-web:amd64",
    "libstd-rust-web-1.96:amd64",
    "libstd-rust-web-dev:amd64",
    "libstd-rust-web-1.96:arm64",
    "libstd-rust-web-dev:arm64",
    "rust-web-src:all",
    "libllvm22:amd64",
];

/// Downloads and unpacks the compiler unless it is there.
pub(super) fn unpack() -> Result<()> {
    if debian_rustc()?.is_file() {
        println!("   present: {}", debian_folder()?.display());
        return Ok(());
    }
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) || !has("apt-get") || !has("dpkg-deb") {
        bail!(
            "the Rust targets are missing: install them with `rustup target add` (the fallback without rustup needs \
             Debian or a relative of it on x86-64)"
        );
    }
    let folder = debian_folder()?;
    let parent = folder.parent().context("the cache folder has no parent")?;
    fs::create_dir_all(parent)?;
    let partial = parent.join(format!("toolchain.partial-{}", std::process::id()));
    let result = fill(&partial, &folder);
    if result.is_err() {
        // Leave nothing that a later run could take for a whole toolchain.
        let _ = fs::remove_dir_all(&partial);
    }
    result
}

fn fill(partial: &Path, folder: &Path) -> Result<()> {
    let downloads = partial.join("downloads");
    for name in ["downloads", "lists/partial", "archives/partial"] {
        fs::create_dir_all(partial.join(name))?;
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.current_dir(&downloads).arg("--quiet");
        for option in ["APT::Architectures::=amd64", "APT::Architectures::=arm64", "APT::Sandbox::User=root"] {
            command.args(["-o", option]);
        }
        command.arg("-o").arg(format!("Dir::State::Lists={}", partial.join("lists").display()));
        command.arg("-o").arg(format!("Dir::Cache={}", partial.display()));
        command
    };
    let explain = "Debian's packages for Rust 1.96 cannot be had here; they are in Debian 12 with its security updates";
    run(apt().arg("update")).context(explain)?;
    run(apt().arg("download").args(PACKAGES)).context(explain)?;
    for entry in fs::read_dir(&downloads)? {
        run(Command::new("dpkg-deb").arg("--extract").arg(entry?.path()).arg(partial))?;
    }
    for name in ["downloads", "lists", "archives"] {
        fs::remove_dir_all(partial.join(name))?;
    }
    link_lld(partial)?;
    write_launcher(partial)?;
    let version = output(Command::new(partial.join("rustc")).arg("--version")).context(
        "the unpacked compiler does not start; installing the package libllvm22 gets the libraries it needs",
    )?;
    println!("   {}", version.trim());
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(partial, folder).with_context(|| format!("cannot move the toolchain to {}", folder.display()))?;
    println!("   unpacked to {}", folder.display());
    Ok(())
}

/// Puts a linker where the compiler looks for `rust-lld`, so that bare targets link with their normal flags.
fn link_lld(partial: &Path) -> Result<()> {
    let host = "lib/rustlib/x86_64-unknown-linux-gnu/bin";
    let from_rustup = sysroot()?.join(host).join("rust-lld");
    let linker = [from_rustup, "/usr/bin/ld.lld-22".into(), "/usr/bin/ld.lld".into()]
        .into_iter()
        .find(|path| path.is_file())
        .context("no LLVM linker on this machine; install the package lld-22 (or lld) and run this again")?;
    let folder = partial.join("usr").join(host);
    fs::create_dir_all(&folder)?;
    fs::copy(&linker, folder.join("rust-lld")).with_context(|| format!("cannot copy {}", linker.display()))?;
    Ok(())
}

/// Writes the script that starts the compiler with the libraries beside it.
fn write_launcher(partial: &Path) -> Result<()> {
    let script = "#!/bin/sh\n\
        here=$(dirname \"$(readlink -f \"$0\")\")\n\
        LD_LIBRARY_PATH=\"$here/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\"\n\
        export LD_LIBRARY_PATH\n\
        exec \"$here/usr/bin/rustc\" \"$@\"\n";
    let path = partial.join("rustc");
    fs::write(&path, script)?;
    make_executable(&path)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    bail!("the unpacked compiler needs Linux")
}

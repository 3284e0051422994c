//! System packages: the emulators, the AArch64 linker and the C compiler for microcontrollers.

use std::process::Command;

use anyhow::{Result, bail};

use crate::cross::{NATIVE_AARCH64_LINUX, qemu_user};
use crate::shell::{display, has, output, run};

/// A program that must be on the machine.
pub(crate) struct Tool {
    /// Its name and purpose.
    pub(crate) what: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    present: fn() -> bool,
    /// Whether an AArch64 Linux host needs it.
    on_aarch64: bool,
}

/// What building, testing and running need.
pub(super) const TOOLS: [Tool; 5] = [
    Tool {
        what: "qemu-system-arm (emulates the Cortex-M55 machine)",
        packages: &["qemu-system-arm"],
        present: || has("qemu-system-arm"),
        on_aarch64: true,
    },
    Tool {
        what: "qemu-system-aarch64 (emulates the Cortex-A53 machine)",
        packages: &["qemu-system-arm"],
        present: || has("qemu-system-aarch64"),
        on_aarch64: true,
    },
    Tool {
        what: "qemu-aarch64-static or qemu-aarch64 (runs AArch64 Linux programs)",
        packages: &["qemu-user-static"],
        present: || qemu_user().is_some(),
        on_aarch64: false,
    },
    Tool {
        what: "aarch64-linux-gnu-gcc with its C library (links AArch64 Linux programs)",
        packages: &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
        present: || {
            has("aarch64-linux-gnu-gcc") && std::path::Path::new("/usr/aarch64-linux-gnu/lib/libc.so.6").exists()
        },
        on_aarch64: false,
    },
    Tool {
        what: "arm-none-eabi-gcc (compiles the C example for microcontrollers; needs no C library)",
        packages: &["gcc-arm-none-eabi"],
        present: || has("arm-none-eabi-gcc"),
        on_aarch64: true,
    },
];

/// What measuring needs beyond that.
pub(super) const BENCH: [Tool; 2] = [
    Tool {
        what: "llvm-mca-22, llvm-mc-22, llvm-nm-22 (model processors)",
        packages: &["llvm-22"],
        present: || has("llvm-mca-22") && has("llvm-mc-22") && has("llvm-nm-22"),
        on_aarch64: true,
    },
    Tool {
        what: "qemu-aarch64 (counts the instructions of the peer; not the static one, which takes no plugins)",
        packages: &["qemu-user"],
        present: || has("qemu-aarch64"),
        on_aarch64: true,
    },
];

/// Those of the tools that this machine needs and lacks.
pub(crate) fn missing(tools: &'static [Tool]) -> Vec<&'static Tool> {
    tools.iter().filter(|tool| tool.on_aarch64 || !NATIVE_AARCH64_LINUX).filter(|tool| !(tool.present)()).collect()
}

/// Installs what is missing, or says which command a person should run.
pub(super) fn install(tools: &'static [Tool]) -> Result<()> {
    let lacking = missing(tools);
    if lacking.is_empty() {
        let names: Vec<_> = tools.iter().map(|tool| tool.what.split(" (").next().unwrap_or(tool.what)).collect();
        println!("   present: {}", names.join(", "));
        return Ok(());
    }
    for tool in &lacking {
        println!("   missing: {}", tool.what);
    }
    let mut packages: Vec<_> = lacking.iter().flat_map(|tool| tool.packages).copied().collect();
    packages.sort_unstable();
    packages.dedup();
    if !has("apt-get") {
        bail!(
            "this is not a Debian-like system: install QEMU 7.2 or newer with its system emulators for arm and aarch64 \
             and the user-mode emulator for aarch64, and a cross linker named aarch64-linux-gnu-gcc with its C library \
             in /usr/aarch64-linux-gnu (their Debian packages are {})",
            packages.join(", ")
        );
    }
    let Some(prefix) = root_prefix() else {
        bail!(
            "installing needs root; run this, then `cargo xtask setup` again:\n    \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends {}",
            packages.join(" ")
        );
    };
    let apt = |arguments: &[&str]| {
        let words: Vec<&str> = prefix.iter().copied().chain(["apt-get"]).chain(arguments.iter().copied()).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // A list that is a little stale serves too: only the installation decides.
    let mut update = apt(&["--quiet", "update"]);
    if let Err(error) = run(&mut update) {
        println!("   {} could not refresh the package lists: {error}", display(&update));
    }
    run(apt(&["--quiet", "install", "-y", "--no-install-recommends"]).args(&packages))?;
    if let Some(tool) = missing(tools).first() {
        bail!("installed {}, but this is still missing: {}", packages.join(", "), tool.what);
    }
    Ok(())
}

/// The words that make a command run as root: none for root, `sudo -n` where that asks for no password.
fn root_prefix() -> Option<Vec<&'static str>> {
    if output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        return Some(Vec::new());
    }
    let sudo = output(Command::new("sudo").args(["-n", "true"])).is_ok();
    sudo.then(|| vec!["sudo", "-n"])
}

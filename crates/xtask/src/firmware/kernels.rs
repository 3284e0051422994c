//! The tests of the kernels on emulated Cortex-M processors.

use std::process::Command;

use anyhow::{Result, bail};

use super::process::{Input, TIME_LIMIT, capture};
use crate::cross::{Target, cargo_for, release_dir};
use crate::shell::{display, root, run};

/// The program, a package of the firmware workspace.
const PROGRAM: &str = "kernel-tests";

/// A processor that the tests run on.
struct Processor {
    name: &'static str,
    machine: &'static str,
    target: Target,
    /// The instruction sets that the program must find, the best last.
    isas: &'static str,
}

/// One program serves the two processors of the second target.
const PROCESSORS: [Processor; 3] = [
    Processor { name: "Cortex-M7", machine: "mps2-an500", target: Target::Thumbv7em, isas: "dsp" },
    Processor { name: "Cortex-M33", machine: "mps2-an505", target: Target::Thumbv8m, isas: "dsp" },
    Processor { name: "Cortex-M55", machine: "mps3-an547", target: Target::Thumbv8m, isas: "dsp helium" },
];

/// The program and each of its targets.
pub(super) fn targets() -> impl Iterator<Item = (&'static str, Target)> {
    [Target::Thumbv7em, Target::Thumbv8m].into_iter().map(|target| (PROGRAM, target))
}

/// Builds the tests and runs them on every processor.
pub(crate) fn test() -> Result<()> {
    for (program, target) in targets() {
        let mut cargo = cargo_for("build", target, &root().join("firmware"))?;
        run(cargo.args(["--release", "--locked", "--package", program]))?;
    }
    for processor in &PROCESSORS {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-M", processor.machine, "-serial", "null", "-display", "none", "-monitor", "none"]);
        qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"]);
        qemu.arg(release_dir(processor.target)?.join(PROGRAM));
        eprintln!("$ {}", display(&qemu));
        let mut stdout = Vec::new();
        let code = capture(&mut qemu, &Input::None, TIME_LIMIT, |piece| {
            stdout.extend(piece);
            Ok(())
        })?;
        let text = String::from_utf8_lossy(&stdout);
        println!("{}\n{text}", processor.name);
        if code != 0 {
            bail!("the tests of the kernels exited with {code} on {}", processor.name);
        }
        let best = processor.isas.rsplit(' ').next().unwrap_or_default();
        let expected = format!("instruction sets: {}\ndetected: {best}\n", processor.isas);
        if !text.starts_with(&expected) {
            bail!("{} should have said\n{expected}", processor.name);
        }
    }
    Ok(())
}

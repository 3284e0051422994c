//! The steps of `cargo xtask test`, in the order in which they fail fastest.

use std::fs;

use anyhow::{Result, bail};

use super::parser;
use crate::cross::{NATIVE_AARCH64_LINUX, Target, cargo_for, has_clippy, run_on, target_dir};
use crate::shell::{cargo, root, run};
use crate::{capi, cuda, demo, firmware, models};

/// One step.
pub(super) struct Step {
    /// Its name for `--only`.
    pub(super) name: &'static str,
    /// What it shows.
    pub(super) what: &'static str,
    /// Whether it needs what `setup` installs.
    pub(super) arm: bool,
    pub(super) run: fn() -> Result<()>,
}

/// All steps.
pub(super) const STEPS: [Step; 15] = [
    Step { name: "format", what: "the code is formatted, firmware included", arm: false, run: format },
    Step { name: "lints", what: "clippy finds nothing in any target of the workspace", arm: false, run: lints },
    Step { name: "docs", what: "the documentation builds without a warning", arm: false, run: docs },
    Step { name: "tests", what: "all tests of the workspace, dependency rules included", arm: false, run: tests },
    Step {
        name: "changes",
        what: "every small change of a packed file is an error or harmless, in release",
        arm: false,
        run: parser::release,
    },
    Step {
        name: "32-bit",
        what: "the same with 32-bit addresses and overflow checks",
        arm: false,
        run: parser::narrow,
    },
    Step { name: "fuzz", what: "a minute of fuzzing finds nothing", arm: false, run: parser::fuzz },
    Step {
        name: "miri",
        what: "parser, tokenizer, runtime, C interface and the hand-over between cores do nothing undefined, interpreted",
        arm: false,
        run: parser::miri,
    },
    Step {
        name: "cuda",
        what: "the trainer for NVIDIA's GPUs: lints, tests, links, starts without a driver and says so",
        arm: false,
        run: cuda::test,
    },
    Step {
        name: "no-std",
        what: "the device crates build alone for machines without an operating system",
        arm: true,
        run: no_std,
    },
    Step {
        name: "aarch64",
        what: "kernels, runtime and whole sentences are the same bits on emulated 64-bit ARM processors",
        arm: true,
        run: aarch64,
    },
    Step {
        name: "cortex-m",
        what: "the kernels are the same bits on emulated Cortex-M7, M33 and M55",
        arm: true,
        run: firmware::test_kernels,
    },
    Step {
        name: "firmware",
        what: "every machine answers with the host's bits and says what is expected",
        arm: true,
        run: firmware_images,
    },
    Step {
        name: "capi",
        what: "programs in C print what Rust prints, to the last bit, here and on emulated ARM; misuse has its number",
        arm: true,
        run: capi::test,
    },
    Step {
        name: "demo",
        what: "the demo runs from corpus to table, with a few steps of training",
        arm: true,
        run: demo::quick,
    },
];

/// The crates that run on devices.
const DEVICE_CRATES: [&str; 5] =
    ["distil-format", "distil-kernels", "distil-tokenizer", "distil-runtime", "distil-slots"];

fn format() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().current_dir(root().join("crates/format/fuzz")).args(["fmt", "--check"]))?;
    // Not --all: that would follow the paths into the main workspace.
    let mut firmware = cargo();
    firmware.current_dir(root().join("firmware")).args(["fmt", "--check", "--package", "distil-harness"]);
    firmware.args(["--package", "distil-cortex-m", "--package", "distil-a64"]);
    let mut packages: Vec<_> = firmware::targets().map(|(package, _)| package).collect();
    packages.dedup();
    for package in packages {
        firmware.args(["--package", package]);
    }
    run(&mut firmware)
}

fn lints() -> Result<()> {
    run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn docs() -> Result<()> {
    run(cargo().env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--locked", "--workspace", "--no-deps"]))
}

fn tests() -> Result<()> {
    let mut test = cargo();
    // Real weights are tested where they have been fetched; a test must not need a network.
    match models::cached_minilm() {
        Some(folder) => _ = test.env("DISTIL_MINILM", folder),
        None => println!("all-MiniLM-L6-v2 is not in the cache: `cargo xtask models minilm` gets it for the tests"),
    }
    run(test.args(["test", "--locked", "--workspace", "--no-fail-fast"]))
}

/// Each crate in a build of its own: in one build, features that one crate asks for are on for all.
fn no_std() -> Result<()> {
    for target in Target::BARE {
        for package in DEVICE_CRATES {
            run(cargo_for("build", target, &root())?.args(["--release", "--locked", "--package", package]))?;
        }
    }
    // Signatures are for devices, too.
    let mut signed = cargo_for("build", Target::Thumbv8m, &root())?;
    signed.args(["--release", "--locked", "--package", "distil-runtime", "--features", "signature"]);
    run(&mut signed)
}

fn aarch64() -> Result<()> {
    let mut test = cargo_for("test", Target::Aarch64Linux, &root())?;
    // Examples in the documentation have run on the host, and the unpacked compiler comes without rustdoc.
    test.args(["--locked", "--no-fail-fast", "--tests"]);
    run(test.args(["--package", "distil-kernels", "--package", "distil-runtime"]))?;
    // An ARM machine has the instructions it has.
    if !NATIVE_AARCH64_LINUX {
        emulated_processors()?;
    }
    same_bits_as_the_host()?;
    firmware::test_linux()
}

/// Emulated processors besides the oldest, and the kernels that each one gets.
const PROCESSORS: [(&str, &str); 3] = [("cortex-a72", "neon"), ("cortex-a76", "dotprod"), ("max", "i8mm")];

/// The kernels on every kind of processor: whatever exists there against the reference.
fn emulated_processors() -> Result<()> {
    for (processor, kernels) in PROCESSORS {
        println!("-- {processor}");
        let mut test = cargo_for("test", Target::Aarch64Linux, &root())?;
        run_on(&mut test, processor)?;
        test.env("DISTIL_EXPECT_ISA", kernels).args(["--locked", "--no-fail-fast", "--package", "distil-kernels"]);
        // Functions of one number have no instruction set, and calls that are wrong no results.
        for name in ["detection", "digest", "bounds", "rows", "quantize", "int8", "float"] {
            test.args(["--test", name]);
        }
        run(&mut test)?;
    }
    Ok(())
}

/// `tools check`, built for 64-bit ARM, writes the very file that the host's writes: every bit of whole sentences.
fn same_bits_as_the_host() -> Result<()> {
    let images = firmware::fixture_images()?;
    let here = target_dir().join("aarch64.check");
    let mut check = cargo_for("run", Target::Aarch64Linux, &root())?;
    check.args(["--locked", "--package", "distil-tools", "--bin", "tools", "--", "check"]);
    run(check.arg(&images.model).arg("-o").arg(&here))?;
    if fs::read(&here)? != fs::read(&images.check)? {
        bail!(
            "{} differs from the host's {}: the outputs are not the same bits",
            here.display(),
            images.check.display()
        );
    }
    println!("whole sentences have the host's bits");
    Ok(())
}

fn firmware_images() -> Result<()> {
    let folder = root().join("firmware");
    run(cargo().current_dir(&folder).args([
        "test",
        "--locked",
        "--package",
        "distil-harness",
        "--package",
        "distil-a64",
    ]))?;
    run(cargo().current_dir(&folder).args([
        "clippy",
        "--locked",
        "--package",
        "distil-harness",
        "--package",
        "distil-a64",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    for (package, target) in firmware::targets() {
        if has_clippy(target)? {
            let mut clippy = cargo_for("clippy", target, &folder)?;
            run(clippy.args(["--release", "--locked", "--package", package, "--", "-D", "warnings"]))?;
        } else {
            println!("no clippy for {}: the fallback compiler comes without it", target.triple());
        }
    }
    firmware::check_all()
}

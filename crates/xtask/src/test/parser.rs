//! The steps about files that may be anything: every small change of a file, the fuzzer, Miri.

use std::process::{Command, Stdio};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow, bail};

use super::Skipped;
use crate::cross::sysroot;
use crate::shell::{cargo, display, has, output, root, run};

/// The fuzzer's targets, in the two queues that run side by side.
const FUZZ: [[&str; 2]; 2] = [["open", "run"], ["tokenize", "write"]];
/// Seconds for each target.
const FUZZ_SECONDS: u32 = 30;
/// A 32-bit target that links with what the toolchain brings along.
const NARROW: &str = "i686-unknown-linux-musl";

/// Every truncation and every single-byte change, without overflow checks: the tests of the step `tests` again, in release.
pub(super) fn release() -> Result<()> {
    run(cargo().args(["test", "--locked", "--release", "--package", "distil-forge"]))
}

/// The same where a `usize` has 32 bits, with overflow checks, and the arena estimates.
pub(super) fn narrow() -> Result<()> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Err(skipped(format!("programs for {NARROW} run on x86-64 Linux only")));
    }
    if !has_narrow()? && has("rustup") {
        let mut rustup = Command::new("rustup");
        rustup.current_dir(root()).env("RUSTUP_MAX_RETRIES", "1");
        if let Err(error) = run(rustup.args(["target", "add", NARROW])) {
            println!("   {error}");
        }
    }
    if !has_narrow()? {
        return Err(skipped(format!("no Rust library for {NARROW}; `rustup target add {NARROW}` gets it")));
    }
    let mut test = cargo();
    test.env("CARGO_TARGET_I686_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld");
    test.args(["test", "--locked", "--target", NARROW, "--package", "distil-forge", "--package", "distil-runtime"]);
    run(test.args(["--lib", "--tests"]))
}

fn has_narrow() -> Result<bool> {
    Ok(sysroot()?.join("lib/rustlib").join(NARROW).join("lib").is_dir())
}

/// A minute of fuzzing: two targets at a time.
pub(super) fn fuzz() -> Result<()> {
    let lacks = |what: &str, get: &str| {
        let by_hand = "cd crates/format && cargo +nightly fuzz run open";
        skipped(format!("no {what}: `{get}` gets it; NOTHING WAS FUZZED HERE. By hand: `{by_hand}` (docs/security.md)"))
    };
    if output(nightly("rustc").arg("--version")).is_err() {
        return Err(lacks("nightly toolchain", "rustup toolchain install nightly"));
    }
    if output(nightly("cargo").args(["fuzz", "--version"])).is_err() {
        return Err(lacks("cargo-fuzz", "cargo install --locked cargo-fuzz"));
    }
    run(&mut cargo_fuzz("build"))?;
    let unpack = ["run", "--locked", "--package", "distil-forge", "--example", "corpus", "--", "unpack"];
    run(cargo().args(unpack).arg(root().join("target/fuzz/kept")))?;
    let queues = FUZZ.map(|targets| thread::spawn(move || targets.iter().try_for_each(|target| fuzz_one(target))));
    for queue in queues {
        queue.join().map_err(|_| anyhow!("a fuzzing thread panicked"))??;
    }
    Ok(())
}

/// `cargo fuzz VERB`, where the fuzzer's programs are; what it builds lies with all the rest.
fn cargo_fuzz(verb: &str) -> Command {
    let mut command = nightly("cargo");
    command.current_dir(root().join("crates/format"));
    command.args(["fuzz", verb, "--fuzz-dir", "fuzz", "--target-dir"]).arg(root().join("target/fuzz"));
    command
}

/// Fuzzes one target from the kept inputs. What it finds on the way stays in the target folder.
fn fuzz_one(target: &str) -> Result<()> {
    let found = root().join("target/fuzz/found").join(target);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let log = root().join("target/fuzz").join(format!("{target}.log"));
    let mut fuzz = cargo_fuzz("run");
    fuzz.arg(target).arg(&found).arg(root().join("target/fuzz/kept").join(target));
    fuzz.args(["--", "-max_len=8192", "-timeout=20", "-print_final_stats=1"]);
    fuzz.arg(format!("-max_total_time={FUZZ_SECONDS}"));
    fuzz.arg(format!("-artifact_prefix={}/", root().join("target/fuzz/found").display()));
    let file = fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    fuzz.stdout(Stdio::null()).stderr(file);
    eprintln!("$ {}", display(&fuzz));
    let status = fuzz.status().context("cannot start the fuzzer")?;
    // A panic message may quote what it was given, which is anything.
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        let last: Vec<&str> = said.lines().rev().take(40).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        bail!("fuzzing `{target}` failed ({status}):\n{}", last.join("\n"));
    }
    let executions = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    println!("   {target}: {} executions", executions.context("the fuzzer did not say how often it ran")?.trim());
    Ok(())
}

/// The parser, the tokenizer, the runtime and the C interface with the plain kernels, interpreted: reads outside, misaligned or of nothing
/// are errors, in the kernels' unsafe code too, and whatever C could not do with the pointers it is given.
pub(super) fn miri() -> Result<()> {
    if output(nightly("cargo").args(["miri", "--version"])).is_err() {
        let get = "rustup toolchain install nightly --component miri,rust-src";
        return Err(skipped(format!("no Miri: `{get}` gets it")));
    }
    let mut miri = nightly("cargo");
    // A real clock, so that the tests say what they took.
    miri.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("CARGO_TARGET_DIR", root().join("target/miri"));
    miri.args(["miri", "test", "--locked", "--package", "distil-forge", "--package", "distil-runtime"]);
    miri.args(["--package", "distil-capi", "--lib", "--test", "smoke", "--test", "boundary"]);
    run(miri.args(["--", "--nocapture"]))?;
    // How cores hand each other work, with threads for cores.
    let mut cores = nightly("cargo");
    cores.current_dir(root().join("firmware")).env("CARGO_TARGET_DIR", root().join("target/miri"));
    run(cores.args(["miri", "test", "--locked", "--package", "distil-a64", "--lib"]))
}

/// A program of the nightly toolchain, whatever toolchain runs this.
fn nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", program]).current_dir(root());
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

fn skipped(why: String) -> anyhow::Error {
    Skipped(why).into()
}

//! ONNX Runtime as a program that waits for turns: `benches/peers/onnx_runtime.py`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::place::flag;
use super::programs::{folder, number};
use super::subjects::Shape;
use crate::shell::{cache, display, root, run};

/// The instruction sets that ONNX Runtime gets to see.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Level {
    /// All that there are.
    Auto,
    /// AVX-512 with VNNI, but no AMX.
    Avx512,
    /// AVX2, without VNNI.
    Avx2,
}

impl Level {
    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
        }
    }

    /// What it is, in words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Auto if amx() => "its choice (AMX)",
            Self::Auto => "its choice",
            Self::Avx512 => "held to AVX-512",
            Self::Avx2 => "held to AVX2",
        }
    }

    /// All that there are, and where that is AMX also the level that ours are written for, if a process can be held to it.
    pub(super) fn usual() -> Vec<Self> {
        if amx() && flag("cpuid_fault") { vec![Self::Auto, Self::Avx512] } else { vec![Self::Auto] }
    }
}

fn amx() -> bool {
    flag("amx_int8")
}

/// The running program.
pub(super) struct Peer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Its version.
    pub(super) version: String,
    /// What it gets to see.
    pub(super) level: Level,
}

impl Peer {
    /// Starts it with the ONNX files of DistilBERT, which are made first if they are not there. It cannot see that the
    /// processor has more than `level` says.
    pub(super) fn start(level: Level) -> Result<Self> {
        let (python, script) = (python()?, script());
        let models = exported(&python, &script)?;
        let mut command = Command::new(&python);
        command.arg(&script).arg("serve").arg(&models).stdin(Stdio::piped()).stdout(Stdio::piped());
        if level != Level::Auto {
            command.env("DISTIL_BENCH_HIDE", hiding_library()?).env("DISTIL_BENCH_LEVEL", level.name());
        }
        eprintln!("$ {}", display(&command));
        let mut child = command.spawn().with_context(|| {
            format!("cannot start {}; DISTIL_BENCH_PYTHON names the interpreter to use", python.display())
        })?;
        let requests = child.stdin.take().context("the peer's input is a pipe")?;
        let answers = BufReader::new(child.stdout.take().context("the peer's output is a pipe")?);
        let mut peer = Self { child, requests, answers, version: String::new(), level };
        let greeting = peer.answer()?;
        peer.version = greeting["version"].as_str().context("the peer says its version first")?.to_owned();
        Ok(peer)
    }

    /// The median time of one call, in milliseconds.
    pub(super) fn measure(&mut self, model: &str, tokens: usize, threads: usize, seconds: f64) -> Result<f64> {
        let request = json!({ "model": model, "tokens": tokens, "threads": threads, "seconds": seconds });
        writeln!(self.requests, "{request}").context("the peer has stopped; its message is above")?;
        number(&self.answer()?, "median_ms")
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the peer has stopped; its message is above");
        }
        serde_json::from_str(&line).with_context(|| format!("the peer answered `{}`", line.trim()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It would end by itself when its input closes; nothing it holds is worth waiting for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script() -> PathBuf {
    root().join("benches/peers/onnx_runtime.py")
}

/// The Python that has ONNX Runtime: `DISTIL_BENCH_PYTHON`, or one of our own in the cache, made on the first call.
pub(super) fn python() -> Result<PathBuf> {
    if let Some(python) = std::env::var_os("DISTIL_BENCH_PYTHON") {
        return Ok(python.into());
    }
    let place = cache()?.join("bench-python");
    let python = place.join("bin/python");
    if place.join("complete").is_file() {
        return Ok(python);
    }
    let requirements = root().join("benches/peers/requirements.txt");
    let explained = || {
        format!(
            "cannot make a Python with ONNX Runtime in {}: this needs python3 with venv and pip, 8 GB of disk and a \
             network that reaches the Python Package Index; or set DISTIL_BENCH_PYTHON to an interpreter that has the \
             packages of {}",
            place.display(),
            requirements.display()
        )
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place)).with_context(explained)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&requirements);
    run(&mut pip).with_context(explained)?;
    fs::write(place.join("complete"), "")?;
    Ok(python)
}

/// The folder of the ONNX files.
pub(super) fn exported_models() -> Result<PathBuf> {
    exported(&python()?, &script())
}

fn exported(python: &Path, script: &Path) -> Result<PathBuf> {
    let models = folder()?.join("onnx");
    if !models.join("int8.onnx").is_file() {
        // torch says much that nobody asked for.
        let mut make = Command::new(python);
        make.args(["-W", "ignore"]).arg(script).arg("make").arg(Shape::DistilBert.folder()?).arg(&models);
        run(make.stdout(Stdio::null()))?;
    }
    Ok(models)
}

/// Compiles the library that hides instruction sets.
fn hiding_library() -> Result<PathBuf> {
    let library = folder()?.join("hide_isa.so");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(root().join("benches/peers/hide_isa.c"));
    run(&mut cc).context("hiding instruction sets from ONNX Runtime needs a C compiler, x86-64 and Linux")?;
    Ok(library)
}

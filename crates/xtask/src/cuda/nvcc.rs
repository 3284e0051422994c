//! `nvcc`, as the build scripts see it: this program under that name, in front of the real one.
//!
//! `candle-kernels` compiles 16 files of kernels for GGUF weights and mixtures of experts, for which training has no use:
//! most of the time of its build and of the size of the program. Their functions become ones that stop the program and say
//! so; every other call goes to the real compiler, which `DISTIL_NVCC` names.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::shell::output;

/// Names the real compiler.
pub(super) const REAL: &str = "DISTIL_NVCC";

/// Whether this program was started as `nvcc`.
pub(crate) fn is_wanted() -> bool {
    std::env::args_os().next().is_some_and(|program| Path::new(&program).file_stem() == Some(OsStr::new("nvcc")))
}

/// Does what `nvcc` was asked for.
pub(crate) fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("nvcc of `cargo xtask build-cuda`: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    if std::env::var_os("CARGO_PKG_NAME").is_some_and(|package| package == "candle-kernels") {
        match left_out(&arguments) {
            Some(LeftOut::Object { source, object }) => {
                let package = std::env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?;
                write_object(Path::new(&package), &source, &object)?;
                return Ok(ExitCode::SUCCESS);
            }
            Some(LeftOut::Ptx(path)) => {
                fs::write(&path, "// Left out of this build.\n")?;
                return Ok(ExitCode::SUCCESS);
            }
            None => {}
        }
    }
    let Some(real) = std::env::var_os(REAL) else {
        bail!("{REAL} is not set: this stands in for NVIDIA's compiler during `cargo xtask build-cuda` only");
    };
    let status = Command::new(&real).args(arguments).status().with_context(|| format!("cannot start {real:?}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The file that carries the stubs of all of them.
const CARRIER: &str = "src/moe/moe_gguf.cu";

/// A call that compiles one of the files that are left out.
#[derive(PartialEq, Eq, Debug)]
enum LeftOut {
    /// Host code that starts kernels.
    Object { source: PathBuf, object: PathBuf },
    /// Kernels alone, as text for the driver: the file to write.
    Ptx(PathBuf),
}

fn left_out(arguments: &[OsString]) -> Option<LeftOut> {
    let source = arguments.iter().map(Path::new).find(|path| path.extension() == Some(OsStr::new("cu")))?;
    let after = |option: &str| arguments.get(arguments.iter().position(|argument| argument == option)? + 1);
    if source == Path::new("src/quantized.cu") && arguments.iter().any(|argument| argument == "--ptx") {
        return Some(LeftOut::Ptx(Path::new(after("--output-directory")?).join("quantized.ptx")));
    }
    let folders = ["src/moe", "src/mmq_gguf"];
    if source != Path::new("src/mmvq_gguf.cu") && !folders.iter().any(|folder| source.starts_with(folder)) {
        return None;
    }
    Some(LeftOut::Object { source: source.to_owned(), object: after("-o")?.into() })
}

/// Compiles the stubs, or nothing, to the object that was asked for.
fn write_object(package: &Path, source: &Path, object: &Path) -> Result<()> {
    let mut code = String::from("/* Left out of this build. */\n");
    if source == Path::new(CARRIER) {
        let declarations = package.join("src/ffi.rs");
        let text =
            fs::read_to_string(&declarations).with_context(|| format!("cannot read {}", declarations.display()))?;
        code += &stubs(&text);
    }
    let c = object.with_extension("c");
    fs::write(&c, code)?;
    let mut cc = Command::new(super::compiler());
    output(cc.args(["-c", "-O1", "-fPIC", "-o"]).arg(object).arg(&c))?;
    Ok(())
}

/// C functions with the names that `ffi.rs` declares, each of which ends the program.
fn stubs(declarations: &str) -> String {
    let names = declarations.lines().filter_map(|line| Some(line.trim().strip_prefix("pub fn ")?.split_once('(')?.0));
    let mut code = String::from("#include <stdio.h>\n#include <stdlib.h>\n");
    for name in names {
        code += &format!("void {name}(void) {{ fputs(\"{name} was left out of this build\\n\", stderr); abort(); }}\n");
    }
    code
}

#[cfg(test)]
mod tests {
    use super::{LeftOut, left_out, stubs};
    use std::ffi::OsString;
    use std::path::Path;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(Into::into).collect()
    }

    #[test]
    fn only_what_training_does_not_need_is_left_out() {
        for source in ["src/moe/moe_gguf.cu", "src/mmvq_gguf.cu", "src/mmq_gguf/mmq_quantize.cu"] {
            let call = words(&format!("-gencode=arch=compute_80,code=sm_80 -c -o out/a.o -O3 {source}"));
            assert_eq!(left_out(&call), Some(LeftOut::Object { source: source.into(), object: "out/a.o".into() }));
        }
        let call = words("--ptx --output-directory out src/quantized.cu");
        assert_eq!(left_out(&call), Some(LeftOut::Ptx("out/quantized.ptx".into())));
        assert_eq!(left_out(&words("--ptx --output-directory out src/reduce.cu")), None);
        assert_eq!(left_out(&words("--lib -o out/libmoe.a out/a.o")), None);
        assert_eq!(left_out(&words("--version")), None);
    }

    #[test]
    fn every_declared_function_gets_a_stub() {
        let code =
            stubs("extern \"C\" {\n    pub fn one(\n        a: i32,\n    );\n    pub fn two(b: i64) -> i32;\n}\n");
        assert!(code.contains("void one(void)") && code.contains("void two(void)"), "{code}");
        assert_eq!(code.matches("abort").count(), 2);
        assert!(Path::new(super::CARRIER).starts_with("src/moe"));
    }
}

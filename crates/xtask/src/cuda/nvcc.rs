//! `nvcc`, as the build scripts see it: this program under that name, in front of the real one.
//!
//! `candle-kernels` compiles 15 files of GGUF and mixture-of-experts kernels for which training has no use: most of the
//! time of its build and two thirds of the program. They become functions that stop the program and say so; every other
//! call goes to the real compiler, which `DISTIL_NVCC` names.

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
        if let Some((source, object)) = left_out(&arguments) {
            let package = std::env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?;
            leave_out(Path::new(&package), &source, &object)?;
            return Ok(ExitCode::SUCCESS);
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

/// Source and object of a call that compiles one of the files that are left out.
fn left_out(arguments: &[OsString]) -> Option<(PathBuf, PathBuf)> {
    let source = arguments.iter().map(Path::new).find(|path| path.extension() == Some(OsStr::new("cu")))?;
    if !["src/moe", "src/mmq_gguf"].iter().any(|folder| source.starts_with(folder)) && source != "src/mmvq_gguf.cu" {
        return None;
    }
    let option = arguments.iter().position(|argument| argument == "-o")?;
    Some((source.to_owned(), arguments.get(option + 1)?.into()))
}

/// Compiles the stubs, or nothing, to the object that was asked for.
fn leave_out(package: &Path, source: &Path, object: &Path) -> Result<()> {
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
    use super::{left_out, stubs};
    use std::ffi::OsString;
    use std::path::Path;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(Into::into).collect()
    }

    #[test]
    fn only_what_training_does_not_need_is_left_out() {
        for source in ["src/moe/moe_gguf.cu", "src/mmvq_gguf.cu", "src/mmq_gguf/mmq_quantize.cu"] {
            let call = words(&format!("-gencode=arch=compute_80,code=sm_80 -c -o out/a.o -O3 {source}"));
            assert_eq!(left_out(&call), Some((source.into(), "out/a.o".into())));
        }
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

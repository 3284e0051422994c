//! The programs of this repository that do the work which is measured, built for release.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::shell::{cargo, display, output, root, run};

/// Everything that the commands write.
pub(super) fn folder() -> Result<PathBuf> {
    let folder = root().join("target/bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Builds a program of a package and gives its path.
fn built(package: &str, program: &str) -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--locked", "--package", package, "--bin", program]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(root().join(target).join("release").join(program))
}

/// The command line, built once.
pub(super) fn tools_path() -> Result<&'static PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let path = PATH.get_or_init(|| built("distil-tools", "tools").map_err(|error| format!("{error:#}")));
    path.as_ref().map_err(|error| anyhow!("{error}"))
}

/// The trainer.
pub(super) fn train_path() -> Result<PathBuf> {
    built("distil-train", "train")
}

/// `tools VERB`.
pub(super) fn tools(verb: &str) -> Result<Command> {
    let mut command = Command::new(tools_path()?);
    command.current_dir(root()).arg(verb);
    Ok(command)
}

/// Whether the help of `tools VERB` has this word: an option, or a value that one takes.
pub(super) fn tools_know(verb: &str, word: &str) -> Result<bool> {
    let help = output(tools(verb)?.arg("--help"))?;
    Ok(help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|found| found == word))
}

/// A measuring program of the `benches` package.
pub(super) fn measuring(program: &str) -> Result<Command> {
    let mut command = Command::new(built("distil-benches", program)?);
    command.current_dir(root());
    Ok(command)
}

/// Runs the command, whose last line of output is a JSON object.
pub(super) fn json(command: &mut Command) -> Result<Value> {
    let text = output(command)?;
    serde_json::from_str(text.lines().last().unwrap_or(""))
        .with_context(|| format!("`{}` printed no JSON", display(command)))
}

/// What `tools inspect` says about a packed model.
pub(crate) fn inspected(model: &Path) -> Result<Value> {
    json(tools("inspect")?.arg(model).arg("--json"))
}

/// A number of a JSON object.
pub(super) fn number(object: &Value, key: &str) -> Result<f64> {
    object[key].as_f64().with_context(|| format!("there is no number `{key}` in {object}"))
}

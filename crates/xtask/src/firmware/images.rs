//! The two files that a machine gets: a packed model, and what the host answered with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{cargo, root, run};

/// A model and its check file.
pub(crate) struct Images {
    pub(crate) model: PathBuf,
    pub(crate) check: PathBuf,
}

/// Where the files of this module are.
pub(super) fn folder() -> Result<PathBuf> {
    let folder = root().join("target/firmware");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The `tools` program, built with the profile that tests use.
fn tools() -> Result<Command> {
    run(cargo().args(["build", "--package", "distil-tools", "--bin", "tools"]))?;
    let folder = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    };
    let mut command = Command::new(folder.join("debug/tools"));
    command.current_dir(root());
    Ok(command)
}

/// A model file, and the check file that `tools check` makes for it.
pub(super) fn for_model(model: &Path) -> Result<Images> {
    let model = fs::canonicalize(model).with_context(|| format!("cannot read {}", model.display()))?;
    let check = folder()?.join("model.check");
    run(tools()?.arg("check").arg(&model).arg("-o").arg(&check))?;
    Ok(Images { model, check })
}

/// A small model with seeded random weights, made anew so that it always belongs to this tree.
pub(crate) fn fixture() -> Result<Images> {
    of_shape("fixture", &[], None)
}

/// One of a shape of its own, with the sentences of a file in place of the usual ones.
pub(super) fn of_shape(name: &str, shape: &[&str], text: Option<&Path>) -> Result<Images> {
    let folder = folder()?;
    let student = folder.join(name);
    let images = Images { model: student.with_extension("distil"), check: student.with_extension("check") };
    let mut fixture = tools()?;
    run(fixture.args(["fixture", "--head", "masked-lm"]).args(shape).arg("-o").arg(&student))?;
    run(tools()?.arg("pack").arg(&student).arg("-o").arg(&images.model))?;
    let mut check = tools()?;
    check.arg("check").arg(&images.model).arg("-o").arg(&images.check);
    if let Some(text) = text {
        check.arg("--text").arg(text);
    }
    run(&mut check)?;
    Ok(images)
}

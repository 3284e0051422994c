//! `train resume`: the command that started a run, once more, with `--resume`.

use crate::{Error, Result, files};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Goes on with a run that was interrupted, from its newest checkpoint, with the options it was started with.
///
/// The same as the command that started it with --resume, for which it needs no other option. Of a run that is finished it says
/// so.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Output folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

/// `run.json`: how a run was started.
#[derive(Debug, Serialize, Deserialize)]
struct Start {
    /// The program's arguments.
    arguments: Vec<String>,
    /// The folder it was started in.
    folder: PathBuf,
    /// The output folder, absolute.
    output: PathBuf,
}

/// Where a run says how it was started.
pub(super) fn run_file(run: &Path) -> PathBuf {
    run.join("run.json")
}

/// Writes down how this process was started, for `train resume`. A run that was itself started by that has it already.
pub(super) fn remember(run: &Path) -> Result<()> {
    let arguments: Option<Vec<String>> = std::env::args_os().skip(1).map(|word| word.into_string().ok()).collect();
    // Words that are no text cannot be written down: then it takes the whole command with --resume.
    let Some(arguments) = arguments.filter(|words| words.first().is_some_and(|verb| verb != "resume")) else {
        return Ok(());
    };
    let here = |e: std::io::Error| Error::io(run, &e);
    let start =
        Start { arguments, folder: std::env::current_dir().map_err(here)?, output: run.canonicalize().map_err(here)? };
    let text = serde_json::to_string_pretty(&start).map_err(|e| Error::Data(e.to_string()))?;
    files::write(&run_file(run), format!("{text}\n").as_bytes())
}

/// The program's arguments that go on with a run; changes to the folder in which it was started.
pub(super) fn arguments(options: &Options) -> Result<Vec<String>> {
    let run = &options.run;
    let path = run_file(run);
    if !path.exists() {
        let reason = if run.is_dir() { "no run.json in it" } else { "no such folder" };
        return Err(Error::file(run, reason, "name the output folder of a run, or repeat its command with --resume"));
    }
    let start: Start = serde_json::from_slice(&files::read(&path)?)
        .map_err(|e| Error::file(&path, e, "repeat the run's command with --resume"))?;
    if run.canonicalize().map_err(|e| Error::io(run, &e))? != start.output {
        return Err(Error::file(
            run,
            format!("the run was started in {}", start.output.display()),
            "move it back, or repeat its command with --resume and the new paths",
        ));
    }
    std::env::set_current_dir(&start.folder).map_err(|e| Error::io(&start.folder, &e))?;
    let kept = start.arguments.into_iter().filter(|word| word != "--overwrite" && word != "--resume");
    let program = std::iter::once("train".to_string());
    Ok(program.chain(kept).chain(std::iter::once("--resume".to_string())).collect())
}

//! Options that keep a run from being lost, shared by `pretrain` and `distill`.

use crate::checkpoint::{Policy, Store};
use crate::{Error, Result, files};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Never lose work")]
pub(super) struct SafetyOptions {
    /// Steps between checkpoints; 0: only time matters
    #[arg(long, value_name = "N", default_value_t = 0)]
    checkpoint_every: usize,
    /// Minutes between checkpoints; 0: only steps matter
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0, value_parser = not_negative)]
    checkpoint_minutes: f64,
    /// Newest checkpoints kept; the one with the lowest held-out loss is kept beside them
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_1)]
    keep: usize,
    /// Goes on from the newest checkpoint in the output folder; starts when there is none
    #[arg(long)]
    pub(super) resume: bool,
    /// Replaces what is already in the output folder
    #[arg(long, conflicts_with = "resume")]
    pub(super) overwrite: bool,
    /// Leaves out up to N steps in a row whose loss or gradient is not finite, instead of stopping
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) skip_non_finite: usize,
    /// At most this many tokens at once, one micro-batch after another [default: as the memory of a GPU allows; on a CPU parts]
    #[arg(long, value_name = "N", value_parser = at_least_1)]
    pub(super) micro_tokens: Option<usize>,
}

/// Parses a number of things of which there has to be one.
pub(super) fn at_least_1(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "give a whole number of at least 1".into())
}

fn not_negative(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|&n| n >= 0.0).ok_or_else(|| "give a number of at least 0".into())
}

/// What is to be done about an output folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Train, from the newest checkpoint if there is one.
    Train,
    /// Nothing: the run came to its end before.
    Finished,
}

/// Says that a run has come to its end: what it came to.
pub(super) fn summary_file(run: &Path) -> PathBuf {
    run.join("summary.json")
}

impl SafetyOptions {
    /// When to write checkpoints.
    pub(super) fn policy(&self) -> Policy {
        let seconds = 60.0 * self.checkpoint_minutes;
        let interval = Duration::try_from_secs_f64(seconds).ok().filter(|interval| !interval.is_zero());
        Policy { every: self.checkpoint_every, interval, keep: self.keep }
    }

    /// Looks at the output folder and fails rather than replace a model or a run.
    pub(super) fn check_output(&self, out: &Path, json: bool) -> Result<Output> {
        if self.overwrite {
            return Ok(Output::Train);
        }
        let summary = summary_file(out);
        let (finished, model) = (summary.exists(), out.join("model.safetensors").exists());
        let steps = Store::of(out).steps()?;
        match (self.resume, steps.last()) {
            (true, _) if finished => {
                eprintln!("{}: this run is finished", out.display());
                if json {
                    print!("{}", String::from_utf8_lossy(&files::read(&summary)?));
                }
                Ok(Output::Finished)
            }
            (true, None) if model && !super::resume::run_file(out).exists() => Err(Error::file(
                out,
                "there is a model in it and no checkpoint to go on from",
                "choose another folder or pass --overwrite",
            )),
            (true, _) => Ok(Output::Train),
            (false, Some(step)) if !finished => Err(Error::file(
                out,
                format!("there is an unfinished run in it, with a checkpoint after step {step}"),
                "go on with it by --resume, or start again with --overwrite",
            )),
            (false, _) if finished || model => {
                Err(Error::file(out, "there is a model in it already", "choose another folder or pass --overwrite"))
            }
            (false, _) => Ok(Output::Train),
        }
    }
}

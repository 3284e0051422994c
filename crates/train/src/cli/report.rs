//! `train report`: a page with the curves of runs.

use crate::report::{Summary, page, read};
use crate::{Error, Result, files};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Writes one HTML page with the curves, figures and recipes of one or more runs, which may still be going on.
///
/// The page needs no network and no other file: losses, learning rate, gradient norm, speed and held-out figures, with values
/// under the pointer, smoothing and a logarithmic scale.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Output folders of `train distill` or `train pretrain`
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page [default: report.html in the first run]
    #[arg(short, long, value_name = "FILE.html")]
    output: Option<PathBuf>,
    /// Prints the figures as JSON too
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let runs = read(&options.runs)?;
    let output = options.output.clone().unwrap_or_else(|| options.runs[0].join("report.html"));
    for run in &runs {
        for note in &run.notes {
            eprintln!("{}: {note}", run.name);
        }
    }
    files::write(&output, page(&runs)?.as_bytes())?;
    eprintln!("{}: open it in a browser", output.display());
    if options.json {
        let summaries: Vec<Summary> = runs.iter().map(Summary::of).collect();
        let text = serde_json::to_string(&json!({ "runs": summaries })).map_err(|e| Error::Data(e.to_string()))?;
        println!("{text}");
    }
    Ok(())
}

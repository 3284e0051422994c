//! What a run reports: `metrics.jsonl` for programs, a progress bar for people.

use crate::eval::Evaluation;
use crate::{Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One line about training: means over the steps since the last line.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingLine {
    /// Optimizer steps done.
    pub step: usize,
    /// Passes over the data done.
    pub epoch: f64,
    /// Weighted sum of the losses.
    pub loss: f64,
    /// Soft-target loss.
    pub loss_ce: f64,
    /// Masked-LM loss.
    pub loss_mlm: f64,
    /// Cosine loss.
    pub loss_cos: f64,
    /// Squared differences of the logits; zero where they have no weight.
    pub loss_mse: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Norm of the gradients before clipping, mean.
    pub grad_norm: f64,
    /// Real tokens per second since the last line.
    pub tokens_per_second: f64,
    /// Seconds since the start.
    pub seconds: f64,
}

/// One line about held-out text.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationLine<'a> {
    /// Optimizer steps done.
    pub step: usize,
    /// The figures.
    pub held_out: &'a Evaluation,
}

/// Writes lines as they come.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// Starts an empty file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| Error::io(path, &e))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Appends one JSON line.
    pub fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string(line).map_err(|e| Error::Data(e.to_string()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|e| Error::io(&self.path, &e))
    }
}

/// A bar on standard error with the time left; a plain line now and then where there is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    last: Instant,
}

impl Progress {
    /// A bar of `len` steps.
    pub fn new(len: u64, unit: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(len), ProgressDrawTarget::stderr_with_hz(5));
        let template = format!("{{bar:24}} {{human_pos}}/{{human_len}} {unit} {{msg}}  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self { bar, last: Instant::now() }
    }

    /// Moves to `position`.
    pub fn set(&mut self, position: u64, message: &str) {
        self.bar.set_position(position);
        self.bar.set_message(message.to_string());
        if self.bar.is_hidden() && self.last.elapsed().as_secs() >= 15 {
            self.last = Instant::now();
            let left = self.bar.eta().as_secs();
            eprintln!("{position}/{} {message}  {left}s left", self.bar.length().unwrap_or(0));
        }
    }

    /// Prints a line above the bar.
    pub fn note(&self, text: &str) {
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

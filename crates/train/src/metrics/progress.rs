//! The progress of a long command, for people.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Instant;

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

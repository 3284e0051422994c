//! The progress of a long command, for people.

use super::TrainingLine;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Seconds between plain lines where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// A bar on standard error with the time left; a plain line now and then where there is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    last: Instant,
    start: Instant,
    first: u64,
}

impl Progress {
    /// A bar of `len` steps.
    pub fn new(len: u64, unit: &str) -> Self {
        Self::with_target(len, unit, ProgressDrawTarget::stderr_with_hz(5), false)
    }

    /// The same for one of several processes: only rank 0 shows anything.
    pub fn for_rank(len: u64, unit: &str, rank: usize) -> Self {
        if rank == 0 { Self::new(len, unit) } else { Self::with_target(len, unit, ProgressDrawTarget::hidden(), true) }
    }

    fn with_target(len: u64, unit: &str, target: ProgressDrawTarget, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(len), target);
        let template = format!("{{bar:24}} {{human_pos}}/{{human_len}} {unit}  {{msg}}  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self { bar, quiet, last: Instant::now(), start: Instant::now(), first: 0 }
    }

    /// Starts at `position`, as a resumed run does: the time left is judged by what comes after.
    pub fn starting_at(mut self, position: u64) -> Self {
        self.first = position;
        self.bar.set_position(position);
        self.bar.reset_eta();
        self
    }

    /// Moves to `position`.
    pub fn set(&mut self, position: u64, message: &str) {
        self.bar.set_position(position);
        self.bar.set_message(message.to_string());
        if !self.quiet && self.bar.is_hidden() && self.last.elapsed() >= PLAIN_EVERY {
            self.last = Instant::now();
            eprintln!("{}", self.plain(position, message, self.start.elapsed()));
        }
    }

    /// The line shown where there is no bar. A hidden bar does not estimate, so the pace since the start does.
    fn plain(&self, position: u64, message: &str, elapsed: Duration) -> String {
        let len = self.bar.length().unwrap_or(0);
        let left = match position.saturating_sub(self.first) {
            0 => String::new(),
            done => {
                let seconds = elapsed.as_secs_f64() / done as f64 * len.saturating_sub(position) as f64;
                format!("  {} left", indicatif::HumanDuration(Duration::from_secs_f64(seconds)))
            }
        };
        format!("{position}/{len}  {message}{left}")
    }

    /// Prints a line above the bar.
    pub fn note(&self, text: &str) {
        if self.quiet {
            // Rank 0 says it.
        } else if self.bar.is_hidden() {
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

impl TrainingLine {
    /// The bar's message: loss, learning rate and speed.
    pub fn text(&self) -> String {
        format!(
            "loss {:.4}  learning rate {:.2e}  {:.0} tokens/s",
            self.loss, self.learning_rate, self.tokens_per_second
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_line_estimates_from_where_it_started() {
        let progress = Progress::for_rank(100, "steps", 1).starting_at(40);
        let line = |position, seconds| progress.plain(position, "loss 2.0", Duration::from_secs(seconds));
        assert_eq!(line(40, 5), "40/100  loss 2.0");
        assert_eq!(line(60, 10), "60/100  loss 2.0  20 seconds left");
        assert_eq!(line(100, 30), "100/100  loss 2.0  0 seconds left");
    }
}

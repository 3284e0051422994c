//! The time of a text, by its length, on this machine now.

use std::time::{Duration, Instant};

use distil_runtime::{Model, Plan, Session, SingleThread, arena_len};
use serde::Serialize;

use crate::commands::bench::{answer, sample};
use crate::error::Error;

/// Times of texts of a length, one thread, all memory that makes it faster.
#[derive(Clone, Copy, Debug, Serialize, schemars::JsonSchema)]
pub struct Latency {
    /// Tokens.
    pub tokens: usize,
    /// Median time from token ids to the answer, in milliseconds.
    pub median_ms: f64,
    /// The shortest, in milliseconds.
    pub min_ms: f64,
    /// Times taken.
    pub runs: usize,
}

/// Fewer runs than this make no median worth printing.
const LEAST_RUNS: usize = 5;

/// Answers a text of `tokens` tokens again and again: once to warm up, then at least 5 times and until `budget` is over.
///
/// # Errors
/// If the model does not take texts of this length.
pub fn measure(model: &Model<'_>, tokens: usize, budget: Duration) -> Result<Latency, Error> {
    let head = model.config().head;
    let mut arena = vec![0; arena_len(model.artifact(), tokens, Plan::LARGE)];
    let mut session = Session::with_plan(model, &mut arena, tokens, Plan::LARGE, &SingleThread)?.answers_only(true);
    let ids = sample(model.artifact(), tokens);
    answer(&mut session, head, &ids)?;
    let (started, mut times) = (Instant::now(), Vec::new());
    while times.len() < LEAST_RUNS || started.elapsed() < budget {
        let start = Instant::now();
        answer(&mut session, head, &ids)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(Latency { tokens, median_ms: times[times.len() / 2], min_ms: times[0], runs: times.len() })
}

/// Lengths worth measuring: powers of two from 8, and the longest input or 512.
pub fn lengths(most: usize) -> Vec<usize> {
    (3..=8).map(|power| 1 << power).filter(|&tokens| tokens < most).chain([most.min(512)]).collect()
}

#[cfg(test)]
mod tests {
    use super::lengths;

    #[test]
    fn the_longest_input_is_among_the_lengths() {
        assert_eq!(lengths(512), [8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(lengths(8192), lengths(512));
        assert_eq!(lengths(100), [8, 16, 32, 64, 100]);
        assert_eq!(lengths(4), [4]);
    }
}

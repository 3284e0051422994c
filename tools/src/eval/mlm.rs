//! Masked-token accuracy on plain text: 15% of each line's word pieces are replaced by `[MASK]`, and the model has to name
//! them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;

use super::{Source, Subject, Ticks};
use crate::error::Error;
use crate::sequence::Sequence;
use crate::text::lines_of;

/// What the model said at one masked position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// The best candidate is the token that stood there.
    pub correct: bool,
    /// `-ln` of that token's probability.
    pub loss: f64,
}

impl Guess {
    /// From the scores of the whole vocabulary.
    pub fn from_scores(scores: &[f32], target: u32) -> Self {
        let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = scores.iter().map(|&score| f64::from(score - most).exp()).sum();
        let best = scores.iter().position(|&score| score == most);
        Self { correct: best == Some(target as usize), loss: sum.ln() - f64::from(scores[target as usize] - most) }
    }
}

/// The result; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// `mlm`.
    pub task: &'static str,
    /// `packed`, or `float` for the original.
    pub path: &'static str,
    /// Lines with something to mask.
    pub lines: usize,
    /// Lines that lost their end because the model has too few positions.
    pub truncated: usize,
    /// Masked positions.
    pub masked: usize,
    /// Share of them where the best candidate is right.
    pub accuracy: f64,
    /// Mean of `-ln` of the right token's probability.
    pub loss: f64,
    /// Seed of the masking.
    pub seed: u64,
}

/// Masks and scores the first `limit` lines of a text file.
pub fn run(subject: &Subject<'_>, source: &Source, seed: u64, ticks: Ticks<'_>) -> Result<Report, Error> {
    let (data, limit) = source.place();
    let mut lines = lines_of(data)?;
    lines.truncate(limit.unwrap_or(usize::MAX));
    ticks.start(lines.len());
    let sequencer = subject.sequencer();
    let config = subject.config();
    let special = [config.pad_id, config.unk_id, config.cls_id, config.sep_id, config.mask_id];
    let line = |arena: &mut Vec<u8>, (index, text): (usize, &String)| {
        let (mut sequence, cut) = sequencer.truncated(text, config.max_positions as usize);
        let targets = mask(&mut sequence, &special, config.mask_id, seed, index as u64);
        let guesses = if targets.is_empty() { Vec::new() } else { subject.guess(arena, &sequence, &targets)? };
        ticks.one();
        Ok((guesses, cut))
    };
    let results: Result<Vec<(Vec<Guess>, bool)>, Error> =
        lines.par_iter().enumerate().map_init(|| vec![0; subject.arena_len()], line).collect();
    let results = results?;
    let guesses: Vec<Guess> = results.iter().flat_map(|(guesses, _)| guesses).copied().collect();
    if guesses.is_empty() {
        let message = format!("{}: no known word in it", data.display());
        return Err(Error::usage(message, "give text in the language of the model's vocabulary"));
    }
    let count = guesses.len() as f64;
    Ok(Report {
        task: "mlm",
        path: subject.path_name(),
        lines: results.iter().filter(|(guesses, _)| !guesses.is_empty()).count(),
        truncated: results.iter().filter(|(_, cut)| *cut).count(),
        masked: guesses.len(),
        accuracy: guesses.iter().filter(|guess| guess.correct).count() as f64 / count,
        loss: guesses.iter().map(|guess| guess.loss).sum::<f64>() / count,
        seed,
    })
}

/// Replaces 15% of the word pieces (at least one) by `[MASK]`; returns where, and what stood there, in order.
///
/// The choice depends on the seed, the line's number and its length alone.
fn mask(sequence: &mut Sequence, special: &[u32], mask_id: u32, seed: u64, line: u64) -> Vec<(usize, u32)> {
    let ids = &mut sequence.ids;
    let mut open: Vec<usize> = (0..ids.len()).filter(|&at| !special.contains(&ids[at])).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let count = (open.len() * 3 / 20).max(1);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(line);
    // The first steps of a Fisher-Yates shuffle draw without replacement.
    for step in 0..count {
        let rest = (open.len() - step) as u64;
        open.swap(step, step + (random.next_u64() % rest) as usize);
    }
    open.truncate(count);
    open.sort_unstable();
    open.into_iter().map(|at| (at, std::mem::replace(&mut ids[at], mask_id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_the_stated_share_of_word_pieces_only() {
        let ids: Vec<u32> = [2].into_iter().chain(10..50).chain([3]).collect();
        let sequence = Sequence { types: vec![0; ids.len()], spans: vec![0..0; ids.len()], ids };
        let mut masked = sequence.clone();
        let targets = mask(&mut masked, &[0, 1, 2, 3, 4], 4, 7, 5);
        assert_eq!(targets.len(), 6);
        for (at, (&before, &after)) in sequence.ids.iter().zip(&masked.ids).enumerate() {
            let target = targets.iter().find(|(place, _)| *place == at);
            assert_eq!(after, if target.is_some() { 4 } else { before });
            assert!(target.is_none_or(|(_, id)| *id == before && before >= 10));
        }
        assert_eq!(targets, mask(&mut sequence.clone(), &[0, 1, 2, 3, 4], 4, 7, 5));
        assert_ne!(targets, mask(&mut sequence.clone(), &[0, 1, 2, 3, 4], 4, 8, 5));
        assert_ne!(targets, mask(&mut sequence.clone(), &[0, 1, 2, 3, 4], 4, 7, 6));
    }

    #[test]
    fn loss_is_minus_log_probability() {
        let guess = Guess::from_scores(&[1.0, 1.0, 1.0, 1.0], 2);
        assert!((guess.loss - 4f64.ln()).abs() < 1e-12 && !guess.correct);
        assert!(Guess::from_scores(&[0.0, 3.0], 1).correct);
    }
}

//! The best answer to a question in float: the definition, span by span, for a context of any length.

use std::ops::Range;

use super::Encoder;

/// A token of a text: its id, its bytes, and whether it continues the word of the token before it.
pub type Piece = (u32, Range<usize>, bool);

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The best answer's bytes in the context and its score; `None` if there is no word.
    pub best: Option<(Range<usize>, f32)>,
    /// Least score over the windows of there being no answer.
    pub no_answer: f32,
    /// Windows that were read.
    pub windows: usize,
}

/// How a context is cut and searched.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Tokens of a window, those of the question and three added ones included.
    pub tokens: usize,
    /// Tokens that a window shares with the next, at most half of its room for the context.
    pub overlap: usize,
    /// Most tokens of an answer.
    pub longest: usize,
}

impl Encoder<'_> {
    /// Asks `question` about `context`. `None` if the model has no question answering head, or the question no room.
    pub fn answer(
        &self,
        question: &[Piece],
        context: &[Piece],
        (cls, sep): (u32, u32),
        bounds: Bounds,
    ) -> Option<Found> {
        let room = bounds.tokens.checked_sub(question.len() + 3).filter(|&room| room > 0)?;
        let overlap = bounds.overlap.min(room / 2);
        let (step, second) = (room - overlap, u32::from(self.model.config.token_types > 1));
        let windows = 1 + context.len().saturating_sub(room).div_ceil(step);
        let mut found = Found { best: None, no_answer: f32::INFINITY, windows };
        let mut scores = Vec::new();
        for window in 0..windows {
            let part = &context[window * step..context.len().min(window * step + room)];
            let ids = |pieces: &[Piece]| pieces.iter().map(|piece| piece.0).collect::<Vec<_>>();
            let ids = [vec![cls], ids(question), vec![sep], ids(part), vec![sep]].concat();
            let first = question.len() + 2;
            let types: Vec<u32> = (0..ids.len()).map(|at| if at < first { 0 } else { second }).collect();
            let spans = self.spans(&self.hidden(&ids, &types))?;
            found.no_answer = found.no_answer.min(spans[0][0] + spans[0][1]);
            scores.push(spans[first..first + part.len()].to_vec());
        }
        let starts_word = |at: usize| context.get(at).is_none_or(|piece| !piece.2);
        for start in (0..context.len()).filter(|&at| starts_word(at)) {
            // A token that two windows share counts in the later one from the middle of what they share.
            let window = (start.saturating_sub(overlap / 2) / step).min(windows - 1);
            let at = window * step;
            let last = context.len().min(at + room).min(start + bounds.longest);
            for end in (start + 1..=last).filter(|&end| starts_word(end)) {
                let score = scores[window][start - at][0] + scores[window][end - 1 - at][1];
                if found.best.as_ref().is_none_or(|(_, best)| score > *best) {
                    found.best = Some((context[start].1.start..context[end - 1].1.end, score));
                }
            }
        }
        Some(found)
    }
}

//! Extractive question answering: the part of a context that answers a question (Devlin et al. 2019, section 4.2).
//!
//! A context that is too long is read in windows, `[CLS] question [SEP] part [SEP]`, that share tokens at their ends.
//! In two windows that share tokens, the first half of those may start an answer in the earlier window alone, the other
//! half in the later one alone: where each has more of its surroundings in sight. So no span is scored twice.

use core::ops::Range;

use distil_format::Head;
use distil_kernels::{Epilogue, exp};

use crate::buffers::{Buffers, Quantized};
use crate::error::{ModelError, RunError, finite};
use crate::heads::insert;
use crate::linear::Rows;
use crate::model::Model;
use crate::session::Session;
use crate::text::{self, PIECE, Window};

/// Bounds of the search for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Search {
    /// Most tokens of an answer; 0 counts as 1.
    pub longest: usize,
    /// Tokens of the context that a window shares with the next one; at most half of those it has room for. With twice
    /// `longest` or more no span is out of every window's sight.
    pub overlap: usize,
}

impl Default for Search {
    /// Answers of up to 30 tokens, windows that share 128, as BERT's own program for SQuAD has it with its windows of 384.
    fn default() -> Self {
        Self { longest: 30, overlap: 128 }
    }
}

/// An answer: whole words of the context.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answer {
    /// Byte in the context at which it starts.
    pub start: usize,
    /// Byte after its end.
    pub end: usize,
    /// Number of its tokens.
    pub tokens: usize,
    /// Raw score: that of its first token as a start plus that of its last token as an end.
    pub score: f32,
    /// Its share of the softmax over all answers that were possible.
    pub probability: f32,
}

impl Answer {
    /// Its bytes in the context.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// What came of a question, apart from the answers themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answers {
    /// Answers that were filled in, best first.
    pub found: usize,
    /// Windows that were read.
    pub windows: usize,
    /// Tokens of all windows: what it cost.
    pub tokens: usize,
    /// Least score over the windows of the span that is `[CLS]` alone. A model that was trained with questions without an
    /// answer (SQuAD 2.0) says by a higher score than the best answer's that there is none.
    pub no_answer: f32,
}

impl Session<'_> {
    /// The best answer to a question in a context of any length; `None` if the context has no word.
    ///
    /// Session memory decides how much is read at once: models for SQuAD were trained with 384 tokens.
    ///
    /// # Errors
    /// As [`Session::answers`].
    pub fn answer(&mut self, question: &str, context: &str) -> Result<Option<Answer>, RunError> {
        let mut best = [Answer::default()];
        let found = self.answers(question, context, Search::default(), &mut best)?.found;
        Ok((found > 0).then_some(best[0]))
    }

    /// The best answers to a question in a context of any length go to `top`, best first.
    ///
    /// # Errors
    /// [`RunError::Head`] without a question answering head. [`RunError::Question`] if the question leaves no room for a
    /// token of the context; if truncation is on, a question of more than half the room loses its end instead. [`RunError::NotFinite`].
    pub fn answers(
        &mut self,
        question: &str,
        context: &str,
        search: Search,
        top: &mut [Answer],
    ) -> Result<Answers, RunError> {
        self.needs(Head::QuestionAnswering)?;
        self.forget();
        let config = self.model.config();
        let tokenizer = text::tokenizer(config, self.model.artifact().vocabulary());
        let mut keep = text::count(&tokenizer, question);
        if self.truncate {
            keep = keep.min(self.most.saturating_sub(3) / 2);
        }
        // [CLS], two [SEP], and a token of the context.
        if keep + 4 > self.most {
            return Err(RunError::Question { tokens: keep, most: self.most });
        }
        let room = self.most - 3 - keep;
        let overlap = search.overlap.min(room / 2);
        let step = room - overlap;

        let mut spans = Spans { longest: search.longest.max(1), top, found: 0, max: f32::MIN, sum: 0.0 };
        let mut result = Answers { found: 0, windows: 0, tokens: 0, no_answer: f32::MAX };
        let mut skip = 0;
        loop {
            let part = (context, skip, room);
            let window = text::fill_window(&tokenizer, config, (question, keep), part, &mut self.buffers);
            self.run(window.tokens, |_, _| {})?;
            score(self.model, self.tokens, &mut self.buffers)?;
            finite(&self.buffers.scores[..2 * self.tokens])?;
            let [start, end] = self.ends(0);
            result.no_answer = result.no_answer.min(start + end);
            let first = if skip == 0 { 0 } else { overlap / 2 };
            let last = if window.more { step + overlap / 2 } else { window.len };
            spans.read(self, &window, first..last);
            (result.windows, result.tokens) = (result.windows + 1, result.tokens + window.tokens);
            if !window.more {
                break;
            }
            skip += step;
        }
        result.found = spans.found;
        for answer in &mut spans.top[..spans.found] {
            answer.probability = exp(answer.score - spans.max) / spans.sum;
        }
        finite(&[result.no_answer, spans.max, spans.sum])?;
        spans.top[..spans.found].iter().try_for_each(|answer| finite(&[answer.score, answer.probability]))?;
        Ok(result)
    }

    /// Scores of each token encoded last as the start and as the end of an answer, `[tokens][2]`.
    ///
    /// # Errors
    /// [`RunError::Head`] without a question answering head, [`RunError::Position`] if nothing has been encoded.
    pub fn span_logits(&mut self) -> Result<&[[f32; 2]], RunError> {
        self.needs(Head::QuestionAnswering)?;
        self.encoded(0)?;
        score(self.model, self.tokens, &mut self.buffers)?;
        finite(&self.buffers.scores[..2 * self.tokens])?;
        Ok(&self.buffers.scores.as_chunks().0[..self.tokens])
    }

    /// The two scores of a token, once they are made.
    fn ends(&self, position: usize) -> [f32; 2] {
        self.buffers.scores.as_chunks().0[position]
    }

    /// The bytes of some tokens. (The marks of one character may change places, so the first token need not start first.)
    pub(crate) fn range(&self, tokens: Range<usize>) -> Range<usize> {
        let (starts, ends) = (&self.buffers.starts[tokens.clone()], &self.buffers.ends[tokens]);
        let start = starts.iter().copied().min().unwrap_or(0) as usize;
        let end = ends.iter().copied().max().unwrap_or(0) as usize;
        start..end.max(start)
    }
}

/// Both scores of the first `n` tokens, to `buffers.scores[..2 * n]`.
fn score(model: &Model, n: usize, buffers: &mut Buffers) -> Result<(), ModelError> {
    let (kernels, h) = (model.kernels(), model.config().hidden as usize);
    let head = model.span()?;
    let (mut room, _) = Quantized::carve(buffers.work, n, h);
    let rows = Rows::quantize(kernels, &buffers.x[..n * h], h, &mut room, &[&head]);
    rows.apply(kernels, &head, 0..2, Epilogue::Store, &mut buffers.scores[..2 * n], 2);
    Ok(())
}

/// The spans that were scored so far.
struct Spans<'t> {
    longest: usize,
    top: &'t mut [Answer],
    found: usize,
    /// The highest score, and the sum of exp(score - max).
    max: f32,
    sum: f32,
}

impl Spans<'_> {
    /// Takes every span of whole words that starts at one of `starts`, counted from the window's first token of the
    /// context.
    fn read(&mut self, session: &Session<'_>, window: &Window, starts: Range<usize>) {
        let tokens = window.first..window.first + window.len;
        let continues = |at: usize| if at < tokens.end { session.buffers.words[at] == PIECE } else { window.cut };
        for first in window.first + starts.start..window.first + starts.end {
            if continues(first) {
                continue;
            }
            let [start, _] = session.ends(first);
            for last in first..tokens.end.min(first.saturating_add(self.longest)) {
                if !continues(last + 1) {
                    let [_, end] = session.ends(last);
                    self.take(session, first..last + 1, start + end);
                }
            }
        }
    }

    fn take(&mut self, session: &Session<'_>, tokens: Range<usize>, score: f32) {
        if score > self.max {
            self.sum = self.sum * exp(self.max - score) + 1.0;
            self.max = score;
        } else {
            self.sum += exp(score - self.max);
        }
        if self.found < self.top.len() || self.top.last().is_some_and(|worst| score > worst.score) {
            let Range { start, end } = session.range(tokens.clone());
            let answer = Answer { start, end, tokens: tokens.len(), score, probability: 0.0 };
            self.found = insert(self.top, self.found, answer, |answer| answer.score);
        }
    }
}

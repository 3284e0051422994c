//! One text: the answer in words, what it cost, and its bits, for whoever compares them.

use core::fmt::Write;

use distil_runtime::{Artifact, Candidate, Config, Head, RunError, Session, Xxh32, rsqrt, texts_of};

use crate::Line;
use crate::check::Comparison;
use crate::machine::{Machine, read_counter};

/// Candidates for each `[MASK]` that are compared.
const CANDIDATES: usize = 5;

/// What came of a text.
pub(crate) struct Outcome {
    pub(crate) answer: Line<200>,
    pub(crate) tokens: usize,
    /// Instructions or cycles from the text to the answer.
    pub(crate) count: u64,
}

/// The first embedding, kept so that later ones can be likened to it.
pub(crate) struct Saved<'s> {
    bytes: &'s mut [u8],
    filled: bool,
}

impl<'s> Saved<'s> {
    /// Bytes that are needed for this model; a multiple of 64, so that an arena can follow.
    pub(crate) fn len(config: &Config) -> usize {
        (config.hidden as usize * 4).next_multiple_of(64)
    }

    pub(crate) fn new(bytes: &'s mut [u8]) -> Self {
        Self { bytes, filled: false }
    }

    /// Keeps the first vector; gives the cosine between it and a later one.
    fn similarity(&mut self, vector: &[f32]) -> Option<f32> {
        let (kept, _) = self.bytes.as_chunks_mut::<4>();
        if !self.filled {
            kept.iter_mut().zip(vector).for_each(|(kept, x)| *kept = x.to_le_bytes());
            self.filled = true;
            return None;
        }
        let (mut xy, mut xx, mut yy) = (0.0f32, 0.0f32, 0.0f32);
        for (kept, &x) in kept.iter().zip(vector) {
            let y = f32::from_le_bytes(*kept);
            xy += x * y;
            xx += x * x;
            yy += y * y;
        }
        Some(xy * rsqrt(xx.max(1e-24)) * rsqrt(yy.max(1e-24)))
    }
}

/// Runs a text and its head; `comparison` is given everything that the host has, too.
pub(crate) fn answer<M: Machine>(
    session: &mut Session<'_>,
    artifact: &Artifact<'_>,
    text: &str,
    comparison: &mut Comparison<'_>,
    first: &mut Saved<'_>,
    machine: &mut M,
) -> Result<Outcome, RunError> {
    machine.alive();
    let before = read_counter::<M>();
    let head = artifact.config().head;
    let (text, pair) = texts_of(head, text);
    let tokens = session.observe(text, pair, |_, _| machine.alive())?;
    let mut count = read_counter::<M>().wrapping_sub(before);
    comparison.tokens(tokens as u32);
    comparison.hidden(hash(session.hidden()));

    let mut line = Line::new();
    count += match head {
        Head::Embedding => embedding::<M>(session, first, comparison, &mut line)?,
        Head::SequenceClassification => classification::<M>(session, comparison, &mut line)?,
        Head::TokenClassification => words::<M>(session, text, tokens, comparison, &mut line)?,
        Head::QuestionAnswering => span::<M>(session, pair.unwrap_or(text), tokens, comparison, &mut line)?,
        Head::MaskedLm => masks::<M>(session, artifact, comparison, machine, &mut line)?,
    };
    Ok(Outcome { answer: line, tokens, count })
}

/// The heads below write the answer to `line`, give the output to `comparison`, and return what the head cost.
fn embedding<M: Machine>(
    session: &mut Session<'_>,
    first: &mut Saved<'_>,
    comparison: &mut Comparison<'_>,
    line: &mut Line<200>,
) -> Result<u64, RunError> {
    let before = read_counter::<M>();
    let vector = session.pooled()?;
    let cost = read_counter::<M>().wrapping_sub(before);
    vector.iter().for_each(|x| comparison.word(x.to_bits()));
    let _ = match first.similarity(vector) {
        None => write!(line, "embedding of {} numbers", vector.len()),
        Some(cosine) => write!(line, "embedding of {} numbers, cosine with the first: {cosine:.4}", vector.len()),
    };
    Ok(cost)
}

fn classification<M: Machine>(
    session: &mut Session<'_>,
    comparison: &mut Comparison<'_>,
    line: &mut Line<200>,
) -> Result<u64, RunError> {
    let before = read_counter::<M>();
    let answer = session.classification()?;
    let cost = read_counter::<M>().wrapping_sub(before);
    answer.logits().iter().for_each(|x| comparison.word(x.to_bits()));
    let _ = write!(line, "label: {} (probability {:.4})", answer.label(), answer.probability());
    Ok(cost)
}

/// Compares the scores of every token; says every word with its label, as many as the line holds.
fn words<M: Machine>(
    session: &mut Session<'_>,
    text: &str,
    tokens: usize,
    comparison: &mut Comparison<'_>,
    line: &mut Line<200>,
) -> Result<u64, RunError> {
    let mut cost = 0;
    for position in 0..tokens {
        let before = read_counter::<M>();
        let answer = session.token_classification(position)?;
        cost += read_counter::<M>().wrapping_sub(before);
        answer.logits().iter().for_each(|x| comparison.word(x.to_bits()));
    }
    let _ = write!(line, "words:");
    for tag in session.tags()? {
        let _ = write!(line, " {}/{}", text.get(tag.range()).unwrap_or("?"), tag.name);
    }
    Ok(cost)
}

/// Compares both scores of every token; says where an answer is likeliest to start and to end.
fn span<M: Machine>(
    session: &mut Session<'_>,
    text: &str,
    tokens: usize,
    comparison: &mut Comparison<'_>,
    line: &mut Line<200>,
) -> Result<u64, RunError> {
    let before = read_counter::<M>();
    let scores = session.span_logits()?;
    let cost = read_counter::<M>().wrapping_sub(before);
    scores.iter().flatten().for_each(|x| comparison.word(x.to_bits()));
    let best = |end: usize| {
        let better = |best: usize, at: usize| if scores[at][end] > scores[best][end] { at } else { best };
        (0..tokens).fold(0, better)
    };
    let ends = [("starts best at", best(0)), (", ends best at", best(1))];
    for (words, position) in ends {
        let _ = write!(line, "{words}");
        match session.span(position).filter(|range| !range.is_empty()).and_then(|range| text.get(range)) {
            Some(token) => _ = write!(line, " \"{token}\" (token {position})"),
            None => _ = write!(line, " token {position}"),
        }
    }
    Ok(cost)
}

fn masks<M: Machine>(
    session: &mut Session<'_>,
    artifact: &Artifact<'_>,
    comparison: &mut Comparison<'_>,
    machine: &mut M,
    line: &mut Line<200>,
) -> Result<u64, RunError> {
    let mut cost = 0;
    let mut number = 0;
    loop {
        let Some(position) = session.masks().nth(number) else { break };
        machine.alive();
        let mut top = [Candidate::default(); CANDIDATES];
        let before = read_counter::<M>();
        let found = session.predict(position, None, &mut top)?.candidates;
        cost += read_counter::<M>().wrapping_sub(before);
        for candidate in &top[..found] {
            comparison.word(candidate.id);
            comparison.word(candidate.logit.to_bits());
        }
        let _ = write!(line, "{}[MASK]:", if number == 0 { "" } else { "; " });
        for candidate in &top[..found.min(3)] {
            let mut buffer = [0; 128];
            let (hashes, piece) = match artifact.vocabulary().piece(candidate.id, &mut buffer) {
                Some((piece, continuation)) => (if continuation { "##" } else { "" }, piece),
                None => ("", "?"),
            };
            let _ = write!(line, " {hashes}{piece} ({:.3})", candidate.probability);
        }
        number += 1;
    }
    if number == 0 {
        let _ = write!(line, "nothing to fill: the sentence has no [MASK]");
    }
    Ok(cost)
}

/// XXH32 of the values' bytes, little-endian.
fn hash(values: &[f32]) -> u32 {
    let mut state = Xxh32::new(0);
    values.iter().for_each(|x| state.update(&x.to_le_bytes()));
    state.finish()
}

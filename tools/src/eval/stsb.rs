//! Semantic similarity (STS benchmark): the cosine of two sentences' embeddings against people's scores from 0 to 5.

use rayon::prelude::*;
use serde::Serialize;

use super::classification::value;
use super::examples::{Example, read};
use super::glue::STSB;
use super::stats::{cosine, pearson, spearman};
use super::{Source, Subject, Ticks};
use crate::error::Error;

pub(super) const NEXT: &str = "a line is: genre, file, year, id, score, sentence, sentence, with tabs between them; or the first line names \
                               sentence1, sentence2 and score";

/// The result; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// `stsb`.
    pub task: &'static str,
    /// `packed`, or `float` for the original.
    pub path: &'static str,
    /// Pairs.
    pub pairs: usize,
    /// Spearman's rank correlation, equal values sharing their mean rank.
    pub spearman: f64,
    /// Pearson's correlation.
    pub pearson: f64,
    /// The embeddings of both sentences of each pair.
    #[serde(skip)]
    pub embeddings: Vec<[Vec<f32>; 2]>,
}

/// Scores the pairs of a file by the cosine of their embeddings.
pub fn run(subject: &Subject<'_>, source: &Source, ticks: Ticks<'_>) -> Result<Report, Error> {
    let pairs = read(source.place(), STSB, &source.columns, false, NEXT, value)?;
    enough(pairs.len(), source)?;
    ticks.start(pairs.len());
    let sequencer = subject.sequencer();
    let most = subject.config().max_positions as usize;
    let embed = |arena: &mut Vec<u8>, pair: &Example<f64>| {
        let mut embed = |text: &str| subject.embed(arena, &sequencer.truncated(text, most).0);
        let both = [embed(&pair.text)?, embed(pair.pair.as_deref().unwrap_or_default())?];
        ticks.one();
        Ok(both)
    };
    let embeddings: Result<Vec<[Vec<f32>; 2]>, Error> =
        pairs.par_iter().map_init(|| vec![0; subject.arena_len()], embed).collect();
    let embeddings = embeddings?;
    let cosines: Vec<f64> = embeddings.iter().map(|[first, second]| cosine(first, second)).collect();
    let scores: Vec<f64> = pairs.iter().map(|pair| pair.gold).collect();
    Ok(Report {
        task: "stsb",
        path: subject.path_name(),
        pairs: pairs.len(),
        spearman: spearman(&cosines, &scores),
        pearson: pearson(&cosines, &scores),
        embeddings,
    })
}

/// Two values make a correlation.
pub(super) fn enough(count: usize, source: &Source) -> Result<(), Error> {
    if count < 2 {
        let message = format!("{}: fewer than two examples", source.data.display());
        return Err(Error::usage(message, "a correlation needs two or more, with different scores"));
    }
    Ok(())
}

//! Semantic similarity (STS benchmark): the cosine of two sentences' embeddings against people's scores from 0 to 5.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::Subject;
use super::stats::{cosine, pearson, spearman};
use crate::error::Error;
use crate::text::read_text;

/// A pair with its score.
struct Pair {
    score: f64,
    first: String,
    second: String,
}

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

/// Scores the pairs of a TSV file: genre, file, year, id, score, sentence, sentence, without a header.
pub fn run(subject: &Subject<'_>, data: &Path, limit: Option<usize>, tick: impl Fn() + Sync) -> Result<Report, Error> {
    let mut pairs = read(data)?;
    pairs.truncate(limit.unwrap_or(usize::MAX));
    let sequencer = subject.sequencer();
    let most = subject.config().max_positions as usize;
    let embed = |arena: &mut Vec<u8>, pair: &Pair| {
        let mut embed = |text: &str| subject.embed(arena, &sequencer.truncated(text, most).0);
        let both = [embed(&pair.first)?, embed(&pair.second)?];
        tick();
        Ok(both)
    };
    let embeddings: Result<Vec<[Vec<f32>; 2]>, Error> =
        pairs.par_iter().map_init(|| vec![0; subject.arena_len()], embed).collect();
    let embeddings = embeddings?;
    let cosines: Vec<f64> = embeddings.iter().map(|[first, second]| cosine(first, second)).collect();
    let scores: Vec<f64> = pairs.iter().map(|pair| pair.score).collect();
    Ok(Report {
        task: "stsb",
        path: subject.path_name(),
        pairs: pairs.len(),
        spearman: spearman(&cosines, &scores),
        pearson: pearson(&cosines, &scores),
        embeddings,
    })
}

fn read(path: &Path) -> Result<Vec<Pair>, Error> {
    let text = read_text(path)?;
    let pairs = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
    let pairs: Vec<Pair> = pairs
        .map(|(index, line)| {
            let fields: Vec<&str> = line.split('\t').collect();
            let wrong = |reason: &str| Error::Line {
                source_name: path.display().to_string(),
                line: index + 1,
                reason: reason.into(),
                next: "a line is: genre, file, year, id, score, sentence, sentence, with tabs between them and no header",
            };
            let [_, _, _, _, score, first, second, ..] = fields[..] else {
                return Err(wrong("fewer than 7 fields"));
            };
            let score = score.parse::<f64>().ok().filter(|score| score.is_finite()).ok_or_else(|| wrong("the fifth field is no number"))?;
            Ok(Pair { score, first: first.into(), second: second.into() })
        })
        .collect::<Result<_, _>>()?;
    if pairs.len() < 2 {
        return Err(Error::usage(
            format!("{}: fewer than two pairs", path.display()),
            "give the file of the benchmark, such as dev.tsv",
        ));
    }
    Ok(pairs)
}

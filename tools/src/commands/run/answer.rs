//! What a head answers, as JSON and as text.

use std::io::Write;

use distil_format::{Artifact, Head, Problem};
use distil_runtime::{Candidate, Search, Session};
use schemars::JsonSchema;
use serde::Serialize;

use super::among::Near;
use crate::error::Error;
use crate::sequence::Pieces;

/// One text's answer; its JSON.
#[derive(Serialize, JsonSchema)]
pub(in crate::commands) struct Report<'a> {
    pub(super) text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pair: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) question: Option<&'a str>,
    /// Tokens that were computed; those of all windows for an answer.
    pub(super) tokens: usize,
    pub(super) isa: &'static str,
    pub(super) head: &'static str,
    #[serde(flatten)]
    pub(super) answer: Answer,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Answer {
    Embedding {
        embedding: Vec<f32>,
    },
    /// With `--among`.
    Nearest {
        /// The nearest sentences, the nearest first.
        nearest: Vec<Near>,
    },
    Labels {
        problem: &'static str,
        /// The best one; null in a regression.
        label: Option<String>,
        probability: Option<f32>,
        /// Those that hold: the best, or of labels each of which is right or not the probable ones.
        chosen: Vec<String>,
        labels: Vec<Label>,
    },
    Words {
        words: Vec<Tagged>,
    },
    Masks {
        masks: Vec<Mask>,
    },
    Spans {
        /// The best answer's text; null if the text has no word.
        answer: Option<String>,
        windows: usize,
        /// Score of there being no answer, to be compared with the best answer's.
        no_answer_score: f32,
        answers: Vec<Found>,
    },
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Label {
    label: String,
    logit: f32,
    /// Null in a regression.
    probability: Option<f32>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Tagged {
    word: String,
    label: String,
    probability: f32,
    /// Bytes in the text.
    start: usize,
    end: usize,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Mask {
    /// Place among the tokens, [CLS] being 0.
    position: usize,
    candidates: Vec<Word>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Word {
    id: u32,
    token: String,
    logit: f32,
    probability: f32,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Found {
    answer: String,
    /// Bytes in the text.
    start: usize,
    end: usize,
    score: f32,
    probability: f32,
}

/// The answer to a question about `context`, and the tokens that were computed for it.
pub(super) fn find(
    session: &mut Session<'_>,
    question: &str,
    context: &str,
    search: Search,
    top: usize,
) -> Result<(Answer, usize), Error> {
    let mut best = vec![distil_runtime::Answer::default(); top];
    let found = session.answers(question, context, search, &mut best)?;
    let answers: Vec<Found> = best[..found.found]
        .iter()
        .map(|answer| {
            let &distil_runtime::Answer { start, end, score, probability, .. } = answer;
            Found { answer: context[answer.range()].to_owned(), start, end, score, probability }
        })
        .collect();
    let answer = answers.first().map(|best| best.answer.clone());
    Ok((Answer::Spans { answer, windows: found.windows, no_answer_score: found.no_answer, answers }, found.tokens))
}

/// The answer of every other head to the text encoded last.
pub(super) fn of(
    artifact: &Artifact<'_>,
    session: &mut Session<'_>,
    pieces: &mut Pieces<'_>,
    text: &str,
    top: usize,
) -> Result<Answer, Error> {
    match artifact.config().head {
        Head::Embedding => Ok(Answer::Embedding { embedding: session.pooled()?.to_vec() }),
        Head::SequenceClassification => {
            let result = session.classification()?;
            let regression = result.problem() == Problem::Regression;
            let name = |index| result.name(index).to_owned();
            let scores = result.logits().iter().zip(result.values()).enumerate();
            let mut labels: Vec<Label> = scores
                .map(|(index, (&logit, &value))| Label {
                    label: name(index),
                    logit,
                    probability: (!regression).then_some(value),
                })
                .collect();
            let chosen = if regression { Vec::new() } else { result.holding().map(name).collect() };
            if !regression {
                labels.sort_by(|a, b| b.logit.total_cmp(&a.logit));
                labels.truncate(top);
            }
            Ok(Answer::Labels {
                problem: result.problem().name(),
                label: (!regression).then(|| name(result.best())),
                probability: (!regression).then(|| result.probability()),
                chosen,
                labels,
            })
        }
        Head::TokenClassification => {
            let words = session.tags()?.map(|tag| Tagged {
                word: text[tag.range()].to_owned(),
                label: tag.name.to_owned(),
                probability: tag.probability,
                start: tag.start,
                end: tag.end,
            });
            Ok(Answer::Words { words: words.collect() })
        }
        Head::MaskedLm => {
            let positions: Vec<usize> = session.masks().collect();
            if positions.is_empty() {
                return Err(distil_runtime::RunError::NoMask.into());
            }
            let mut best = vec![Candidate::default(); top];
            let mut masks = Vec::with_capacity(positions.len());
            for position in positions {
                let found = session.predict(position, None, &mut best)?.candidates;
                let candidates = best[..found].iter().map(|&Candidate { id, logit, probability }| {
                    let token = pieces.get(id).to_owned();
                    Word { id, token, logit, probability }
                });
                masks.push(Mask { position, candidates: candidates.collect() });
            }
            Ok(Answer::Masks { masks })
        }
        Head::QuestionAnswering => Err(super::no_question()),
    }
}

impl Report<'_> {
    pub(super) fn print(&self, out: &mut dyn Write) -> Result<(), Error> {
        let mut line = |items: Vec<String>| Ok(writeln!(out, "{}", items.join("\t"))?);
        let share = |name: &str, probability: f32| format!("{name} {:.1}%", probability * 100.0);
        match &self.answer {
            Answer::Embedding { embedding } => {
                for (index, value) in embedding.iter().enumerate() {
                    write!(out, "{}{value}", if index == 0 { "" } else { " " })?;
                }
                Ok(writeln!(out)?)
            }
            Answer::Nearest { nearest } => {
                line(nearest.iter().map(|near| format!("{} {:.4}", near.sentence, near.cosine)).collect())
            }
            Answer::Labels { problem, labels, chosen, .. } => {
                // Of labels each of which is right or not, those that hold are the answer.
                let sets = *problem == Problem::MultiLabel.name();
                let answer = labels.iter().filter(|label| !sets || chosen.contains(&label.label));
                let shown: Vec<String> = answer
                    .map(|label| match label.probability {
                        Some(probability) => share(&label.label, probability),
                        // A regression: the scores are the answer.
                        None => format!("{} {}", label.label, label.logit),
                    })
                    .collect();
                line(if shown.is_empty() { vec!["(no label)".to_owned()] } else { shown })
            }
            Answer::Words { words } => {
                let shown = words.iter().map(|word| share(&format!("{}/{}", word.word, word.label), word.probability));
                line(shown.collect())
            }
            Answer::Masks { masks } => masks.iter().try_for_each(|mask| {
                line(mask.candidates.iter().map(|word| share(&word.token, word.probability)).collect())
            }),
            Answer::Spans { answers, .. } => {
                line(answers.iter().map(|found| share(&found.answer, found.probability)).collect())
            }
        }
    }
}

//! Extractive question answering on a file of the Stanford question answering dataset, by its official measures.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::squad_scores::{Candidate, Worth, best_threshold, worth};
use super::{Source, Subject, Ticks};
use crate::error::Error;
use crate::hf::Problem;
use crate::text::read_text;

/// The dataset's JSON, as far as it is needed.
#[derive(Deserialize)]
struct Dataset {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    #[serde(default)]
    id: String,
    question: String,
    /// None: the question has no answer (version 2).
    answers: Vec<Gold>,
}

#[derive(Deserialize)]
struct Gold {
    text: String,
}

/// The result; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// `squad`.
    pub task: &'static str,
    /// `packed`, or `float` for the original.
    pub path: &'static str,
    /// Questions.
    pub questions: usize,
    /// Windows that were read, at least one a question.
    pub windows: usize,
    /// Share of the questions whose answer is one of those that people gave.
    pub exact_match: f64,
    /// Mean F1 over the words of the answer and of the nearest that people gave.
    pub f1: f64,
    /// What a file with questions without an answer (version 2) has besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_2: Option<Version2>,
    /// What was said to each question, by its id.
    #[serde(skip)]
    pub said: Vec<(String, String)>,
}

/// Questions with an answer and those without one.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Version2 {
    /// There is no answer where the score of there being none is greater than that of the best one by more than this.
    pub null_threshold: f64,
    /// Questions with an answer.
    pub with_answer: usize,
    /// Exact match over them.
    pub with_answer_exact_match: f64,
    /// F1 over them.
    pub with_answer_f1: f64,
    /// Questions without one.
    pub without_answer: usize,
    /// Share of them to which nothing was said.
    pub without_answer_exact_match: f64,
    /// The largest exact match that a threshold reaches on this data.
    pub best_exact_match: f64,
    /// That threshold.
    pub best_exact_match_threshold: f64,
    /// The largest F1 that a threshold reaches on this data.
    pub best_f1: f64,
    /// That threshold.
    pub best_f1_threshold: f64,
}

/// One question, answered.
struct Answered {
    said: String,
    has_answer: bool,
    worth: Worth,
    /// The best answer, if it is said whatever the score of there being none.
    best: Worth,
    says: bool,
    odds: f32,
    windows: usize,
}

/// Asks the questions of a file, in windows of `tokens` tokens.
pub fn run(
    subject: &Subject<'_>,
    source: &Source,
    (tokens, threshold): (usize, f64),
    ticks: Ticks<'_>,
) -> Result<Report, Error> {
    let (data, limit) = source.place();
    let dataset: Dataset =
        serde_json::from_str(&read_text(data)?).map_err(|error| Problem::Json(error.to_string()).at(data))?;
    let paragraphs = dataset.data.iter().flat_map(|article| &article.paragraphs);
    let mut questions: Vec<(&str, &Question)> = paragraphs
        .flat_map(|paragraph| paragraph.qas.iter().map(|question| (paragraph.context.as_str(), question)))
        .collect();
    // Where every question of the file has an answer, none is never said.
    let version_2 = questions.iter().any(|(_, question)| question.answers.is_empty());
    questions.truncate(limit.unwrap_or(usize::MAX));
    if questions.is_empty() {
        return Err(Error::usage(
            format!("{}: no question in it", data.display()),
            "give a file such as dev-v1.1.json",
        ));
    }
    ticks.start(questions.len());
    let one = |arena: &mut Vec<u8>, &(context, question): &(&str, &Question)| {
        let found = subject.answer(arena, &question.question, context, tokens)?;
        ticks.one();
        let odds = found.best.as_ref().map_or(f32::MAX, |(_, score)| found.no_answer - score);
        let best = found.best.map_or("", |(range, _)| &context[range]);
        let said = if version_2 && f64::from(odds) > threshold { "" } else { best };
        let gold: Vec<&str> = question.answers.iter().map(|gold| gold.text.as_str()).collect();
        Ok(Answered {
            worth: worth(said, &gold, version_2),
            best: worth(best, &gold, version_2),
            says: !best.is_empty(),
            has_answer: !gold.is_empty(),
            said: said.to_owned(),
            odds,
            windows: found.windows,
        })
    };
    let each = questions.par_iter().map_init(|| vec![0; subject.arena_len()], one);
    let answered = each.collect::<Result<Vec<Answered>, Error>>()?;
    let (exact_match, f1) = means(answered.iter());
    Ok(Report {
        task: "squad",
        path: subject.path_name(),
        questions: answered.len(),
        windows: answered.iter().map(|answered| answered.windows).sum(),
        exact_match,
        f1,
        version_2: version_2.then(|| Version2::new(threshold, &answered)),
        said: questions.iter().zip(answered).map(|((_, question), one)| (question.id.clone(), one.said)).collect(),
    })
}

/// Mean exact match and F1; 0 over nothing.
fn means<'a>(answered: impl Iterator<Item = &'a Answered>) -> (f64, f64) {
    let (count, exact, f1) = answered.fold((0.0, 0.0, 0.0), |(count, exact, f1), one| {
        (count + 1.0, exact + f64::from(u8::from(one.worth.exact)), f1 + one.worth.f1)
    });
    if count == 0.0 { (0.0, 0.0) } else { (exact / count, f1 / count) }
}

impl Version2 {
    fn new(null_threshold: f64, answered: &[Answered]) -> Self {
        let (with, without): (Vec<&Answered>, Vec<&Answered>) = answered.iter().partition(|one| one.has_answer);
        let (with_answer_exact_match, with_answer_f1) = means(with.iter().copied());
        let best = |worth: &dyn Fn(Worth) -> f64| {
            let candidates: Vec<Candidate> = answered
                .iter()
                .map(|&Answered { odds, has_answer, says, best, .. }| Candidate {
                    odds,
                    has_answer,
                    says,
                    worth: worth(best),
                })
                .collect();
            let (sum, threshold) = best_threshold(&candidates);
            (sum / answered.len() as f64, f64::from(threshold))
        };
        let (best_exact_match, best_exact_match_threshold) = best(&|worth| f64::from(u8::from(worth.exact)));
        let (best_f1, best_f1_threshold) = best(&|worth| worth.f1);
        Self {
            null_threshold,
            with_answer: with.len(),
            with_answer_exact_match,
            with_answer_f1,
            without_answer: without.len(),
            without_answer_exact_match: means(without.iter().copied()).0,
            best_exact_match,
            best_exact_match_threshold,
            best_f1,
            best_f1_threshold,
        }
    }
}

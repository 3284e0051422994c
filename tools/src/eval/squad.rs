//! Extractive question answering on a file of the Stanford question answering dataset, by its official measures.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Subject;
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
}

/// Asks the first `limit` questions of a file, in windows of `tokens` tokens.
pub fn run(
    subject: &Subject<'_>,
    data: &Path,
    limit: Option<usize>,
    tokens: usize,
    tick: impl Fn() + Sync,
) -> Result<Report, Error> {
    let dataset: Dataset =
        serde_json::from_str(&read_text(data)?).map_err(|error| Problem::Json(error.to_string()).at(data))?;
    let paragraphs = dataset.data.iter().flat_map(|article| &article.paragraphs);
    let questions: Vec<(&str, &Question)> = paragraphs
        .flat_map(|paragraph| paragraph.qas.iter().map(|question| (paragraph.context.as_str(), question)))
        .take(limit.unwrap_or(usize::MAX))
        .collect();
    if questions.is_empty() {
        return Err(Error::usage(
            format!("{}: no question in it", data.display()),
            "give a file such as dev-v1.1.json",
        ));
    }
    // Where every question has an answer, none is never said.
    let may_be_none = questions.iter().any(|(_, question)| question.answers.is_empty());
    let one = |arena: &mut Vec<u8>, &(context, question): &(&str, &Question)| {
        let found = subject.answer(arena, &question.question, context, tokens)?;
        tick();
        let best = found.best.filter(|(_, score)| !may_be_none || *score >= found.no_answer);
        let said = best.map_or("", |(range, _)| &context[range]);
        let gold: Vec<&str> = question.answers.iter().map(|gold| gold.text.as_str()).collect();
        Ok((score(said, &gold), found.windows))
    };
    let each = questions.par_iter().map_init(|| vec![0; subject.arena_len()], one);
    let results = each.collect::<Result<Vec<_>, Error>>()?;
    let count = results.len() as f64;
    Ok(Report {
        task: "squad",
        path: subject.path_name(),
        questions: results.len(),
        windows: results.iter().map(|(_, windows)| windows).sum(),
        exact_match: results.iter().filter(|((exact, _), _)| *exact).count() as f64 / count,
        f1: results.iter().map(|((_, f1), _)| f1).sum::<f64>() / count,
    })
}

/// Whether the answer is exactly one of the right ones, and its best F1; without a right one, whether nothing was said.
fn score(said: &str, gold: &[&str]) -> (bool, f64) {
    let said = normalize(said);
    if gold.is_empty() {
        return (said.is_empty(), f64::from(u8::from(said.is_empty())));
    }
    let gold: Vec<String> = gold.iter().map(|gold| normalize(gold)).collect();
    (gold.contains(&said), gold.iter().map(|gold| f1(&said, gold)).fold(0.0, f64::max))
}

/// The dataset's own normalization: lower case; no ASCII punctuation; no words `a`, `an`, `the`; one space between words.
fn normalize(text: &str) -> String {
    let text: String = text.to_lowercase().chars().filter(|char| !char.is_ascii_punctuation()).collect();
    let mut words = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        // A run of characters of words, or of others: articles end where either does.
        let end = rest.find(|char: char| char.is_alphanumeric() != first.is_alphanumeric()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        words.push_str(if matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = after;
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Harmonic mean of precision and recall over the words, each as often as it occurs.
fn f1(said: &str, gold: &str) -> f64 {
    let mut left = HashMap::new();
    gold.split(' ').filter(|word| !word.is_empty()).for_each(|word| *left.entry(word).or_insert(0) += 1);
    let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).count() as f64;
    let mut same = 0.0;
    for word in said.split(' ') {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            same += 1.0;
        }
    }
    if same == 0.0 { 0.0 } else { 2.0 * same / (words(said) + words(gold)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from the dataset's own `evaluate-v1.1.py`.
    #[test]
    fn answers_are_normalized_as_the_dataset_does_it() {
        for (text, expected) in [
            ("The  Eiffel Tower!", "eiffel tower"),
            ("a.m. the-other an", "am theother"),
            ("theatre, An apple\tand A pear", "theatre apple and pear"),
            ("a–b", "–b"),
            ("ÉCOLE the é", "école é"),
            ("$12.50", "1250"),
            ("the", ""),
        ] {
            assert_eq!(normalize(text), expected, "{text}");
        }
    }

    #[test]
    fn exact_match_and_f1_over_the_nearest_answer() {
        assert_eq!(score("October 1973", &["1973", "in October 1973."]), (false, 0.8));
        assert_eq!(score("the October of 1973", &["october of 1973"]), (true, 1.0));
        assert_eq!(score("new york new york", &["new york"]), (false, 2.0 / 3.0));
        assert_eq!(score("paris", &["london"]), (false, 0.0));
        assert_eq!(score("", &["london"]), (false, 0.0));
        assert_eq!((score("", &[]), score("london", &[])), ((true, 1.0), (false, 0.0)));
    }
}

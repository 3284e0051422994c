//! What a question's answer is worth, by the programs that come with the dataset: `evaluate-v1.1.py` and, where questions
//! may have no answer, `evaluate-v2.0.py`.

use std::collections::HashMap;

/// What an answer is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Worth {
    /// It is one of the right ones, but for case, punctuation and articles.
    pub exact: bool,
    /// Its best F1 over the words of a right one.
    pub f1: f64,
}

/// A question as the search for a threshold sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Score of there being no answer less that of the best answer.
    pub odds: f32,
    /// Whether there is an answer.
    pub has_answer: bool,
    /// Whether the best answer has any text.
    pub says: bool,
    /// What the best answer is worth, if it is said: exact match (0 or 1) or F1.
    pub worth: f64,
}

/// What `said` is worth (nothing: an empty text), with the answers that people gave. `version_2` says whether questions of
/// the file may have none.
pub fn worth(said: &str, gold: &[&str], version_2: bool) -> Worth {
    let said = normalize(said);
    let mut gold: Vec<String> = gold.iter().map(|gold| normalize(gold)).collect();
    if version_2 {
        gold.retain(|gold| !gold.is_empty());
        if gold.is_empty() {
            gold.push(String::new());
        }
    }
    let f1 = |gold: &String| match version_2 && (said.is_empty() || gold.is_empty()) {
        true => f64::from(u8::from(said == *gold)),
        false => f1(&said, gold),
    };
    Worth { exact: gold.contains(&said), f1: gold.iter().map(f1).fold(0.0, f64::max) }
}

/// The largest sum over all questions that a threshold reaches: a question whose odds are greater gets no answer. With it
/// comes the least such threshold; 0 if it is best never to answer.
pub fn best_threshold(candidates: &[Candidate]) -> (f64, f32) {
    let mut order: Vec<&Candidate> = candidates.iter().collect();
    order.sort_by(|a, b| a.odds.total_cmp(&b.odds));
    let mut sum = candidates.iter().filter(|candidate| !candidate.has_answer).count() as f64;
    let mut best = (sum, 0.0);
    for candidate in order {
        sum += match candidate.has_answer {
            true => candidate.worth,
            false => -f64::from(u8::from(candidate.says)),
        };
        if sum > best.0 {
            best = (sum, candidate.odds);
        }
    }
    best
}

/// The dataset's own normalization: lower case; no ASCII punctuation; no words `a`, `an`, `the`; one space between words.
pub(super) fn normalize(text: &str) -> String {
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
        let score = |said: &str, gold: &[&str], version_2: bool| {
            let Worth { exact, f1 } = worth(said, gold, version_2);
            (exact, f1)
        };
        for version_2 in [false, true] {
            assert_eq!(score("October 1973", &["1973", "in October 1973."], version_2), (false, 0.8));
            assert_eq!(score("the October of 1973", &["october of 1973"], version_2), (true, 1.0));
            assert_eq!(score("new york new york", &["new york"], version_2), (false, 2.0 / 3.0));
            assert_eq!(score("paris", &["london"], version_2), (false, 0.0));
            assert_eq!(score("", &["london"], version_2), (false, 0.0));
        }
        // Without an answer, and with one of an article alone: the two programs differ.
        assert_eq!((score("", &[], true), score("london", &[], true)), ((true, 1.0), (false, 0.0)));
        assert_eq!((score("the", &["a"], false), score("the", &["a"], true)), ((true, 0.0), (true, 1.0)));
        assert_eq!(score("", &["the", "london"], true), (false, 0.0));
    }

    /// As `find_best_thresh` of `evaluate-v2.0.py` goes through them.
    #[test]
    fn the_best_threshold() {
        let candidate = |odds: f32, has_answer, worth| Candidate { odds, has_answer, says: true, worth };
        // No answers: 2. Then 3 with the first, 2 with the second, 2.5, 3.5 with the fourth, 2.5.
        let candidates = [
            candidate(4.0, true, 1.0),
            candidate(-3.0, true, 1.0),
            candidate(1.0, false, 0.0),
            candidate(2.0, true, 0.5),
            candidate(9.0, false, 0.0),
        ];
        assert_eq!(best_threshold(&candidates), (3.5, 4.0));
        assert_eq!(best_threshold(&candidates[2..3]), (1.0, 0.0));
        let silent = Candidate { says: false, ..candidates[2] };
        assert_eq!(best_threshold(&[silent]), (1.0, 0.0));
        assert_eq!(best_threshold(&[]), (0.0, 0.0));
    }
}

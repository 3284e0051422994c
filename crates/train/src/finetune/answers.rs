//! From scores of tokens to answers, and their official figures.

use super::reading::{Question, Reading, Window};
use std::collections::HashMap;
use std::ops::Range;

/// Best starts and ends that are combined.
const BEST: usize = 20;
/// Most tokens of an answer.
const LONGEST: usize = 30;

/// Bytes of an answer in its paragraph, and its score.
type Found = (Range<usize>, f32);

/// The best answer of a window, and the score of none.
fn best_of(window: &Window, scores: &[f32]) -> (Option<Found>, f32) {
    let score = |token: usize, side: usize| scores[2 * token + side];
    let best = |side: usize| {
        let mut tokens: Vec<usize> = (0..window.spans.len()).collect();
        let of = |&token: &usize| score(window.first + token, side);
        tokens.sort_by(|a, b| of(b).total_cmp(&of(a)).then(a.cmp(b)));
        tokens.truncate(BEST);
        tokens
    };
    let ends = best(1);
    let mut found: Option<(usize, usize, f32)> = None;
    for start in best(0) {
        for &end in ends.iter().filter(|&&end| end >= start && end < start + LONGEST) {
            let sum = score(window.first + start, 0) + score(window.first + end, 1);
            if found.is_none_or(|(.., best)| sum > best) {
                found = Some((start, end, sum));
            }
        }
    }
    let bytes = |(start, end, sum): (usize, usize, f32)| {
        (window.spans[start].start as usize..window.spans[end].end as usize, sum)
    };
    (found.map(bytes), score(0, 0) + score(0, 1))
}

/// Exact match and F1 over all questions. `scores` are those of each window's tokens, start and end side by side. Nothing is answered
/// where no answer scores more than `threshold` above none; where every question has an answer, one is always given.
pub fn exact_and_f1(reading: &Reading, scores: &[Vec<f32>], threshold: f32) -> (f64, f64) {
    let mut best: Vec<(Option<Found>, f32)> = vec![(None, f32::INFINITY); reading.questions.len()];
    for (window, scores) in reading.windows.iter().zip(scores) {
        let (found, none) = best_of(window, scores);
        let (kept, least) = &mut best[window.question];
        *least = least.min(none);
        if let Some((bytes, score)) = found.filter(|(_, score)| kept.as_ref().is_none_or(|(_, best)| score > best)) {
            *kept = Some((bytes, score));
        }
    }
    let may_be_none = reading.questions.iter().any(|question| question.answers.is_empty());
    let (mut exact, mut f1) = (0.0, 0.0);
    for (question, (found, none)) in reading.questions.iter().zip(best) {
        let said = found.filter(|(_, score)| !may_be_none || score - none > threshold);
        let said = said.map_or("", |(bytes, _)| &question.context[bytes]);
        let (equal, overlap) = judge(said, question);
        exact += f64::from(u8::from(equal));
        f1 += overlap;
    }
    let n = reading.questions.len() as f64;
    (exact / n, f1 / n)
}

fn judge(said: &str, question: &Question) -> (bool, f64) {
    let said = normalize(said);
    if question.answers.is_empty() {
        return (said.is_empty(), f64::from(u8::from(said.is_empty())));
    }
    let right: Vec<String> = question.answers.iter().map(|answer| normalize(answer)).collect();
    (right.contains(&said), right.iter().map(|right| overlap(&said, right)).fold(0.0, f64::max))
}

/// The dataset's own normalization: lower case; no ASCII punctuation; no words `a`, `an`, `the`; one space between words.
pub fn normalize(text: &str) -> String {
    let text: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let (mut words, mut rest) = (String::new(), text.as_str());
    while let Some(first) = rest.chars().next() {
        // A run of characters of words, or of others: articles end where either does.
        let end = rest.find(|c: char| c.is_alphanumeric() != first.is_alphanumeric()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        words.push_str(if matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = after;
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// F1 over words, each as often as it occurs; of two empty texts 1.
fn overlap(said: &str, right: &str) -> f64 {
    let (said, right): (Vec<&str>, Vec<&str>) = (said.split_whitespace().collect(), right.split_whitespace().collect());
    if said.is_empty() || right.is_empty() {
        return f64::from(u8::from(said == right));
    }
    let mut left = HashMap::new();
    right.iter().for_each(|word| *left.entry(*word).or_insert(0usize) += 1);
    let mut same = 0;
    for word in &said {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            same += 1;
        }
    }
    2.0 * f64::from(same) / (said.len() + right.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized_as_the_dataset_does_it() {
        for (text, expected) in [
            ("The  Norman-French, (an) ", "normanfrench"),
            ("an apple a day", "apple day"),
            ("theatre; Anna", "theatre anna"),
            ("the", ""),
        ] {
            assert_eq!(normalize(text), expected);
        }
        assert_eq!(overlap("a b b", "b b c"), 2.0 / 3.0);
        assert_eq!((overlap("", ""), overlap("", "a")), (1.0, 0.0));
    }

    #[test]
    fn the_best_pair_over_all_windows() {
        let question = |answers: &[&str]| Question::of("q", "red green blue", answers);
        let spans = || vec![0..3, 4..9, 10..14];
        let window = |question| Window { question, first: 3, spans: spans() };
        let reading = Reading {
            questions: vec![question(&["green blue"]), question(&[])],
            windows: vec![window(0), window(0), window(1)],
        };
        // Start and end of [CLS], two other tokens, three words, [SEP].
        let scores = |none: f32, start: [f32; 3], end: [f32; 3]| {
            let mut all = vec![none / 2.0, none / 2.0, 9.0, 9.0, 9.0, 9.0];
            all.extend(start.iter().zip(end).flat_map(|(a, b)| [*a, b]));
            all.extend([9.0, 9.0]);
            all
        };
        let all = [
            // An end before its start does not count.
            scores(1.0, [0.0, 0.0, 5.0], [5.0, 0.0, 1.0]),
            scores(0.0, [0.0, 4.0, 0.0], [0.0, 0.0, 3.0]),
            scores(6.0, [0.0, 4.0, 0.0], [0.0, 0.0, 1.0]),
        ];
        assert_eq!(exact_and_f1(&reading, &all, 0.0), (1.0, 1.0));
        // Now the second question is answered, which is wrong.
        assert_eq!(exact_and_f1(&reading, &all, -2.0), (0.5, 0.5));
        // And now the first one is not.
        assert_eq!(exact_and_f1(&reading, &all, 7.5), (0.5, 0.5));
    }
}

//! The figures of a task by name, and the one that decides.

use super::answers::exact_and_f1;
use super::entities::{Count, is_tag};
use super::metrics::{accuracy, f1, macro_f1, matthews, micro_f1, pearson, spearman};
use super::tagging::Tags;
use super::{Data, FinetuneConfig, Targets, Task};

/// Place of the highest score, the first of equals.
fn best(scores: &[f32]) -> usize {
    (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

/// The figures of a task by name, from scores and what is right; `names` are those of the labels.
pub(super) fn figures_of(
    config: &FinetuneConfig,
    scores: &[Vec<f32>],
    data: &Data,
    names: &[String],
) -> Vec<(String, f64)> {
    let task = config.task;
    let labels = scores.first().map_or(0, Vec::len);
    let figures: Vec<(&str, f64)> = match &data.targets {
        Targets::Classes(right) => {
            let predicted: Vec<u32> = scores.iter().map(|scores| best(scores) as u32).collect();
            let mut figures = vec![("accuracy", accuracy(&predicted, right))];
            match task {
                Task::Cola => figures.insert(0, ("matthews", matthews(&predicted, right))),
                Task::Mrpc | Task::Qqp => figures.push(("f1", f1(&predicted, right))),
                Task::Classification => figures.push(("macro_f1", macro_f1(&predicted, right, labels))),
                _ => {}
            }
            figures
        }
        Targets::Values(right) => {
            let right: Vec<f64> = right.iter().map(|&value| value.into()).collect();
            let predicted: Vec<f64> = scores.iter().map(|scores| scores[0].into()).collect();
            let squares = predicted.iter().zip(&right).map(|(p, r)| (p - r) * (p - r)).sum::<f64>();
            vec![
                ("pearson", pearson(&predicted, &right)),
                ("spearman", spearman(&predicted, &right)),
                ("loss_squares", squares / right.len() as f64),
            ]
        }
        Targets::Spans(_) => {
            let none = Default::default();
            let reading = data.reading.as_ref().unwrap_or(&none);
            let (exact, f1) = exact_and_f1(reading, scores, config.null_threshold as f32);
            vec![("exact_match", exact), ("f1", f1)]
        }
        Targets::Tags(right) => tagged(scores, right, names),
        Targets::Sets(right) => {
            let chosen = |scores: &Vec<f32>| (0..labels as u32).filter(|&i| scores[i as usize] > 0.0).collect();
            let predicted: Vec<Vec<u32>> = scores.iter().map(chosen).collect();
            let exact = predicted.iter().zip(right).filter(|(p, r)| p == r).count() as f64 / right.len() as f64;
            vec![("micro_f1", micro_f1(&predicted, right)), ("exact", exact)]
        }
    };
    figures.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// Of labels of words: those of entities where the labels are such tags, and the share of right ones. A word that the model does not see
/// counts as one that is outside.
fn tagged(scores: &[Vec<f32>], right: &[Tags], names: &[String]) -> Vec<(&'static str, f64)> {
    let name = |label: usize| names[label].as_str();
    let said = |(scores, tags): (&Vec<f32>, &Tags)| -> Vec<&str> {
        let label = |token: u32| best(&scores[token as usize * names.len()..][..names.len()]);
        tags.places.iter().map(|place| place.map_or("O", |token| name(label(token)))).collect()
    };
    let said: Vec<Vec<&str>> = scores.iter().zip(right).map(said).collect();
    let right = right.iter().map(|tags| tags.labels.iter().map(|&label| name(label as usize)).collect());
    let right: Vec<Vec<&str>> = right.collect();
    let words = right.iter().map(Vec::len).sum::<usize>() as f64;
    let equal = said.iter().flatten().zip(right.iter().flatten()).filter(|(a, b)| a == b).count() as f64;
    let accuracy = ("accuracy", equal / words);
    if !names.iter().all(|name| is_tag(name)) {
        return vec![accuracy];
    }
    let count = Count::of(said.into_iter().zip(right));
    vec![("f1", count.f1()), ("precision", count.precision()), ("recall", count.recall()), accuracy]
}

/// The one number that a model is judged by, as in GLUE's tables: the mean where a task has two.
pub(super) fn main_score(task: Task, figures: &[(String, f64)]) -> f64 {
    let get = |name: &str| figures.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| *value);
    match task {
        Task::Cola => get("matthews"),
        Task::Mrpc | Task::Qqp => (get("f1") + get("accuracy")) / 2.0,
        Task::Stsb | Task::Regression => (get("pearson") + get("spearman")) / 2.0,
        Task::MultiLabel => get("micro_f1"),
        Task::Squad => get("f1"),
        Task::Tokens if figures.iter().any(|(name, _)| name == "f1") => get("f1"),
        _ => get("accuracy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_judged_by_their_first_token() {
        let tags = |labels: &[u32], places: &[Option<u32>]| Tags { labels: labels.to_vec(), places: places.to_vec() };
        // Scores of [CLS], three tokens, [SEP]; the second of them belongs to no word's beginning.
        let scores = |all: [usize; 3]| {
            let row = |label: usize| (0..3).map(move |i| if i == label { 1.0 } else { 0.0 });
            [9, all[0], all[1], all[2], 9].into_iter().flat_map(row).collect::<Vec<f32>>()
        };
        let names = ["B-X", "I-X", "O"].map(String::from);
        let all = [scores([0, 2, 1]), scores([2, 2, 0])];
        // Right: B I, where a word in between and one at the end are not seen; and O O, of which one is said to begin.
        let right = [tags(&[0, 1, 2], &[Some(1), Some(3), None]), tags(&[2, 2, 0], &[Some(1), Some(3), None])];
        let found = tagged(&all, &right, &names);
        assert_eq!(found, [("f1", 0.5), ("precision", 0.5), ("recall", 0.5), ("accuracy", 4.0 / 6.0)]);
        let figures: Vec<(String, f64)> = found.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        assert_eq!(main_score(Task::Tokens, &figures), 0.5);

        let names = ["NOUN", "VERB", "O"].map(String::from);
        let found = tagged(&all, &right, &names);
        assert_eq!(found, [("accuracy", 4.0 / 6.0)]);
        assert_eq!(main_score(Task::Tokens, &[("accuracy".into(), 0.25)]), 0.25);
    }
}

//! Questions about paragraphs.

use crate::support::{fails, train};
use crate::task::{VOCABULARY, write_model};
use crate::{finetune, json};
use distil_train::model::Architecture;
use serde_json::{Value, json};
use std::path::Path;

/// Paragraphs of random words; the answer is the one that praises, and some have none.
fn write(folder: &Path, name: &str, range: std::ops::Range<usize>, none: bool) -> String {
    let mut paragraphs = vec![];
    for i in range {
        let draw = |j: usize| (i * 31 + j).wrapping_mul(2_654_435_761) >> 9;
        let mut words: Vec<&str> = (0..4 + draw(0) % 5).map(|j| VOCABULARY[11 + draw(j + 1) % 8]).collect();
        let place = draw(20) % words.len();
        let answered = !none || i % 3 != 0;
        if answered {
            words[place] = VOCABULARY[5 + draw(21) % 3];
        }
        let start: usize = words[..place].iter().map(|word| word.len() + 1).sum();
        let answers = if answered { json!([{"text": words[place], "answer_start": start}]) } else { json!([]) };
        let asked = json!({"id": i.to_string(), "question": "was it", "answers": answers});
        paragraphs.push(json!({"context": words.join(" "), "qas": [asked]}));
    }
    let file = json!({"version": "2.0", "data": [{"title": "t", "paragraphs": paragraphs}]});
    std::fs::write(folder.join(name), file.to_string()).unwrap();
    folder.join(name).display().to_string()
}

#[test]
fn answers_are_learned_and_taught() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), "model", Architecture::Bert);
    write(folder.path(), "train-v2.0.json", 0..240, true);
    write(folder.path(), "dev-v2.0.json", 240..300, true);
    let data = folder.path().display().to_string();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (teacher, student) = (at("teacher"), at("student"));
    let more = [
        "--task",
        "squad",
        "--data",
        &data,
        "--max-length",
        "32",
        "--stride",
        "8",
        "--learning-rate",
        "5e-3",
        "--epochs",
        "12",
    ];
    let summary = finetune(&model, &teacher, &more);
    let figures = |summary: &Value| ["exact_match", "f1"].map(|name| summary["held_out"][name].as_f64().unwrap());
    assert!(figures(&summary).iter().all(|&value| value > 0.9), "{summary}");
    let config = |name: &str| json(&std::fs::read_to_string(folder.path().join(name).join("config.json")).unwrap());
    assert_eq!(config("teacher")["architectures"][0], "BertForQuestionAnswering");

    let taught =
        ["finetune", "--json", "--device", "cpu", "--teacher", &teacher, "-o", &student, "--student-layers", "1"];
    let summary = json(&train(&[&taught[..], &more].concat()));
    assert!(figures(&summary).iter().all(|&value| value > 0.9), "{summary}");
    assert_eq!(config("student")["architectures"][0], "DistilBertForQuestionAnswering");
    // So high a threshold that nothing is answered: right where there is no answer, a third of the questions.
    let silent = ["--model", &student, "-o", &at("silent"), "--null-threshold", "1e9", "--steps", "1"];
    let rest = ["--task", "squad", "--data", &data, "--max-length", "32", "--stride", "8", "--learning-rate", "1e-9"];
    let summary = json(&train(&[&["finetune", "--json", "--device", "cpu"], &silent[..], &rest].concat()));
    assert_eq!(figures(&summary), [20.0 / 60.0; 2]);

    let error = fails(1, &["finetune", "--teacher", &teacher, "--task", "sst2", "--data", &data, "-o", &at("x")]);
    assert!(error.contains("train"), "{error}");
    let long = ["--task", "squad", "--data", &data, "--max-length", "32"];
    let error = fails(1, &[&["finetune", "--model", &model, "-o", &at("x")], &long[..]].concat());
    assert!(error.contains("raise --max-length or lower --stride"), "{error}");
}

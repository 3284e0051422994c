//! A label for each word.

use crate::support::{fails, train};
use crate::task::{sentence, write_model};
use crate::{finetune, json, read};
use distil_train::model::Architecture;
use serde_json::Value;
use std::path::Path;

/// Words and tags of a sentence: praise and blame are entities, with `very` before them or not.
fn tagged(i: usize) -> Vec<(String, &'static str)> {
    let text = sentence(i).0;
    let mut before = false;
    let tag = |word: &str| {
        let kind = match word {
            "good" | "fine" | "great" => Some(["B-GOOD", "I-GOOD"]),
            "bad" | "poor" | "awful" => Some(["B-BAD", "I-BAD"]),
            _ => None,
        };
        let tag = match (word, kind) {
            ("very", _) => ["B-GOOD", "B-BAD"][1 - sentence(i).1],
            (_, Some([begin, inside])) => {
                if before {
                    inside
                } else {
                    begin
                }
            }
            _ => "O",
        };
        before = word == "very";
        tag
    };
    let tags: Vec<&str> = text.split(' ').map(tag).collect();
    text.split(' ').map(str::to_string).zip(tags).collect()
}

fn write_conll(folder: &Path, name: &str, range: std::ops::Range<usize>) {
    let mut text = "-DOCSTART- -X- O\n\n".to_string();
    for i in range {
        let lines: String = tagged(i).into_iter().map(|(word, tag)| format!("{word} X {tag}\n")).collect();
        text += &(lines + "\n");
    }
    std::fs::write(folder.join(name), text).unwrap();
}

/// The options of all runs.
fn options<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let rest = ["--task", "tokens", "--data", data, "--max-length", "32", "--learning-rate", "5e-3"];
    [&rest[..], more].concat()
}

#[test]
fn entities_are_learned_and_taught() {
    let folder = tempfile::tempdir().unwrap();
    write_conll(folder.path(), "train.txt", 0..200);
    write_conll(folder.path(), "valid.txt", 200..260);
    let data = folder.path().display().to_string();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let f1 = |summary: &Value| summary["held_out"]["f1"].as_f64().unwrap();
    for architecture in [Architecture::Bert, Architecture::DistilBert] {
        let name = format!("{architecture:?}");
        let (model, out) = (write_model(folder.path(), &name, architecture), at(&format!("out-{name}")));
        let summary = finetune(&model, &out, &options(&data, &["--epochs", "20"]));
        assert!(f1(&summary) > 0.9, "{summary}");
        assert_eq!(summary["held_out"]["score"], summary["held_out"]["f1"]);
        let config = json(&String::from_utf8(read(&Path::new(&out).join("config.json"))).unwrap());
        assert_eq!(config["architectures"][0], format!("{name}ForTokenClassification"));
        let labels = "{\"0\":\"B-BAD\",\"1\":\"B-GOOD\",\"2\":\"I-BAD\",\"3\":\"I-GOOD\",\"4\":\"O\"}";
        assert_eq!((&config["id2label"], &config["label2id"]["O"]), (&json(labels), &4.into()));
        let bytes = read(&Path::new(&out).join("model.safetensors"));
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("classifier.weight").unwrap().shape(), [5, 16]);
        assert!(!tensors.names().iter().any(|name| name.contains("pool") || name.contains("pre_classifier")));
        // It goes on with its own head: at a rate of nearly nothing it stays as good as it was.
        let again = ["--learning-rate", "1e-9", "--steps", "1"];
        let again = [&options(&data, &[])[..6], &again].concat();
        assert_eq!(f1(&finetune(&out, &at(&format!("again-{name}")), &again)), f1(&summary));
    }

    let teacher = at("out-Bert");
    let taught = ["finetune", "--json", "--device", "cpu", "--teacher", &teacher, "--alpha-hidden", "0.5"];
    let more = ["-o", &at("student"), "--student-layers", "1", "--epochs", "20", "--class-weights", "balanced"];
    let summary = json(&train(&[&taught[..], &options(&data, &more)].concat()));
    assert!(f1(&summary) > 0.9, "{summary}");
    let lines = String::from_utf8(read(&folder.path().join("student/metrics.jsonl"))).unwrap();
    let line = lines.lines().map(json).find(|line| line["loss"].is_f64()).unwrap();
    let parts = ["loss_labels", "loss_soft", "loss_hidden"].map(|name| line[name].as_f64().unwrap());
    let sum = 0.5 * parts.iter().sum::<f64>();
    assert!((line["loss"].as_f64().unwrap() - sum).abs() < 1e-4, "{line}");

    // Values of the packed file, several seeds, and a stop: to the same bytes.
    let more = ["-o", &at("seeds"), "--seeds", "1,2", "--steps", "6", "--qat", "int4", "--checkpoint-every", "2"];
    let summary = json(&train(&[&taught[..], &options(&data, &more)].concat()));
    assert_eq!(summary["seeds"].as_array().unwrap().len(), 2);
    let seed = folder.path().join("seeds/seed-2");
    let weights = read(&seed.join("model.safetensors"));
    for path in ["summary.json", "seed-2/summary.json", "seed-2/model.safetensors", "model.safetensors"] {
        std::fs::remove_file(folder.path().join("seeds").join(path)).unwrap();
    }
    std::fs::remove_dir_all(seed.join("checkpoints/step-6")).ok();
    train(&["resume", &at("seeds")]);
    assert!(read(&seed.join("model.safetensors")) == weights);

    // A teacher for something else is refused.
    let other = ["--task", "sst2", "--train", &at("valid.txt"), "-o", &at("x")];
    let error = fails(1, &[&taught[..], &other].concat());
    assert!(error.contains("it is a classifier of tokens; name a model that was fine-tuned for SST-2"), "{error}");
}

#[test]
fn labels_of_other_kinds_and_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), "model", Architecture::Bert);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let lines = |range: std::ops::Range<usize>| -> String {
        let line = |i: usize| {
            let (words, tags): (Vec<_>, Vec<_>) = tagged(i).into_iter().map(|(w, t)| (w, &t[..1])).unzip();
            serde_json::json!({"tokens": words, "tags": tags}).to_string() + "\n"
        };
        range.map(line).collect()
    };
    std::fs::write(at("train.jsonl"), lines(0..100)).unwrap();
    std::fs::write(at("dev.jsonl"), lines(100..140)).unwrap();
    let data = folder.path().display().to_string();
    let summary = finetune(&model, &at("out"), &options(&data, &["--epochs", "20"]));
    assert!(summary["held_out"]["accuracy"].as_f64().unwrap() > 0.9, "{summary}");
    assert_eq!(summary["held_out"]["score"], summary["held_out"]["accuracy"]);
    assert!(summary["held_out"]["f1"].is_null());

    let refused = |name: &str, text: &str, words: &str| {
        std::fs::write(at(name), text).unwrap();
        let more = ["finetune", "--model", &model, "--dev", &at(name), "-o", &at("x")];
        let error = fails(1, &[&more[..], &options(&data, &[])].concat());
        assert!(error.contains(words) && error.contains(name), "{error}");
    };
    refused("a.conll", "the O\nfilm\n", "line 2: the word `film` has no label; each line is a word");
    refused("b.conll", "the O\nfilm X\n", "line 2: `X` is no label of the task (B, I, O)");
    refused("c.conll", "\n", "no sentence in it");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let more = ["finetune", "--model", &model, "-o", &at("x")];
    let error = fails(1, &[&more[..], &options(&empty.display().to_string(), &[])].concat());
    assert!(error.contains("no train.conll, train.txt or train.jsonl in it; name the file with --train"), "{error}");
}

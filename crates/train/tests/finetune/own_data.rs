//! Data of one's own, and what is wrong with it.

use crate::support::fails;
use crate::task::{sentence, write_model, write_sst2};
use crate::{finetune, json};
use distil_train::model::Architecture;

#[test]
fn regression_and_several_labels() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), "model", Architecture::Bert);
    let (mut scores, mut tags) = ("first,second,how\n".to_string(), String::new());
    for i in 0..300 {
        let (text, praise) = sentence(i);
        let (other, like) = sentence(7 * i + 3);
        scores += &format!("{text},\"{other}\",{}\n", if praise == like { 4.5 } else { 0.5 });
        let film = if text.contains("film") { vec!["film"] } else { vec![] };
        let all = [film, if praise == 1 { vec!["praise"] } else { vec![] }].concat();
        tags += &serde_json::json!({"text": text, "label": all}).to_string();
        tags.push('\n');
    }
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let (pairs, tags) = (write("pairs.csv", &scores), write("tags.jsonl", &tags));
    let out = folder.path().join("pairs").display().to_string();
    let columns = ["--text-column", "first", "--pair-column", "second", "--label-column", "how"];
    let more = [
        "--max-length",
        "32",
        "--task",
        "regression",
        "--train",
        &pairs,
        "--dev",
        &pairs,
        "--learning-rate",
        "3e-3",
        "--epochs",
        "60",
    ];
    let summary = finetune(&model, &out, &[&more[..], &columns].concat());
    assert!(summary["held_out"]["pearson"].as_f64().unwrap() > 0.8, "{summary}");
    let config = json(&std::fs::read_to_string(folder.path().join("pairs/config.json")).unwrap());
    assert_eq!((&config["problem_type"], config["id2label"].as_object().unwrap().len()), (&"regression".into(), 1));

    let out = folder.path().join("tags").display().to_string();
    let more = [
        "--max-length",
        "32",
        "--task",
        "multi-label",
        "--train",
        &tags,
        "--dev",
        &tags,
        "--learning-rate",
        "3e-3",
        "--epochs",
        "30",
    ];
    let summary = finetune(&model, &out, &more);
    assert!(summary["held_out"]["micro_f1"].as_f64().unwrap() > 0.85, "{summary}");
    let config = json(&std::fs::read_to_string(folder.path().join("tags/config.json")).unwrap());
    assert_eq!(config["problem_type"], "multi_label_classification");
    assert_eq!(config["id2label"], json("{\"0\": \"film\", \"1\": \"praise\"}"));
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_sst2(folder.path(), 20);
    let model = write_model(folder.path(), "model", Architecture::Bert);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let base = ["finetune", "--model", &model, "-o", &at("out"), "--task", "sst2"];
    for (more, words) in [
        (vec!["--data", &at("nowhere")[..]], "no such folder; name the folder with the task's files"),
        (vec!["--data", &at("model")[..]], "no train.tsv, train.csv or train.jsonl in it; name the file with --train"),
        (
            vec!["--data", &data, "--max-length", "64"],
            "it has 32 positions, --max-length is more; pass --max-length 32",
        ),
        (vec!["--data", &data, "--max-length", "32", "--class-weights", "1,2,3"], "3 weights for 2 labels"),
        (vec!["--data", &data, "--text-column", "words"], "no column `words`"),
        (vec!["--data", &data, "--max-length", "32", "--qat-start", "0.5"], "add --qat"),
        (vec!["--data", &data, "--seeds", "1,1"], "--seeds names 1 twice"),
    ] {
        let error = fails(1, &[&base[..], &more].concat());
        assert!(error.contains(words), "{more:?}: {error}");
    }
    let error = fails(2, &["finetune", "--task", "sst2", "--data", &data, "-o", &at("out")]);
    assert!(error.contains("--model"), "{error}");
    for taught in [["--alpha", "0.5"], ["--augment", "2"]] {
        let error = fails(2, &[&base[..], &["--data", &data], &taught].concat());
        assert!(error.contains("--teacher"), "{error}");
    }
}

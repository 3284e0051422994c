//! Fine-tuning through the command line: it learns, goes on after a stop with the same bits, and says what is wrong.

#[path = "finetune/glue.rs"]
mod glue;
#[path = "finetune/own_data.rs"]
mod own_data;
#[path = "finetune/reading.rs"]
mod reading;
mod support;
#[path = "support/task.rs"]
mod task;
#[path = "finetune/words.rs"]
mod words;

use distil_train::model::Architecture;
use serde_json::Value;
use std::path::Path;
use support::{fails, train};
use task::{write_model, write_sst2};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The options of all runs.
fn finetune(model: &str, out: &str, more: &[&str]) -> Value {
    json(&train(&[&["finetune", "--json", "--model", model, "-o", out, "--device", "cpu"], more].concat()))
}

#[test]
fn it_learns_and_the_folder_is_what_transformers_has() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_sst2(folder.path(), 300);
    for architecture in [Architecture::Bert, Architecture::DistilBert] {
        let model = write_model(folder.path(), &format!("{architecture:?}"), architecture);
        let out = folder.path().join(format!("out-{architecture:?}"));
        let path = out.display().to_string();
        let more =
            ["--max-length", "32", "--task", "sst2", "--data", &data, "--learning-rate", "3e-3", "--epochs", "12"];
        let summary = finetune(&model, &path, &more);
        let accuracy = summary["held_out"]["accuracy"].as_f64().unwrap();
        assert!(accuracy >= 0.95, "{architecture:?}: {summary}");
        assert_eq!(summary["held_out"]["score"], summary["held_out"]["accuracy"]);

        let config = json(&String::from_utf8(read(&out.join("config.json"))).unwrap());
        let bert = architecture == Architecture::Bert;
        let class = if bert { "BertForSequenceClassification" } else { "DistilBertForSequenceClassification" };
        assert_eq!(config["architectures"][0], class);
        assert_eq!(config["id2label"]["1"], "positive");
        assert_eq!(config["label2id"]["negative"], 0);
        assert_eq!(config["problem_type"], "single_label_classification");
        let bytes = read(&out.join("model.safetensors"));
        let names = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let pooler = if bert { "bert.pooler.dense.weight" } else { "pre_classifier.weight" };
        for name in ["classifier.weight", "classifier.bias", pooler] {
            assert!(names.tensor(name).is_ok(), "no {name}");
        }
        let lines = String::from_utf8(read(&out.join("metrics.jsonl"))).unwrap();
        let lines: Vec<Value> = lines.lines().map(json).collect();
        let judged: Vec<f64> = lines.iter().filter_map(|line| line["held_out"]["accuracy"].as_f64()).collect();
        assert_eq!(judged.len(), 12, "once an epoch");
        assert!(lines[0]["loss_labels"].is_f64() && lines[0]["loss_soft"].is_null());

        // The model goes on with its own head: at a rate of nearly nothing it stays as good as it was.
        let again = folder.path().join(format!("again-{architecture:?}")).display().to_string();
        let more = ["--max-length", "32", "--task", "sst2", "--data", &data, "--learning-rate", "1e-9", "--steps", "1"];
        assert_eq!(finetune(&path, &again, &more)["held_out"]["accuracy"], accuracy);
    }
}

#[test]
fn a_student_learns_from_its_teacher() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_sst2(folder.path(), 300);
    let model = write_model(folder.path(), "model", Architecture::Bert);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (teacher, student) = (at("teacher"), at("student"));
    let more = ["--max-length", "32", "--task", "sst2", "--data", &data, "--learning-rate", "3e-3", "--epochs", "12"];
    finetune(&model, &teacher, &more);
    let taught =
        ["finetune", "--json", "--device", "cpu", "--teacher", &teacher, "-o", &student, "--alpha-hidden", "0.5"];
    let taught = [&taught[..], &["--alpha-attention", "0.25"]].concat();
    let summary = json(&train(&[&taught[..], &["--student-layers", "1"], &more].concat()));
    assert!(summary["held_out"]["accuracy"].as_f64().unwrap() >= 0.95, "{summary}");
    let config = json(&std::fs::read_to_string(folder.path().join("student/config.json")).unwrap());
    assert_eq!((&config["model_type"], &config["n_layers"]), (&Value::from("distilbert"), &Value::from(1)));
    let line =
        json(std::fs::read_to_string(folder.path().join("student/metrics.jsonl")).unwrap().lines().next().unwrap());
    let parts = ["loss_labels", "loss_soft", "loss_hidden", "loss_attention"].map(|name| line[name].as_f64().unwrap());
    let sum = 0.5 * parts[0] + 0.5 * parts[1] + 0.5 * parts[2] + 0.25 * parts[3];
    assert!((line["loss"].as_f64().unwrap() - sum).abs() < 1e-4, "{line}");

    // A teacher for something else is refused.
    let labels = folder.path().join("own.csv");
    std::fs::write(&labels, "text,label\nthe film,a\na story,b\nvery bad,c\n").unwrap();
    let labels = labels.display().to_string();
    let error = fails(
        1,
        &[
            "finetune",
            "--teacher",
            &teacher,
            "--max-length",
            "32",
            "--task",
            "regression",
            "--train",
            &labels,
            "-o",
            &at("other"),
        ],
    );
    assert!(error.contains("it is a classifier of texts; name a model that was fine-tuned for regression"), "{error}");
    let error = fails(
        1,
        &[
            "finetune",
            "--teacher",
            &teacher,
            "--max-length",
            "32",
            "--task",
            "classification",
            "--train",
            &labels,
            "-o",
            &at("other"),
        ],
    );
    assert!(error.contains("line 2: `a` is no label of the task (negative, positive)"), "{error}");
}

#[test]
fn it_goes_on_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_sst2(folder.path(), 100);
    let model = write_model(folder.path(), "model", Architecture::Bert);
    let more = [
        "--max-length",
        "32",
        "--task",
        "sst2",
        "--data",
        &data,
        "--learning-rate",
        "1e-3",
        "--steps",
        "11",
        "--batch-size",
        "10",
        "--eval-every",
        "4",
        "--log-every",
        "3",
        "--checkpoint-every",
        "3",
        "--keep",
        "9",
        "--class-weights",
        "balanced",
    ];
    let at = |name: &str| folder.path().join(name);
    goes_on(&model, &more, &at("whole"), &at("cut"));
    // With variants of the texts, for which the first run's result is the teacher.
    let teacher = at("whole").display().to_string();
    let taught = ["--teacher", &teacher, "--augment", "2"];
    goes_on(&model, &[&more[..], &taught].concat(), &at("taught"), &at("taught-cut"));
    assert_ne!(read(&at("taught/model.safetensors")), read(&at("whole/model.safetensors")));
}

/// Runs twice, and goes on with the second run from each of its checkpoints.
fn goes_on(model: &str, more: &[&str], whole: &Path, cut: &Path) {
    for out in [whole, cut] {
        finetune(model, out.to_str().unwrap(), more);
    }
    let weights = read(&whole.join("model.safetensors"));
    assert!(weights == read(&cut.join("model.safetensors")), "the same run twice");
    for newest in [9, 6, 3] {
        for name in ["summary.json", "model.safetensors"] {
            std::fs::remove_file(cut.join(name)).unwrap();
        }
        for entry in std::fs::read_dir(cut.join("checkpoints")).unwrap() {
            let path = entry.unwrap().path();
            let step =
                path.file_name().unwrap().to_str().unwrap().strip_prefix("step-").map(|n| n.parse::<u32>().unwrap());
            if step.is_some_and(|step| step > newest) {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
        train(&["resume", cut.to_str().unwrap()]);
        assert!(weights == read(&cut.join("model.safetensors")), "from step {newest}");
        let lines = |run: &Path| -> Vec<Value> {
            let timeless = |line: &str| {
                let mut line = json(line);
                line.as_object_mut().unwrap().retain(|key, _| key != "seconds" && key != "tokens_per_second");
                line
            };
            String::from_utf8(read(&run.join("metrics.jsonl"))).unwrap().lines().map(timeless).collect()
        };
        assert_eq!(lines(cut), lines(whole));
    }
}

#[test]
fn the_best_model_is_written_and_patience_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_sst2(folder.path(), 100);
    let model = write_model(folder.path(), "model", Architecture::DistilBert);
    let out = folder.path().join("out");
    // So high a rate that what was learned is lost again.
    let more = [
        "--max-length",
        "32",
        "--task",
        "sst2",
        "--data",
        &data,
        "--learning-rate",
        "0.03",
        "--steps",
        "400",
        "--eval-every",
        "5",
        "--patience",
        "3",
        "--warmup",
        "0.5",
    ];
    let summary = finetune(&model, out.to_str().unwrap(), &more);
    let (steps, best) = (summary["steps"].as_u64().unwrap(), summary["best_step"].as_u64().unwrap());
    assert_eq!(steps, best + 15, "{summary}");
    let lines = String::from_utf8(read(&out.join("metrics.jsonl"))).unwrap();
    let judged: Vec<(u64, f64)> = lines
        .lines()
        .map(json)
        .filter_map(|line| Some((line["step"].as_u64()?, line["held_out"]["score"].as_f64()?)))
        .collect();
    let highest = judged.iter().map(|(_, score)| *score).fold(0.0, f64::max);
    assert_eq!(judged.iter().find(|(_, score)| *score == highest).unwrap().0, best);
    assert_eq!(summary["held_out"]["score"], highest, "the figures are those of the model that is written");
    // It is that model indeed.
    let again = folder.path().join("again").display().to_string();
    let more = [
        "--max-length",
        "32",
        "--task",
        "sst2",
        "--data",
        &data,
        "--learning-rate",
        "1e-12",
        "--steps",
        "1",
        "--dropout",
        "0",
    ];
    assert_eq!(finetune(out.to_str().unwrap(), &again, &more)["held_out"]["score"], highest);
}

#[test]
fn several_seeds_and_their_spread() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_sst2(folder.path(), 60);
    let model = write_model(folder.path(), "model", Architecture::Bert);
    let out = folder.path().join("out");
    let path = out.display().to_string();
    let more = [
        "--max-length",
        "32",
        "--task",
        "sst2",
        "--data",
        &data,
        "--learning-rate",
        "1e-3",
        "--steps",
        "6",
        "--seeds",
        "1,2,3",
    ];
    let summary = finetune(&model, &path, &more);
    let mut scores: Vec<f64> =
        summary["seeds"].as_array().unwrap().iter().map(|run| run["held_out"]["score"].as_f64().unwrap()).collect();
    let best = scores.iter().position(|&s| s == scores.iter().copied().fold(0.0, f64::max)).unwrap() + 1;
    scores.sort_by(f64::total_cmp);
    assert_eq!(summary["score"]["median"], scores[1]);
    assert_eq!(summary["best_seed"], best);
    let of = |path: &Path| read(&path.join("model.safetensors"));
    assert!(of(&out) == of(&out.join(format!("seed-{best}"))));
    assert!(of(&out.join("seed-1")) != of(&out.join("seed-2")));
    // One that was cut short goes on; those that are finished stay.
    std::fs::remove_file(out.join("summary.json")).unwrap();
    std::fs::remove_file(out.join("seed-2/summary.json")).unwrap();
    let again = json(train(&["resume", &path]).lines().last().unwrap());
    assert_eq!(again, summary);
}

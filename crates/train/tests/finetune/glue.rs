//! Teacher and student on tasks of GLUE, and the table of what is retained.

use super::support::{fails, train};
use super::task::{sentence, write_model, write_sst2};
use super::{json, read};
use distil_train::model::Architecture;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// CoLA's files have no header: source, label, mark, sentence.
fn write_cola(folder: &Path) {
    let path = folder.join("CoLA");
    std::fs::create_dir_all(&path).unwrap();
    for (name, range) in [("train.tsv", 0..60), ("dev.tsv", 60..100)] {
        let mut text = String::new();
        for (sentence, label) in range.map(sentence) {
            writeln!(text, "toy\t{label}\t\t{sentence}").unwrap();
        }
        std::fs::write(path.join(name), text).unwrap();
    }
}

/// The STS benchmark's: no header; genre, file, year, number, score, two sentences. Nothing correlates with held-out scores that are
/// all the same.
fn write_stsb(folder: &Path) {
    let path = folder.join("STS-B");
    std::fs::create_dir_all(&path).unwrap();
    for (name, range) in [("train.tsv", 0..60), ("dev.tsv", 60..80)] {
        let mut text = String::new();
        for i in range {
            let score = if name == "dev.tsv" { 3 } else { i % 6 };
            writeln!(text, "toy\tx\t2012\t{i}\t{score}\t{}\t{}", sentence(i).0, sentence(i + 7).0).unwrap();
        }
        std::fs::write(path.join(name), text).unwrap();
    }
}

#[test]
fn the_table_is_that_of_the_runs_and_a_cut_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    write_sst2(folder.path(), 60);
    write_cola(folder.path());
    write_stsb(folder.path());
    let data = folder.path().display().to_string();
    let teacher = write_model(folder.path(), "bert", Architecture::Bert);
    let student = write_model(folder.path(), "distilbert", Architecture::DistilBert);
    let out = folder.path().join("out");
    let path = out.display().to_string();
    let start = ["glue", "--teacher", &teacher, "--student", &student, "--data", &data, "-o", &path, "--device", "cpu"];
    let more = ["--distill", "--seeds", "1,2", "--steps", "20", "--max-length", "32", "--json"];
    let tasks = ["--tasks", "cola,sst2,rte,stsb", "--learning-rate", "3e-3"];
    let all = [&start[..], &more, &tasks].concat();
    let table = json(&train(&all));

    let rows = table["tasks"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["task"].as_str().unwrap()).collect();
    assert_eq!(names, ["CoLA", "SST-2", "STS-B"]);
    assert_eq!((&rows[2]["student"]["scores"][0], &rows[2]["student"]["score"]), (&Value::Null, &Value::Null));
    assert_eq!((&table["left_out"][0]["task"], table["left_out"].as_array().unwrap().len()), (&"RTE".into(), 1));
    for (row, task) in rows.iter().zip(["cola", "sst2"]) {
        for model in ["teacher", "student"] {
            let run = out.join(task).join(model);
            let summary = json(&String::from_utf8(read(&run.join("summary.json"))).unwrap());
            assert_eq!(row[model]["score"], summary["score"], "{task} {model}");
            assert_eq!(row[model]["seeds"], serde_json::json!([1, 2]));
            let bytes = std::fs::metadata(run.join("model.safetensors")).unwrap().len();
            assert_eq!(row[model]["size"]["bytes"], bytes);
        }
    }
    let median = |row: usize, model: &str| rows[row][model]["score"]["median"].as_f64().unwrap();
    for model in ["teacher", "student"] {
        let mean = (median(0, model) + median(1, model)) / 2.0;
        assert!((table["macro"][model].as_f64().unwrap() - mean).abs() < 1e-12);
    }
    assert!(median(1, "teacher") > 0.0, "it learned nothing: {table}");
    let lines = read(&out.join("sst2/student/seed-1/metrics.jsonl"));
    assert!(String::from_utf8(lines).unwrap().contains("\"loss_soft\""), "the student has no teacher");
    let written = read(&out.join("glue.json"));
    assert_eq!(json(std::str::from_utf8(&written).unwrap()), table);
    let text = String::from_utf8(read(&out.join("glue.md"))).unwrap();
    assert!(text.contains("| STS-B | undefined | undefined | undefined |"), "{text}");
    assert!(text.contains("STS-B is not in the average"), "{text}");
    let page = String::from_utf8(read(&out.join("glue.html"))).unwrap();
    assert!(page.contains("color-scheme:light dark") && !page.contains("http:") && !page.contains("https:"));

    // Said once more, it refuses and leaves everything as it is.
    let error = fails(1, &all);
    assert!(error.contains("runs of `train glue` in it already; go on with them by --resume"), "{error}");
    assert!(read(&out.join("glue.json")) == written && out.join("glue.html").exists() && out.join("glue.md").exists());

    // Cut short within the last run: what is finished stays, the rest is computed again, to the same bytes.
    let finished = out.join("cola/teacher/seed-1/model.safetensors");
    let time = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
    let before = time(&finished);
    for name in ["glue.json", "glue.md", "sst2/student/summary.json", "sst2/student/seed-2/summary.json"] {
        std::fs::remove_file(out.join(name)).unwrap();
    }
    train(&["resume", &path]);
    assert!(read(&out.join("glue.json")) == written);
    assert_eq!(time(&finished), before);

    // Other words for the same paths are the same options.
    let there = |path: &str| format!("{path}/../{}", Path::new(path).file_name().unwrap().to_str().unwrap());
    let (there_teacher, there_data) = (there(&teacher), there(&data));
    let mut same = [&all[..], &["--resume"]].concat();
    (same[2], same[6]) = (&there_teacher, &there_data);
    assert_eq!(json(&train(&same))["tasks"], table["tasks"]);
    assert_eq!(time(&finished), before);

    // The runs of other options are not mixed with these.
    let other = [&start[..], &more, &["--tasks", "sst2", "--learning-rate", "1e-3", "--resume"]].concat();
    let error = fails(1, &other);
    assert!(error.contains("other options"), "{error}");
    // Started again with them and cut short at once, it takes none of the old runs for its own.
    let again = [&all[..all.len() - 1], &["1e-3", "--overwrite", "--checkpoint-every", "0"]].concat();
    std::fs::write(Path::new(&data).join("CoLA/dev.tsv"), "toy\tnone\t\ta film\n").unwrap();
    fails(1, &again);
    assert!(!out.join("glue.json").exists() && !out.join("sst2/student/seed-2/summary.json").exists());
    let none = [&start[..], &more, &["--tasks", "rte"], &tasks[2..], &["--resume"]].concat();
    assert!(fails(1, &none).contains("no data of any of the tasks"));
}

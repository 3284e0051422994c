//! Teacher and student on tasks of GLUE, and the table of what is retained.

use super::support::{fails, train};
use super::task::{sentence, write_model, write_sst2};
use super::{json, read};
use distil_train::model::Architecture;
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

#[test]
fn the_table_is_that_of_the_runs_and_a_cut_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    write_sst2(folder.path(), 60);
    write_cola(folder.path());
    let data = folder.path().display().to_string();
    let teacher = write_model(folder.path(), "bert", Architecture::Bert);
    let student = write_model(folder.path(), "distilbert", Architecture::DistilBert);
    let out = folder.path().join("out");
    let path = out.display().to_string();
    let start = ["glue", "--teacher", &teacher, "--student", &student, "--data", &data, "-o", &path, "--device", "cpu"];
    let more = ["--distill", "--seeds", "1,2", "--steps", "20", "--max-length", "32", "--json"];
    let tasks = ["--tasks", "cola,sst2,rte", "--learning-rate", "3e-3"];
    let all = [&start[..], &more, &tasks].concat();
    let table = json(&train(&all));

    let rows = table["tasks"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["task"].as_str().unwrap()).collect();
    assert_eq!(names, ["CoLA", "SST-2"]);
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
    let page = String::from_utf8(read(&out.join("glue.html"))).unwrap();
    assert!(page.contains("color-scheme:light dark") && !page.contains("http:") && !page.contains("https:"));

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

    // The runs of other options are not mixed with these.
    let other = [&start[..], &more, &["--tasks", "sst2", "--learning-rate", "1e-3", "--resume"]].concat();
    let error = fails(1, &other);
    assert!(error.contains("other options"), "{error}");
    let none = [&start[..], &more, &["--tasks", "rte"], &tasks[2..], &["--resume"]].concat();
    assert!(fails(1, &none).contains("no data of any of the tasks"));
}

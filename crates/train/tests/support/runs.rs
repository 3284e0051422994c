//! Runs of one small recipe, and what they leave behind.
#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::support::train;
use crate::text;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Steps of every run.
pub(crate) const STEPS: usize = 60;

/// A folder with prepared text, a teacher, and `whole`: a run that nothing disturbed.
pub(crate) fn workshop() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            text::write(folder.path(), 700);
            let at = |name: &str| folder.path().join(name).display().to_string();
            let (text, vocab, data, teacher) = (at("text.txt"), at("vocab.txt"), at("data"), at("teacher"));
            train(&["prepare", "--text", &text, "--vocab", &vocab, "-o", &data, "--held-out-every", "20"]);
            let shape = ["--layers", "2", "--hidden", "16", "--heads", "2", "--max-positions", "512"];
            let arguments = ["pretrain", "--preset", "tiny", "--data", &data, "-o", &teacher, "--steps", "20"];
            train(&[&arguments[..], &shape].concat());
            let narrow = r#"{"model_type": "distilbert", "vocab_size": 30, "dim": 8, "n_layers": 1, "n_heads": 2,
                "hidden_dim": 16, "max_position_embeddings": 512}"#;
            std::fs::write(at("narrow.json"), narrow).unwrap();
            let whole = folder.path().join("whole");
            succeeds(&mut command_in(folder.path(), &whole, &[]));
            folder
        })
        .path()
}

/// A run with dropout, accumulation, several epochs, evaluations, checkpoints that do not fall on lines of metrics, and tensors
/// that are trained but no part of the student. `more` adds options and replaces their values.
fn command_in(folder: &Path, out: &Path, more: &[&str]) -> Command {
    let at = |name: &str| folder.join(name).display().to_string();
    let (config, teacher, data, out) = (at("narrow.json"), at("teacher"), at("data"), out.display().to_string());
    let steps = STEPS.to_string();
    let options = [
        ("--preset", "tiny"),
        ("--device", "cpu"),
        ("--hidden-mismatch", "project"),
        ("--dropout", "0.1"),
        ("--accumulation", "2"),
        ("--batch-size", "20"),
        ("--log-every", "4"),
        ("--eval-every", "25"),
        ("--eval-sequences", "10"),
        ("--checkpoint-every", "7"),
        ("--steps", &steps),
        ("--student-config", &config),
        ("--teacher", &teacher),
        ("--data", &data),
        ("-o", &out),
    ];
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("train"));
    command.args(["distill", "--json"]);
    for (option, value) in options.iter().filter(|(option, _)| !more.contains(option)) {
        command.args([option, value]);
    }
    command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same in the workshop.
pub(crate) fn command(out: &Path, more: &[&str]) -> Command {
    command_in(workshop(), out, more)
}

/// Standard output and standard error of a command that succeeds.
pub(crate) fn succeeds(command: &mut Command) -> (String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let errors = text(output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    (text(output.stdout), errors)
}

/// Exit code and standard error.
pub(crate) fn ends(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    (output.status.code().expect("an exit code"), String::from_utf8(output.stderr).unwrap())
}

/// Lines of metrics without what depends on the clock.
pub(crate) fn metrics(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let timeless = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let line = line.as_object_mut().unwrap();
        line.remove("seconds");
        line.remove("tokens_per_second");
        Value::from(line.clone())
    };
    text.lines().map(timeless).collect()
}

/// Fails unless `run` has the same weights, metrics and results as the run that nothing disturbed.
pub(crate) fn same_as_whole(run: &Path) {
    let whole = workshop().join("whole");
    assert_eq!(metrics(run), metrics(&whole), "{}", run.display());
    let weights = |run: &Path| std::fs::read(run.join("model.safetensors")).unwrap();
    assert!(weights(run) == weights(&whole), "{}: other weights", run.display());
    let summary = |run: &Path| -> Value {
        let mut summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
        let fields = summary.as_object_mut().unwrap();
        fields.remove("seconds");
        fields.remove("tokens_per_second");
        summary
    };
    assert_eq!(summary(run), summary(&whole));
}

pub(crate) fn checkpoints(run: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(run.join("checkpoints")) else {
        return vec![];
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("step-") && !name.contains('.')).collect();
    names.sort();
    names
}

//! Wrong input: every message names the file, the reason and the next step, without a backtrace.

mod support;
#[path = "support/text.rs"]
mod text;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::{Path, PathBuf};
use support::{fails, shared, train};

fn mentions(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

/// Changes a tensor's bytes and shape by name; false leaves it out.
type Change<'a> = &'a dyn Fn(&str, &mut Vec<u8>, &mut Vec<usize>) -> bool;

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        text::write(folder.path(), 200);
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn prepare(&self, out: &str) {
        train(&[
            "prepare",
            "--text",
            &self.text("text.txt"),
            "--vocab",
            &self.text("vocab.txt"),
            "-o",
            &self.text(out),
            "--max-length",
            "32",
            "--held-out-every",
            "20",
        ]);
    }

    fn teacher(&self) {
        train(&[
            "pretrain",
            "--preset",
            "tiny",
            "--layers",
            "2",
            "--hidden",
            "16",
            "--heads",
            "2",
            "--steps",
            "2",
            "--data",
            &self.text("data"),
            "-o",
            &self.text("teacher"),
        ]);
    }
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    mentions(&fails(2, &["distill"]), &["--teacher"]);
    mentions(&fails(2, &["eval", "--modle", "x"]), &["--model"]);
    for verb in ["prepare", "pretrain", "distill", "eval", "step"] {
        assert!(train(&[verb, "--help"]).contains("Usage: train"));
    }
}

#[test]
fn prepare() {
    let bench = Bench::new();
    let (text, vocab, out) = (bench.text("text.txt"), bench.text("vocab.txt"), bench.text("out"));
    let missing = bench.text("missing.txt");
    let error = fails(1, &["prepare", "--text", &missing, "--vocab", &vocab, "-o", &out]);
    mentions(&error, &["missing.txt", "no such file", "check the path"]);
    let error = fails(1, &["prepare", "--text", &text, "--vocab", &text, "-o", &out]);
    mentions(&error, &["text.txt", "vocab.txt"]);
    let error = fails(
        1,
        &["prepare", "--text", &text, "--vocab", &vocab, "-o", &out, "--min-length", "40", "--max-length", "64"],
    );
    mentions(&error, &["no training text is left", "200 pieces", "--min-length"]);
    let error = fails(1, &["prepare", "--text", &text, "--vocab", &vocab, "-o", &out, "--max-length", "2"]);
    mentions(&error, &["--max-length"]);
}

#[test]
fn pretrain_and_eval() {
    let bench = Bench::new();
    let (data, out) = (bench.text("data"), bench.text("teacher"));
    let error = fails(1, &["pretrain", "--data", &data, "-o", &out]);
    mentions(&error, &["data", "no such folder", "train prepare"]);
    bench.prepare("data");
    let error =
        fails(1, &["pretrain", "--preset", "tiny", "--hidden", "30", "--heads", "4", "--data", &data, "-o", &out]);
    mentions(&error, &["30", "4 heads"]);
    let error = fails(1, &["pretrain", "--preset", "tiny", "--max-positions", "16", "--data", &data, "-o", &out]);
    mentions(&error, &["32 tokens", "16 positions", "--max-length 16"]);
    let error = fails(1, &["pretrain", "--preset", "tiny", "--learning-rate", "0", "--data", &data, "-o", &out]);
    mentions(&error, &["learning rate"]);
    // A learning rate that blows up.
    let mut arguments = vec!["pretrain", "--preset", "tiny", "--layers", "1", "--hidden", "16", "--heads", "2"];
    arguments.extend(["--learning-rate", "1e30", "--warmup", "0", "--steps", "50", "--data", &data, "-o", &out]);
    mentions(&fails(1, &arguments), &["at step", "diverged", "--learning-rate"]);
    bench.teacher();
    mentions(&fails(1, &arguments), &["a model in it already", "--overwrite"]);
    // No held-out text.
    train(&[
        "prepare",
        "--text",
        &bench.text("text.txt"),
        "--vocab",
        &bench.text("vocab.txt"),
        "-o",
        &bench.text("bare"),
        "--max-length",
        "32",
    ]);
    let error = fails(1, &["eval", "--model", &out, "--data", &bench.text("bare")]);
    mentions(&error, &["bare", "no held-out text", "--held-out"]);
}

#[test]
fn teacher_and_data_that_do_not_fit() {
    let bench = Bench::new();
    bench.prepare("data");
    bench.teacher();
    let (teacher, out) = (bench.text("teacher"), bench.text("student"));
    let distill = |data: &str, more: &[&str]| {
        let mut arguments = vec!["distill", "--preset", "tiny", "--teacher", &teacher, "--data", data, "-o", &out];
        arguments.extend(more);
        fails(1, &arguments)
    };
    // The same size, two entries exchanged: only the content tells.
    let vocabulary = std::fs::read_to_string(bench.path("vocab.txt")).unwrap();
    let swapped = vocabulary.replace("red\ngreen", "green\nred");
    assert_ne!(swapped, vocabulary);
    std::fs::write(bench.path("vocab.txt"), swapped).unwrap();
    bench.prepare("swapped");
    mentions(
        &distill(&bench.text("swapped"), &[]),
        &["teacher", "2 entries differ", "`red` against `green`", "train prepare"],
    );
    std::fs::write(bench.path("vocab.txt"), vocabulary.clone() + "extra\n").unwrap();
    bench.prepare("larger");
    mentions(&distill(&bench.text("larger"), &[]), &["30 entries", "31", "train prepare"]);
    let data = bench.text("data");
    mentions(&distill(&data, &["--layer-map", "0,5"]), &["layer 5", "0 to 1"]);
    mentions(&distill(&data, &["--student-layers", "3"]), &["--student-layers is 3"]);
    mentions(&distill(&data, &["--alpha-ce", "0", "--alpha-mlm", "0", "--alpha-cos", "0"]), &["weights are 0"]);
    mentions(&distill(&data, &["--temperature", "0"]), &["temperature"]);
    // Altered after preparation.
    std::fs::write(bench.path("data/vocab.txt"), vocabulary + "extra\n").unwrap();
    mentions(&distill(&data, &[]), &["vocab.txt", "prepared with"]);
}

#[test]
fn model_folders() {
    let Some(golden) = shared("golden/case-a") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let step = |teacher: &Path| {
        let student = golden.join("student");
        fails(
            1,
            &[
                "step",
                "--teacher",
                teacher.to_str().unwrap(),
                "--student",
                student.to_str().unwrap(),
                "--batch",
                golden.join("batch.safetensors").to_str().unwrap(),
            ],
        )
    };
    mentions(&step(&folder.path().join("nowhere")), &["nowhere", "no such folder", "config.json"]);
    mentions(&step(folder.path()), &["config.json", "no such file"]);
    let config = std::fs::read_to_string(golden.join("teacher/config.json")).unwrap();
    let (config_path, weights_path) = (folder.path().join("config.json"), folder.path().join("model.safetensors"));
    std::fs::write(&config_path, config.replace("\"bert\"", "\"roberta\"")).unwrap();
    mentions(&step(folder.path()), &["roberta", "supported"]);
    std::fs::write(&config_path, &config).unwrap();
    mentions(&step(folder.path()), &["model.safetensors", "no such file"]);
    std::fs::write(&weights_path, "not tensors").unwrap();
    mentions(&step(folder.path()), &["model.safetensors", "not a safetensors file"]);

    let original = std::fs::read(golden.join("teacher/model.safetensors")).unwrap();
    let original = SafeTensors::deserialize(&original).unwrap();
    let with = |change: Change| {
        let mut tensors = vec![];
        for (name, view) in original.tensors() {
            let (mut data, mut shape) = (view.data().to_vec(), view.shape().to_vec());
            if change(&name, &mut data, &mut shape) {
                tensors.push((name, data, shape));
            }
        }
        let views = tensors
            .iter()
            .map(|(name, data, shape)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
        std::fs::write(&weights_path, safetensors::serialize(views, None).unwrap()).unwrap();
        step(folder.path())
    };
    let query = "bert.encoder.layer.1.attention.self.query.weight";
    mentions(&with(&|name, _, _| !name.starts_with("cls.")), &["no masked-LM head", "ForMaskedLM"]);
    mentions(&with(&|name, _, _| name != query), &[query, "no tensor"]);
    let error = with(&|name, data, shape| {
        if name == query {
            data.truncate(64 * 32 * 4);
            *shape = vec![64, 32];
        }
        true
    });
    mentions(&error, &[query, "[64, 32]", "[64, 64]"]);
    for value in [f32::NAN, f32::INFINITY] {
        let error = with(&|name, data, _| {
            if name == query {
                data[400..404].copy_from_slice(&value.to_le_bytes());
            }
            true
        });
        mentions(&error, &[query, "NaN or infinite"]);
    }
}

#[test]
fn batches() {
    let Some(golden) = shared("golden/case-a") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batch.safetensors");
    let step = |ids: &[i64], mask: &[i64], labels: &[i64]| {
        let bytes = |values: &[i64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let tensors = [("input_ids", bytes(ids)), ("attention_mask", bytes(mask)), ("labels", bytes(labels))];
        let views = tensors
            .iter()
            .map(|(name, data)| (*name, TensorView::new(Dtype::I64, vec![1, data.len() / 8], data).unwrap()));
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        fails(
            1,
            &[
                "step",
                "--teacher",
                golden.join("teacher").to_str().unwrap(),
                "--student",
                golden.join("student").to_str().unwrap(),
                "--batch",
                path.to_str().unwrap(),
            ],
        )
    };
    let one = [1; 4];
    mentions(&step(&[5, 6, 512, 7], &one, &[-100, 5, -100, -100]), &["batch", "token id 512", "has 512"]);
    mentions(&step(&[5, 6, -1, 7], &one, &[-100, 5, -100, -100]), &["token id -1", "token 2"]);
    mentions(&step(&[5, 6, 7, 8], &one, &[-100, 600, -100, -100]), &["label 600"]);
    mentions(&step(&[5, 6, 7, 8], &one, &[-100; 4]), &["no token has a label"]);
    mentions(&step(&[5, 6, 7, 8], &[0; 4], &[-100; 4]), &["sequence 0 is empty"]);
    mentions(&step(&[5, 6, 7, 8], &[1, 2, 1, 1], &[-100; 4]), &["attention_mask is 2"]);
    mentions(&step(&[5, 6, 7, 8], &[1, 1, 1, 0], &[-100, 3, -100, 4]), &["label on padding"]);
    mentions(&step(&[5; 70], &[1; 70], &[6; 70]), &["position 69", "has 64"]);
    mentions(&step(&[5, 6, 7], &one, &one), &["shapes differ"]);
}

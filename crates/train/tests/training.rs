//! Whole runs through the program: text to teacher to student, repeatable to the byte.

mod support;
#[path = "support/text.rs"]
mod text;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use support::train;

/// A folder with prepared text and a pretrained teacher, made once.
fn workshop() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            text::write(folder.path(), 3000);
            let path = |name: &str| folder.path().join(name).display().to_string();
            train(&[
                "prepare",
                "--text",
                &path("text.txt"),
                "--vocab",
                &path("vocab.txt"),
                "-o",
                &path("data"),
                "--max-length",
                "32",
                "--held-out-every",
                "10",
                "--min-length",
                "3",
            ]);
            train(&[
                "pretrain",
                "--data",
                &path("data"),
                "-o",
                &path("teacher"),
                "--preset",
                "tiny",
                "--layers",
                "4",
                "--hidden",
                "48",
                "--heads",
                "3",
                "--steps",
                "300",
                "--learning-rate",
                "3e-3",
                "--eval-every",
                "150",
            ]);
            folder
        })
        .path()
}

fn path(name: &str) -> String {
    workshop().join(name).display().to_string()
}

fn distill(out: &str, more: &[&str]) -> String {
    let mut arguments = vec!["distill", "--preset", "tiny", "--json"];
    let (teacher, data, out) = (path("teacher"), path("data"), path(out));
    arguments.extend(["--teacher", &teacher, "--data", &data, "-o", &out]);
    arguments.extend(more);
    train(&arguments)
}

fn eval(model: &str, teacher: bool) -> Value {
    let (model, data, with) = (path(model), path("data"), path("teacher"));
    let mut arguments = vec!["eval", "--model", &model, "--data", &data, "--json"];
    if teacher {
        arguments.extend(["--teacher", &with]);
    }
    serde_json::from_str(&train(&arguments)).unwrap()
}

fn lines(path: impl AsRef<Path>) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_teacher_learns_what_can_be_known() {
    let figures = eval("teacher", false);
    // Colours and things predict each other, places (one of four) do not.
    assert!(figures["mlm_accuracy"].as_f64().unwrap() > 0.6, "{figures}");
    let metrics = lines(workshop().join("teacher/metrics.jsonl"));
    let held_out: Vec<f64> = metrics.iter().filter_map(|line| line["held_out"]["mlm_loss"].as_f64()).collect();
    assert_eq!(held_out.len(), 2);
    assert!(held_out[1] < held_out[0], "{held_out:?}");
    let training: Vec<&Value> = metrics.iter().filter(|line| line["loss"].is_number()).collect();
    assert_eq!(training.len(), 30);
    for key in ["loss_ce", "loss_mlm", "loss_cos", "learning_rate", "grad_norm", "tokens_per_second", "epoch"] {
        assert!(training[0][key].is_number(), "{key}");
    }
}

#[test]
fn a_student_follows_its_teacher_and_repeats_to_the_byte() {
    // Dropout on: its masks repeat as well.
    let options = ["--steps", "120", "--dropout", "0.1", "--learning-rate", "2e-3"];
    let summary: Value = serde_json::from_str(&distill("student", &options)).unwrap();
    assert_eq!(summary["steps"], 120);
    // Once more, with one thread.
    let (teacher, data, out) = (path("teacher"), path("data"), path("again"));
    let arguments = ["distill", "--preset", "tiny", "--teacher", &teacher, "--data", &data, "-o", &out];
    let arguments = [&arguments[..], &options[..]].concat();
    support::command().env("RAYON_NUM_THREADS", "1").args(arguments).assert().success();
    distill("other-seed", &[&options[..], &["--seed", "57"]].concat());
    let weights = |name: &str| std::fs::read(workshop().join(name).join("model.safetensors")).unwrap();
    assert!(weights("student") == weights("again"), "the same seed gave other bytes");
    assert!(weights("student") != weights("other-seed"), "another seed gave the same bytes");

    let figures = eval("student", true);
    assert!(figures["agreement"].as_f64().unwrap() > 0.6, "{figures}");
    assert!(figures["hidden_cosine"].as_f64().unwrap() > 0.7, "{figures}");
    let teacher = eval("teacher", false);
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap();
    let difference = number(&figures, "teacher_mlm_loss") - number(&teacher, "mlm_loss");
    assert!(difference.abs() < 1e-5, "{difference}");

    // The saved recipe says everything: a run from it gives the same bytes.
    let recipe = path("student/recipe.json");
    let (teacher, data, out) = (path("teacher"), path("data"), path("from-recipe"));
    train(&["distill", "--config", &recipe, "--teacher", &teacher, "--data", &data, "-o", &out]);
    assert!(weights("student") == weights("from-recipe"), "the recipe gave other bytes");

    let config: Value =
        serde_json::from_slice(&std::fs::read(workshop().join("student/config.json")).unwrap()).unwrap();
    assert_eq!(config["model_type"], "distilbert");
    assert_eq!(config["n_layers"], 2);
    for file in ["vocab.txt", "tokenizer_config.json", "recipe.json", "metrics.jsonl"] {
        assert!(workshop().join("student").join(file).exists(), "{file}");
    }
}

#[test]
fn masked_lm_alone_and_other_students() {
    distill("mlm", &["--steps", "20", "--alpha-ce", "0", "--alpha-cos", "0", "--layer-map", "0,1,3"]);
    let last = lines(workshop().join("mlm/metrics.jsonl"));
    let training = last.iter().rfind(|line| line["loss"].is_number()).unwrap();
    assert_eq!((training["loss_ce"].as_f64(), training["loss_cos"].as_f64()), (Some(0.0), Some(0.0)));
    distill(
        "random",
        &[
            "--steps",
            "20",
            "--init",
            "random",
            "--student-layers",
            "1",
            "--accumulation",
            "2",
            "--soft-targets-on-masked-only",
        ],
    );
    assert!(eval("random", true)["agreement"].is_number());
    // The saved recipes hold what the options chose.
    let recipe = |name: &str| -> Value {
        let bytes = std::fs::read(workshop().join(name).join("recipe.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    assert_eq!(recipe("mlm")["layer_map"], serde_json::json!([0, 1, 3]));
    assert_eq!(recipe("random")["init"], "random");
    // A student is a teacher too.
    let (teacher, data, out) = (path("mlm"), path("data"), path("grandchild"));
    train(&["distill", "--preset", "tiny", "--steps", "5", "--teacher", &teacher, "--data", &data, "-o", &out]);
    assert_eq!(eval("grandchild", false)["sequences"], 300);
}

#[test]
fn parts_of_a_batch_add_up_to_it() {
    for more in [&[][..], &["--soft-targets-on-masked-only", "--accumulation", "2"]] {
        let run = |parts: &str| {
            let out = format!("parts-{parts}-{}", more.len());
            let options = ["--steps", "4", "--log-every", "1", "--parts", parts];
            distill(&out, &[&options[..], more].concat());
            lines(workshop().join(out).join("metrics.jsonl"))
        };
        let (whole, cut) = (run("1"), run("3"));
        for (a, b) in whole.iter().zip(&cut).take(4) {
            for key in ["loss", "loss_ce", "loss_mlm", "loss_cos", "grad_norm"] {
                let (a, b) = (a[key].as_f64().unwrap(), b[key].as_f64().unwrap());
                assert!((a - b).abs() <= 1e-4 * a.abs(), "{key}: {a} whole, {b} in parts");
            }
        }
    }
}

#[test]
fn gz_and_zst_give_the_same_shards() {
    let folder = tempfile::tempdir().unwrap();
    text::write(folder.path(), 500);
    let at = |name: &str| folder.path().join(name);
    let bytes = std::fs::read(at("text.txt")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &bytes).unwrap();
    std::fs::write(at("text.txt.gz"), encoder.finish().unwrap()).unwrap();
    std::fs::write(at("text.txt.zst"), zstd::encode_all(&bytes[..], 3).unwrap()).unwrap();
    let prepare = |name: &str| -> (Vec<u8>, PathBuf) {
        let out = at(&format!("data-{name}"));
        train(&[
            "prepare",
            "--text",
            at(name).to_str().unwrap(),
            "--vocab",
            at("vocab.txt").to_str().unwrap(),
            "-o",
            out.to_str().unwrap(),
            "--json",
        ]);
        (std::fs::read(out.join("train-00000.bin")).unwrap(), out)
    };
    let (plain, _) = prepare("text.txt");
    assert!(plain.len() > 500 * 20);
    assert_eq!(prepare("text.txt.gz").0, plain);
    assert_eq!(prepare("text.txt.zst").0, plain);
}

#[test]
fn a_narrower_student_needs_a_projection_and_can_go_on() {
    let config = workshop().join("narrow.json");
    let mut shape =
        serde_json::json!({"model_type": "distilbert", "dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 48});
    let teacher: Value =
        serde_json::from_slice(&std::fs::read(workshop().join("teacher/config.json")).unwrap()).unwrap();
    for key in ["vocab_size", "max_position_embeddings"] {
        shape[key] = teacher[key].clone();
    }
    std::fs::write(&config, shape.to_string()).unwrap();
    let (teacher, data, out, config) = (path("teacher"), path("data"), path("narrow"), config.display().to_string());
    let common = ["distill", "--preset", "tiny", "--json", "--teacher", &teacher, "--data", &data, "-o", &out];
    let arguments: Vec<&str> = common.into_iter().chain(["--student-config", &config, "--steps", "60"]).collect();
    let message = support::fails(1, &arguments);
    assert!(message.contains("hidden size is 24") && message.contains("--hidden-mismatch project"), "{message}");

    let arguments: Vec<&str> =
        arguments.into_iter().chain(["--hidden-mismatch", "project", "--alpha-mse", "0.01"]).collect();
    train(&arguments);
    let bytes = std::fs::read(workshop().join("narrow/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(file.names().iter().all(|name| !name.contains("projection")), "the projection was saved");
    let metrics = lines(workshop().join("narrow/metrics.jsonl"));
    let cosine: Vec<f64> = metrics.iter().filter_map(|line| line["loss_cos"].as_f64()).collect();
    assert!(cosine[cosine.len() - 1] < 0.9 * cosine[0], "the projection does not learn: {cosine:?}");
    assert!(metrics.iter().filter_map(|line| line["loss_mse"].as_f64()).all(|loss| loss > 0.0));

    // The student goes on from what it has learned.
    let narrow = path("narrow");
    let again = path("narrow-again");
    let more = ["--student", &narrow, "--alpha-ce", "1", "--alpha-cos", "0", "--alpha-mlm", "0", "--steps", "30"];
    let common = ["distill", "--preset", "tiny", "--json", "--teacher", &teacher, "--data", &data, "-o", &again];
    train(&common.into_iter().chain(more).collect::<Vec<_>>());
    let (before, after) = (eval("narrow", true), eval("narrow-again", true));
    let kl = |figures: &Value| figures["kl_all"].as_f64().unwrap();
    assert!(kl(&after) < kl(&before), "{before} {after}");
}

//! Several processes train as one: real processes on the CPU, connected over loopback.

#[path = "support/ranks.rs"]
mod ranks;
mod support;
#[path = "support/task.rs"]
mod task;
#[path = "support/text.rs"]
mod text;

use ranks::{Ended, Ranks, alone, free_port, one_of, run};
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use support::train;

/// A folder with prepared text and a small teacher, made once.
fn workshop() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            text::write(folder.path(), 1500);
            let path = |name: &str| folder.path().join(name).display().to_string();
            let (text, vocabulary, data, teacher) =
                (path("text.txt"), path("vocab.txt"), path("data"), path("teacher"));
            let prepare = ["prepare", "--text", &text, "--vocab", &vocabulary, "-o", &data];
            train(&[&prepare[..], &["--max-length", "32", "--held-out-every", "20", "--min-length", "3"]].concat());
            let pretrain = ["pretrain", "--preset", "tiny", "--data", &data, "-o", &teacher, "--steps", "30"];
            train(&[&pretrain[..], &["--layers", "2", "--hidden", "48", "--heads", "3"]].concat());
            folder
        })
        .path()
}

/// Words of a command that distils into `out`, with a line of metrics for every step.
fn distill(out: &str, more: &[&str]) -> Vec<String> {
    let path = |name: &str| workshop().join(name).display().to_string();
    let (teacher, data, out) = (path("teacher"), path("data"), path(out));
    let words = ["distill", "--preset", "tiny", "--device", "cpu", "--log-every", "1"];
    let places = ["--teacher", &teacher, "--data", &data, "-o", &out];
    [&words[..], &places, more].concat().into_iter().map(str::to_string).collect()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn distill_with(world: usize, out: &str, more: &[&str]) -> Vec<Ended> {
    run(world, &borrowed(&distill(out, more)))
}

fn output(name: &str) -> PathBuf {
    workshop().join(name)
}

/// The lines about training.
fn steps(out: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(output(out).join("metrics.jsonl")).unwrap_or_default();
    // The last line may be half written while a run goes on.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["loss"].is_number()).collect()
}

/// Largest differences between two runs: of a term of the loss, relative to the loss; of a gradient norm, relative; of a weight.
fn differences(a: &str, b: &str) -> (f64, f64, f64) {
    let (left, right) = (steps(a), steps(b));
    assert_eq!(left.len(), right.len(), "{a} and {b}");
    let number = |line: &Value, key: &str| line[key].as_f64().unwrap();
    // A term of the loss counts by its share: the cosine loss is one minus a number close to one.
    let relative = |key: &str, whole: &str| {
        let steps = left.iter().zip(&right);
        steps.map(|(a, b)| (number(a, key) - number(b, key)).abs() / number(a, whole)).fold(0.0, f64::max)
    };
    let losses = ["loss", "loss_ce", "loss_mlm", "loss_cos"].map(|key| relative(key, "loss"));
    (losses.into_iter().fold(0.0, f64::max), relative("grad_norm", "grad_norm"), largest_difference(a, b))
}

/// The largest difference of a weight between two runs.
fn largest_difference(a: &str, b: &str) -> f64 {
    let bytes = [a, b].map(|name| std::fs::read(output(name).join("model.safetensors")).unwrap());
    let [left, right] = [&bytes[0], &bytes[1]].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    let mut weight = 0.0f64;
    for name in left.names() {
        let floats = |file: &SafeTensors| -> Vec<f32> {
            let data = file.tensor(name).unwrap().data().to_vec();
            data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        let pairs = floats(&left).into_iter().zip(floats(&right));
        weight = pairs.fold(weight, |most, (a, b)| most.max(f64::from((a - b).abs())));
    }
    weight
}

/// Fine-tuning with a teacher and variants, cut among processes; some rank may have no text with a label.
#[test]
fn two_processes_fine_tune_as_one() {
    let folder = workshop();
    let data = task::write_sst2(folder, 60);
    let model = task::write_model(folder, "start", distil_train::model::Architecture::Bert);
    let path = |name: &str| output(name).display().to_string();
    let common =
        ["finetune", "--task", "sst2", "--data", &data, "--max-length", "32", "--device", "cpu", "--log-every", "1"];
    train(&[&common[..], &["--model", &model, "-o", &path("expert"), "--steps", "4"]].concat());
    let taught = ["--teacher", &path("expert"), "--alpha-hidden", "1", "--alpha-attention", "1", "--augment", "2"];
    for world in [1, 2] {
        let out = path(&format!("taught-{world}"));
        run(world, &[&common[..], &taught, &["-o", &out, "--steps", "6", "--batch-size", "5"]].concat());
    }
    let summaries = ["taught-1", "taught-2"].map(|name| std::fs::read(output(name).join("summary.json")).unwrap());
    let held_out = summaries.map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap()["held_out"].clone());
    assert!(held_out[0]["accuracy"].is_f64() && held_out[0] == held_out[1], "{held_out:?}");
    let (left, right) = (steps("taught-1"), steps("taught-2"));
    assert_eq!((left.len(), right.len()), (6, 6));
    for (a, b) in left.iter().zip(&right) {
        for key in ["loss", "loss_labels", "loss_soft", "loss_hidden", "loss_attention", "grad_norm"] {
            let [a, b] = [a, b].map(|line| line[key].as_f64().unwrap());
            assert!((a - b).abs() <= 1e-4 * a.abs(), "{key}: {a} and {b}");
        }
    }
    let weight = largest_difference("taught-1", "taught-2");
    assert!(weight < 1e-4, "weights differ by {weight:e}");
}

/// The same batches, cut among processes, give the same training. What differs is the order of float sums.
#[test]
fn two_and_four_processes_train_as_one() {
    let common = ["--steps", "20", "--eval-every", "10"];
    for (name, more) in [
        ("plain", &[][..]),
        ("many", &["--accumulation", "2", "--soft-targets-on-masked-only", "--alpha-mse", "0.1", "--steps", "6"]),
        // Piece after piece: the sums begin while the last one is computed.
        ("micro", &["--accumulation", "2", "--micro-tokens", "40", "--steps", "6"]),
        // A batch of fewer sequences than ranks; and one where some rank has no masked token.
        ("small", &["--batch-size", "3", "--alpha-ce", "0", "--alpha-cos", "0"]),
    ] {
        let options = if more.contains(&"--accumulation") { more.to_vec() } else { [&common[..], more].concat() };
        for world in [1, 2, 4] {
            distill_with(world, &format!("{name}-{world}"), &options);
        }
        for world in [2, 4] {
            let (losses, norms, weights) = differences(&format!("{name}-1"), &format!("{name}-{world}"));
            eprintln!("{name}, {world} processes: losses {losses:.1e}, norms {norms:.1e}, weights {weights:.1e}");
            assert!(losses < 1e-5, "{name}: losses of {world} processes differ by {losses:e}");
            assert!(norms < 1e-4, "{name}: gradient norms of {world} processes differ by {norms:e}");
            assert!(weights < 1e-4, "{name}: weights of {world} processes differ by {weights:e}");
        }
    }
    let tokens = |name: &str| -> Value {
        let summary: Value =
            serde_json::from_slice(&std::fs::read(output(name).join("summary.json")).unwrap()).unwrap();
        summary["tokens"].clone()
    };
    assert_eq!(tokens("plain-1"), tokens("plain-4"));
    assert!(differences("plain-1", "small-1").0 > 1e-2, "the comparison sees no difference");
}

#[test]
fn only_rank_0_speaks_and_the_bits_repeat() {
    let ended = distill_with(2, "quiet", &["--steps", "3"]);
    assert!(ended[0].text.contains("shared by 2 processes"), "{}", ended[0].text);
    assert_eq!(ended[1].text, "");
    distill_with(2, "quiet-again", &["--steps", "3"]);
    assert_eq!(differences("quiet", "quiet-again"), (0.0, 0.0, 0.0));
}

/// Starts a run without end and waits until it trains.
fn endless(world: usize, out: &str, more: &[&str]) -> Ranks {
    let words = distill(out, &[&["--steps", "1000000"], more].concat());
    let port = free_port();
    let ranks = Ranks::start((0..world).map(|rank| one_of(rank, world, port, &borrowed(&words))));
    let start = Instant::now();
    while steps(out).len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "no steps");
        std::thread::sleep(Duration::from_millis(20));
    }
    ranks
}

fn signal(child: &std::process::Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_killed_rank_ends_all() {
    for killed in [1, 0] {
        let ranks = endless(3, &format!("killed-{killed}"), &[]);
        signal(&ranks.0[killed], "-KILL");
        let ended = ranks.wait(Duration::from_secs(10));
        for (rank, ended) in ended.iter().enumerate().filter(|(rank, _)| *rank != killed) {
            assert_eq!(ended.status.code(), Some(1), "rank {rank}: {}", ended.text);
            let message = ended.text.lines().find(|line| line.contains("error")).unwrap_or_default();
            assert!(message.starts_with(&format!("rank {rank}: error: rank {killed} (process")), "{}", ended.text);
            assert!(message.contains("ended without a word"), "{}", ended.text);
            assert_eq!(ended.text.matches("error").count(), 1, "{}", ended.text);
        }
    }
}

#[test]
fn an_interrupt_of_one_is_an_interrupt_of_all_and_one_process_goes_on() {
    let ranks = endless(2, "interrupted", &[]);
    signal(&ranks.0[1], "-INT");
    let ended = ranks.wait(Duration::from_secs(20));
    assert!(ended.iter().all(|ended| ended.status.code() == Some(130)), "{ended:#?}");
    assert!(ended[0].text.contains("interrupted after step") && ended[0].text.contains("train resume"), "{ended:#?}");

    // A run of two that goes on as one is the run that was one from the start.
    let options = ["--steps", "12", "--checkpoint-every", "6"];
    distill_with(1, "whole", &options);
    distill_with(2, "half", &[&options[..], &["--accumulation", "1"]].concat());
    let rewind = output("half/checkpoints");
    // As if it had been interrupted after step 6.
    for entry in std::fs::read_dir(&rewind).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with("06") || name == "best", "{name}");
    }
    for file in ["summary.json", "model.safetensors"] {
        std::fs::remove_file(output("half").join(file)).unwrap();
    }
    let ended = distill_with(1, "half", &[&options[..], &["--resume"]].concat());
    assert!(ended[0].text.contains("shared by 2 processes and now is by 1"), "{}", ended[0].text);
    assert!(ended[0].text.contains("going on after step 6"), "{}", ended[0].text);
    let (losses, _, weights) = differences("whole", "half");
    assert!(losses < 1e-5 && weights < 1e-4, "losses {losses:e}, weights {weights:e}");
}

#[test]
fn processes_that_do_not_fit_together_say_so() {
    let port = free_port();
    let start = |rank: usize, out: &str, more: &[&str]| {
        let words = distill(out, &[&["--steps", "5"], more].concat());
        one_of(rank, 2, port, &borrowed(&words))
    };
    let commands = [start(0, "mismatch", &[]), start(1, "mismatch", &["--learning-rate", "0.01"])];
    let ended = Ranks::start(commands).wait(Duration::from_secs(30));
    assert!(ended.iter().all(|ended| ended.status.code() == Some(1)), "{ended:#?}");
    assert!(ended.iter().all(|ended| ended.text.contains("rank 1 has another recipe than rank 0")), "{ended:#?}");
    assert!(ended.iter().any(|ended| ended.text.contains("schedule.learning_rate is 0.01 there")), "{ended:#?}");

    // A rank that cannot even start: the others get its message.
    let commands = [start(0, "no-layer", &[]), start(1, "no-layer", &["--layer-map", "9"])];
    let ended = Ranks::start(commands).wait(Duration::from_secs(30));
    assert!(ended.iter().all(|ended| ended.status.code() == Some(1)), "{ended:#?}");
    assert!(ended[0].text.contains("rank 0: error: rank 1: --layer-map names layer 9"), "{ended:#?}");
}

#[test]
fn all_stop_when_a_loss_is_not_finite() {
    let words = distill("diverged", &["--steps", "50", "--learning-rate", "1e30"]);
    let port = free_port();
    let ended = Ranks::start((0..2).map(|rank| one_of(rank, 2, port, &borrowed(&words)))).wait(Duration::from_secs(60));
    for (rank, ended) in ended.iter().enumerate() {
        assert_eq!(ended.status.code(), Some(1), "{}", ended.text);
        assert!(ended.text.contains(&format!("rank {rank}: error: the ")), "{}", ended.text);
    }
    let step = |text: &str| text.split("at step ").nth(1).unwrap().split(':').next().unwrap().to_string();
    assert_eq!(step(&ended[0].text), step(&ended[1].text));
    let dumped = std::fs::read_dir(output("diverged")).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("non-finite-step-") && name.to_string_lossy().ends_with(".safetensors")
    });
    assert_eq!(dumped.count(), 1);
}

#[test]
fn wrong_variables_are_explained() {
    let words = distill("never", &["--steps", "5"]);
    let fails = |prepare: &dyn Fn(&mut std::process::Command)| {
        let mut command = alone(&borrowed(&words));
        prepare(&mut command);
        let ended = Ranks::start([command]).wait(Duration::from_secs(20)).remove(0);
        assert_eq!(ended.status.code(), Some(1), "{}", ended.text);
        ended.text
    };
    let text = fails(&|command| {
        command.env("RANK", "0").env("WORLD_SIZE", "2");
    });
    assert!(text.contains("MASTER_ADDR is not") && text.contains("train launch"), "{text}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let text = fails(&|command| {
        command.env("RANK", "0").env("WORLD_SIZE", "2").env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
    });
    assert!(text.contains(&format!("rank 0: error: port {port} is in use")), "{text}");
    let port = free_port().to_string();
    let text = fails(&|command| {
        command.env("RANK", "1").env("WORLD_SIZE", "2").env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
        command.env("DISTIL_RENDEZVOUS_SECONDS", "1");
    });
    assert!(text.contains("did not reach rank 0 at 127.0.0.1"), "{text}");
    assert!(!output("never").exists());
}

#[test]
fn the_launcher_starts_and_ends_all() {
    let launch = |world: &str, words: &[String]| {
        let words = [&["launch", "-n", world, "--"][..], &borrowed(words)].concat();
        Ranks::start([alone(&words)])
    };
    let ended = launch("2", &distill("launched", &["--steps", "3"])).wait(Duration::from_secs(60)).remove(0);
    assert!(ended.status.success(), "{}", ended.text);
    assert!(ended.text.lines().all(|line| line.starts_with("[0] ")), "{}", ended.text);
    distill_with(1, "unlaunched", &["--steps", "3"]);
    assert!(differences("launched", "unlaunched").0 < 1e-5);

    let wrong = distill("launched", &["--steps", "3"]);
    let ended = launch("2", &wrong).wait(Duration::from_secs(30)).remove(0);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.text);
    for words in ["[0] rank 0: error: ", "[1] rank 1: error: rank 0: ", "there is a model in it", "error: process"] {
        assert!(ended.text.contains(words), "`{words}`: {}", ended.text);
    }

    let ranks = launch("2", &distill("stopped", &["--steps", "1000000"]));
    let start = Instant::now();
    while steps("stopped").len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "no steps");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&ranks.0[0], "-INT");
    let ended = ranks.wait(Duration::from_secs(20)).remove(0);
    assert_eq!(ended.status.code(), Some(130), "{}", ended.text);
    assert!(ended.text.contains("everything is saved"), "{}", ended.text);
    let words = ["launch", "-n", "2", "--", "prepare"];
    let ended = Ranks::start([alone(&words)]).wait(Duration::from_secs(20)).remove(0);
    assert!(ended.status.code() == Some(1) && ended.text.contains("launch distill"), "{}", ended.text);
}

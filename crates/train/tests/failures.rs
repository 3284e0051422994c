//! What can go wrong while a run is under way: each ends with one clear message, and nothing that was saved is lost.
#![cfg(unix)]

#[path = "support/runs.rs"]
mod runs;
mod support;
#[path = "support/text.rs"]
mod text;

use runs::{checkpoints, command, ends, metrics, same_as_whole, succeeds, workshop};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn mentions(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

/// The command with files limited to `blocks` of 512 bytes: a write beyond that fails, as on a full disk.
fn limited(command: &Command, blocks: usize) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let run = workshop().join("claimed");
    let mut first = command(&run, &[]).spawn().unwrap();
    while checkpoints(&run).is_empty() {
        assert!(first.try_wait().unwrap().is_none(), "the run ended too early");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // Stopped, so that it does not end before the others have come.
    assert!(Command::new("kill").args(["-STOP", &first.id().to_string()]).status().unwrap().success());
    for option in ["--resume", "--overwrite"] {
        let (code, errors) = ends(&mut command(&run, &[option]));
        assert_eq!(code, 1, "{errors}");
        mentions(&errors, &["claimed", "another run is at work in it", "choose another folder"]);
    }
    first.kill().unwrap();
    first.wait().unwrap();
    // What was killed holds nothing any more.
    succeeds(&mut command(&run, &["--resume"]));
    same_as_whole(&run);
}

/// No half-written file or folder.
fn nothing_partial(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".part"), "{name} is left in {}", folder.display());
    }
}

#[test]
fn a_disk_that_fills_up_leaves_the_last_checkpoint() {
    let run = workshop().join("full");
    let largest = workshop().join("whole/checkpoints/step-00000050/optimizer.safetensors");
    let blocks = std::fs::metadata(largest).unwrap().len() as usize / 512;
    // No checkpoint can be written: the moments are larger than that.
    let (code, errors) = ends(&mut limited(&command(&run, &[]), blocks - 1));
    assert_eq!(code, 1, "{errors}");
    mentions(&errors, &["optimizer.safetensors", "File too large", "check the file and the disk"]);
    assert!(checkpoints(&run).is_empty(), "{errors}");
    nothing_partial(&run.join("checkpoints"));

    // Where it fills up between two checkpoints, the one before stays and the run goes on from it.
    let run = workshop().join("full-later");
    let mut child = command(&run, &[]).spawn().unwrap();
    while checkpoints(&run).len() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended too early");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = checkpoints(&run);
    let (code, errors) = ends(&mut limited(&command(&run, &["--resume"]), blocks - 1));
    assert_eq!(code, 1, "{errors}");
    let text = run.display().to_string();
    mentions(&errors, &["File too large", "the last checkpoint is after step", &format!("train resume {text}")]);
    assert_eq!(checkpoints(&run), before);
    nothing_partial(&run.join("checkpoints"));
    succeeds(&mut command(&run, &["--resume"]));
    same_as_whole(&run);
}

#[test]
fn a_full_disk_under_the_metrics_is_said() {
    let run = workshop().join("no-metrics");
    std::fs::create_dir_all(&run).unwrap();
    std::os::unix::fs::symlink("/dev/full", run.join("metrics.jsonl")).unwrap();
    let (code, errors) = ends(&mut command(&run, &[]));
    assert_eq!(code, 1, "{errors}");
    mentions(&errors, &["metrics.jsonl", "the disk is full", "free some space"]);
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_its_batch_is_kept() {
    let run = workshop().join("diverged");
    let wild = ["--learning-rate", "1e30", "--warmup", "0", "--checkpoint-every", "1"];
    let (code, errors) = ends(&mut command(&run, &wild));
    assert_eq!(code, 1, "{errors}");
    mentions(&errors, &["at step", "diverged", "--learning-rate", "--skip-non-finite", "train step --batch"]);
    let text = run.display().to_string();
    mentions(&errors, &["the last checkpoint is after step", &format!("train resume {text}")]);
    let dumps: Vec<PathBuf> = std::fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("non-finite-step-"))
        .collect();
    let [dump] = &dumps[..] else { panic!("{dumps:?}") };
    mentions(&errors, &[&dump.display().to_string()]);
    // The batch reads; a healthy pair has a finite loss on it.
    let teacher = workshop().join("teacher").display().to_string();
    let arguments = ["step", "--json", "--device", "cpu", "--teacher", &teacher, "--student", &teacher, "--batch"];
    let out = support::train(&[&arguments[..], &[dump.to_str().unwrap()]].concat());
    let losses: Value = serde_json::from_str(&out).unwrap();
    assert!(losses["loss_mlm"].as_f64().unwrap().is_finite(), "{losses}");

    // The last checkpoint is whole: going on from it fails in the same way.
    let last = checkpoints(&run).pop().unwrap();
    let (code, errors) = ends(&mut command(&run, &[&wild[..], &["--resume"]].concat()));
    assert_eq!(code, 1, "{errors}");
    mentions(&errors, &["going on after step", &last, &dump.display().to_string()]);

    // Leaving out two steps in a row is not enough for it, leaving out all is.
    let step: usize = dump.file_stem().unwrap().to_string_lossy()["non-finite-step-".len()..].parse().unwrap();
    let (code, errors) = ends(&mut command(&run, &[&wild[..], &["--resume", "--skip-non-finite", "2"]].concat()));
    assert_eq!(code, 1, "{errors}");
    mentions(&errors, &[&format!("step {step}: "), "left out (1 so far)", "left out (2 so far)"]);
    mentions(&errors, &[&format!("non-finite-step-{:08}.safetensors", step + 2)]);
    let all = ["--resume", "--skip-non-finite", "100"];
    let (out, errors) = succeeds(&mut command(&run, &[&wild[..], &all].concat()));
    let summary: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(summary["skipped"], runs::STEPS - step + 1);
    mentions(&errors, &["steps were left out"]);
}

#[test]
fn micro_batches_add_up_to_the_batch() {
    let (whole, run) = (workshop().join("plain"), workshop().join("micro"));
    let plain = ["--dropout", "0", "--eval-every", "0", "--steps", "12", "--log-every", "1"];
    succeeds(&mut command(&whole, &plain));
    // A limit below the longest sequence: then one at a time.
    for tokens in ["1", "50", "100000"] {
        succeeds(&mut command(&run, &[&plain[..], &["--overwrite", "--micro-tokens", tokens]].concat()));
        let (a, b) = (metrics(&whole), metrics(&run));
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b).filter(|(a, _)| a["loss"].is_number()) {
            for key in ["loss", "loss_ce", "loss_mlm", "loss_cos", "grad_norm"] {
                let (a, b) = (a[key].as_f64().unwrap(), b[key].as_f64().unwrap());
                assert!((a - b).abs() <= 1e-4 * a.abs(), "{tokens} tokens, {key}: {a} whole, {b} in micro-batches");
            }
        }
    }
    let (code, errors) = ends(&mut command(&run, &["--micro-tokens", "0"]));
    assert_eq!(code, 2, "{errors}");
}

#[test]
fn the_effective_batch_is_printed() {
    let (_, errors) = succeeds(&mut command(&workshop().join("printed"), &["--steps", "2"]));
    mentions(&errors, &["effective batch 40 sequences (2 x 20)", "2 steps"]);
}

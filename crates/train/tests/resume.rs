//! A run that is killed, interrupted or damaged goes on as if nothing had happened.
#![cfg(unix)]

#[path = "support/runs.rs"]
mod runs;
mod support;
#[path = "support/text.rs"]
mod text;

use runs::{STEPS, checkpoints, command, ends, same_as_whole, succeeds, workshop};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Waits until `condition` or until the child has ended; returns whether it still runs.
fn wait_until(child: &mut Child, condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the run hangs");
        std::thread::sleep(Duration::from_micros(200));
    }
    true
}

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After so many milliseconds.
    After(u64),
    /// When so many lines of metrics are there.
    Lines(usize),
    /// While a checkpoint is being written and so many of its files are there.
    Writing(usize),
    /// When the next checkpoint has got its name: old ones are about to go.
    Named,
    /// When the first file of the result is there.
    Ending,
}

/// Kills a run at a moment; returns false when it came to its end before.
fn kill_at(moment: Moment, run: &Path, mut child: Child) -> bool {
    let before = checkpoints(run);
    let lines =
        || std::fs::read(run.join("metrics.jsonl")).map_or(0, |text| text.iter().filter(|&&b| b == b'\n').count());
    let start = Instant::now();
    let alive = wait_until(&mut child, || match moment {
        Moment::After(time) => start.elapsed() >= Duration::from_millis(time),
        Moment::Lines(count) => lines() >= count,
        Moment::Named => checkpoints(run) != before,
        Moment::Ending => run.join("model.safetensors").exists(),
        Moment::Writing(count) => std::fs::read_dir(run.join("checkpoints")).is_ok_and(|entries| {
            let partial = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".part");
            let files = |entry: std::fs::DirEntry| std::fs::read_dir(entry.path()).map_or(0, Iterator::count);
            entries.flatten().filter(partial).any(|entry| files(entry) >= count)
        }),
    });
    child.kill().unwrap();
    child.wait().unwrap();
    alive
}

#[test]
fn killed_at_any_of_20_moments_it_gives_the_same_bits() {
    use Moment::{After, Ending, Lines, Named, Writing};
    let moments = [
        After(3),
        Writing(1),
        After(60),
        Named,
        Lines(3),
        Writing(3),
        After(130),
        Writing(0),
        Lines(6),
        Ending,
        Writing(5),
        After(90),
        Lines(9),
        Writing(2),
        Named,
        Named,
        Writing(6),
        Lines(13),
        Writing(4),
        Ending,
    ];
    let run = workshop().join("killed");
    let (mut killed, mut starts) = (0, 0);
    // A run that comes to its end before all moments have come is begun again.
    for (i, moment) in moments.into_iter().enumerate() {
        if run.join("summary.json").exists() {
            same_as_whole(&run);
            std::fs::remove_dir_all(&run).unwrap();
        }
        starts += usize::from(checkpoints(&run).is_empty());
        let mut command = command(&run, &["--resume"]);
        command.env("RAYON_NUM_THREADS", ["1", "2", "3"][i % 3]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        killed += usize::from(kill_at(moment, &run, command.spawn().unwrap()));
    }
    assert!(killed >= 15, "only {killed} of 20 runs were still there to be killed");
    eprintln!("{killed} killed, {starts} from the beginning");
    succeeds(&mut command(&run, &["--resume"]));
    same_as_whole(&run);
    assert!(
        !std::fs::read_dir(run.join("checkpoints"))
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().ends_with(".part") })
    );
}

fn interrupt(signal: &str, child: &Child) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn interrupted_it_finishes_the_step_saves_and_says_how_to_go_on() {
    for signal in ["-INT", "-TERM"] {
        let run = workshop().join(format!("interrupted{signal}"));
        let text = run.display().to_string();
        let mut child = command(&run, &["--checkpoint-every", "0"]).spawn().unwrap();
        let metrics = run.join("metrics.jsonl");
        assert!(wait_until(&mut child, || std::fs::read(&metrics).is_ok_and(|text| !text.is_empty())));
        interrupt(signal, &child);
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{errors}");
        let saved = checkpoints(&run);
        assert!(
            errors.contains("interrupted after step") && errors.contains(&format!("train resume {text}")),
            "{errors}"
        );
        assert!(errors.contains(saved.last().expect("a checkpoint")), "{errors}");
        assert!(!run.join("model.safetensors").exists());

        // Neither replaced nor continued by accident.
        let (code, errors) = ends(&mut command(&run, &[]));
        assert_eq!(code, 1);
        assert!(
            errors.contains("unfinished run") && errors.contains("--resume") && errors.contains("--overwrite"),
            "{errors}"
        );

        let resume = || Command::new(assert_cmd::cargo::cargo_bin!("train")).args(["resume", &text]).output().unwrap();
        let output = resume();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        same_as_whole(&run);
        // Once more there is nothing to do, and it says the same.
        let again = resume();
        assert!(again.status.success());
        assert_eq!(again.stdout, output.stdout);
        assert!(String::from_utf8_lossy(&again.stderr).contains("this run is finished"));
        let (code, errors) = ends(&mut command(&run, &[]));
        assert_eq!(code, 1);
        assert!(errors.contains("a model in it already") && errors.contains("--overwrite"), "{errors}");
    }
}

#[test]
fn a_second_interrupt_ends_it_at_once_and_the_checkpoint_stays() {
    let run = workshop().join("twice");
    let mut child = command(&run, &["--steps", "1000000", "--checkpoint-every", "3"]).spawn().unwrap();
    assert!(wait_until(&mut child, || !checkpoints(&run).is_empty()));
    interrupt("-STOP", &child);
    // Both signals are there when it wakes up.
    interrupt("-INT", &child);
    interrupt("-TERM", &child);
    interrupt("-CONT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!checkpoints(&run).is_empty());
}

/// A copy of a run that was cut after its last checkpoint.
fn unfinished(name: &str, more: &[&str]) -> std::path::PathBuf {
    let run = workshop().join(name);
    succeeds(&mut command(&run, more));
    for file in ["summary.json", "model.safetensors"] {
        std::fs::remove_file(run.join(file)).unwrap();
    }
    run
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_checkpoints_are_passed_over() {
    let run = unfinished("damaged", &["--keep", "5"]);
    let names = checkpoints(&run);
    assert_eq!(names, ["step-00000035", "step-00000042", "step-00000049", "step-00000050", "step-00000056"]);
    let at = |name: &str, file: &str| run.join("checkpoints").join(name).join(file);
    flip(&at(&names[4], "optimizer.safetensors"));
    flip(&at(&names[3], "state.json"));
    let weights = at(&names[2], "model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 1]).unwrap();
    std::fs::remove_file(at(&names[1], "vocab.txt")).unwrap();
    let (_, errors) = succeeds(&mut command(&run, &["--resume", "--keep", "5"]));
    for (name, file) in names[1..].iter().zip(["vocab.txt", "model.safetensors", "state.json", "optimizer.safetensors"])
    {
        assert!(
            errors.lines().any(|line| line.contains(name) && line.contains("passed over") && line.contains(file)),
            "{errors}"
        );
    }
    assert!(errors.contains("going on after step 35"), "{errors}");
    same_as_whole(&run);
    // The damaged ones were replaced, and the next resume finds them whole.
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let (_, errors) = succeeds(&mut command(&run, &["--resume"]));
    assert!(errors.contains("going on after step 56") && !errors.contains("passed over"), "{errors}");
    same_as_whole(&run);

    std::fs::remove_file(run.join("summary.json")).unwrap();
    for name in checkpoints(&run) {
        flip(&at(&name, "config.json"));
    }
    let (code, errors) = ends(&mut command(&run, &["--resume"]));
    assert_eq!(code, 1);
    assert!(errors.contains("no checkpoint in it is complete") && errors.contains("--overwrite"), "{errors}");
    succeeds(&mut command(&run, &["--overwrite"]));
    same_as_whole(&run);
}

#[test]
fn a_checkpoint_fits_its_own_run_alone() {
    let run = unfinished("own", &[]);
    let at = |name: &str| workshop().join(name).display().to_string();
    let (text, vocab, out) = (at("text.txt"), at("vocab.txt"), at("more"));
    support::train(&["prepare", "--text", &text, "--vocab", &vocab, "-o", &out, "--held-out-every", "19"]);
    for (more, words) in [
        (["--learning-rate", "0.5"], "schedule.learning_rate is 0.5 here and 0.001 in the checkpoint"),
        (["--seed", "3"], "seed is 3 here and 56 in the checkpoint"),
        (["--steps", "61"], "steps is 61 here and 60 in the checkpoint"),
        (["--alpha-cos", "2"], "objective.alpha_cos is 2.0 here and 1.0 in the checkpoint"),
        (["--teacher", "../whole"], "the teacher is another"),
        (["--data", "../more"], "the data is another"),
    ] {
        let value = match more[1].strip_prefix("../") {
            Some(name) => workshop().join(name).display().to_string(),
            None => more[1].into(),
        };
        let (code, errors) = ends(&mut command(&run, &["--resume", more[0], &value]));
        assert_eq!(code, 1, "{errors}");
        assert!(errors.contains("another run") && errors.contains(words), "{more:?}: {errors}");
        assert!(errors.contains("--overwrite"), "{errors}");
    }
    // Nothing was harmed.
    succeeds(&mut command(&run, &["--resume"]));
    same_as_whole(&run);
    // A model that no run of this program made is not replaced by a resumed one that has nothing to go on from.
    let teacher = workshop().join("stranger");
    std::fs::create_dir(&teacher).unwrap();
    std::fs::copy(workshop().join("teacher/model.safetensors"), teacher.join("model.safetensors")).unwrap();
    let (code, errors) = ends(&mut command(&teacher, &["--resume"]));
    assert!(code == 1 && errors.contains("no checkpoint to go on from"), "{errors}");
}

/// The scales of int4 that a search found some steps ago are part of where a run stands.
#[test]
fn a_phase_on_the_grid_of_a_packed_file_goes_on() {
    let qat = ["--qat", "int4", "--qat-start", "0.3", "--qat-refresh", "9"];
    let whole = workshop().join("grid-whole");
    succeeds(&mut command(&whole, &qat));
    let run = unfinished("grid", &qat);
    let last = run.join("checkpoints").join(&checkpoints(&run)[1]);
    std::fs::remove_dir_all(last).unwrap();
    let (_, errors) = succeeds(&mut command(&run, &[&qat[..], &["--resume"]].concat()));
    assert!(errors.contains("going on after step 50"), "{errors}");
    assert_eq!(runs::metrics(&run), runs::metrics(&whole));
    let weights = |run: &Path| std::fs::read(run.join("model.safetensors")).unwrap();
    assert!(weights(&run) == weights(&whole), "other weights");
    assert!(weights(&run) != weights(&workshop().join("whole")), "the grid changes nothing");
}

#[test]
fn the_newest_and_the_best_are_kept() {
    let whole = workshop().join("whole");
    // Evaluations after steps 25 and 50 were better than any before, so they have checkpoints; that after the last step is best.
    let lines = std::fs::read_to_string(whole.join("metrics.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let losses: Vec<f64> = lines.iter().filter_map(|line| line["held_out"]["mlm_loss"].as_f64()).collect();
    assert!(losses.len() == 3 && losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    assert_eq!(checkpoints(&whole), ["step-00000050", "step-00000056"]);
    let best = |run: &Path| std::fs::read_to_string(run.join("checkpoints/best")).unwrap();
    assert_eq!(best(&whole), "step-00000050\n");
    let summary: Value = serde_json::from_slice(&std::fs::read(whole.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["best_step"], STEPS);

    // A rate that undoes what was learned: the best comes early and stays.
    let run = workshop().join("best");
    let rate = ["--learning-rate", "3", "--warmup", "0.9", "--eval-every", "5", "--keep", "1"];
    succeeds(&mut command(&run, &rate));
    let lines = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let held_out =
        lines.iter().filter_map(|line| Some((line["held_out"]["mlm_loss"].as_f64()?, line["step"].as_u64()?)));
    let (_, step) = held_out.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["best_step"], step);
    assert!(step < 50, "the best came late: {step}");
    assert_eq!(checkpoints(&run), [format!("step-{step:08}"), "step-00000056".into()]);
    assert_eq!(best(&run), format!("step-{step:08}\n"));
    // It is a model like any other.
    let (model, data) = (run.join("checkpoints").join(best(&run).trim()), workshop().join("data"));
    let arguments = ["eval", "--model", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--sequences", "10"];
    support::train(&arguments);
}

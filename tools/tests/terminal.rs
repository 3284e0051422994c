//! Terminals and pipes: escape codes only where they are wanted, and a quiet end where nobody reads on.
#![cfg(unix)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use distil_tools::fixture::Fixture;
use distil_tools::hf::HeadKind;
use support::Place;

/// What a terminal shows of a command; `None` (and says so) without the program `script` of util-linux.
fn on_a_terminal(place: &Place, line: &str, environment: &[(&str, &str)]) -> Option<String> {
    let found = Command::new("script").arg("--version").output();
    if !found.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux")) {
        eprintln!("SKIPPED: no terminal to be had without `script` of util-linux");
        return None;
    }
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", line, "/dev/null"]).current_dir(place.0.path());
    // What a person's terminal has: under `CI` help is coloured whatever `TERM` says.
    for name in ["CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").stdin(Stdio::null());
    command.envs(environment.iter().copied());
    Some(String::from_utf8(command.output().unwrap().stdout).unwrap())
}

const TOOLS: &str = env!("CARGO_BIN_EXE_tools");

#[test]
fn terminals_get_escape_codes_unless_they_ask_for_none() {
    let place = Place::packed(&Fixture::default());
    // Progress, help and a wrong command line: everything that could be colourful.
    for (arguments, drawn) in
        [("bench model.distil --tokens 4 --seconds 0.3", true), ("--help", true), ("verify --nonsense", true)]
    {
        let line = format!("{TOOLS} {arguments}");
        let Some(shown) = on_a_terminal(&place, &line, &[]) else { return };
        assert_eq!(shown.contains('\x1b'), drawn, "{arguments}: {shown:?}");
        for environment in [&[("NO_COLOR", "1")][..], &[("TERM", "dumb")]] {
            let shown = on_a_terminal(&place, &line, environment).unwrap();
            assert!(!shown.contains('\x1b') && !shown.is_empty(), "{arguments} with {environment:?}: {shown:?}");
        }
    }
}

/// A run of more than two seconds says so in plain lines, where escape codes are not wanted.
#[test]
fn progress_without_escape_codes() {
    let place = Place::packed(&Fixture::default());
    let line = format!("{TOOLS} bench model.distil --tokens 4 --seconds 2.6");
    let Some(shown) = on_a_terminal(&place, &line, &[("NO_COLOR", "1")]) else { return };
    let lines: Vec<&str> = shown.lines().filter(|line| line.starts_with("measuring ")).collect();
    assert_eq!(lines.len(), 1, "{shown:?}");
}

#[test]
fn pipes_get_plain_text() {
    let place = Place::packed(&Fixture::default());
    for args in [
        &["--help"][..],
        &["inspect", "model.distil"],
        &["verify", "model.distil", "--against", "model"],
        &["verify", "model.distil"],
        &["bench", "model.distil", "--tokens", "4", "--seconds", "0.2"],
    ] {
        let output = place.run(args);
        assert!(![output.stdout, output.stderr].concat().contains(&0x1b), "tools {}", args.join(" "));
    }
}

/// The first line is read and the pipe closed, as `| head -1` does: no panic, no message.
#[test]
fn a_reader_that_goes_away_ends_the_output() {
    let place = Place::packed(&Fixture { head: HeadKind::Embedding, layers: 12, ..Fixture::default() });
    let mut texts = String::new();
    (0..4000).for_each(|_| texts += "turn the lights off\n");
    place.write("texts.txt", texts);
    place.ok(&["pack", "model", "-o", "other.distil", "--weights", "int4"]);
    for (args, code) in [
        (&["inspect", "model.distil"][..], 0),
        (&["verify", "model.distil", "--against", "model"], 0),
        (&["tokenize", "model.distil"], 0),
        (&["completions", "bash"], 0),
        (&["schema", "verify"], 0),
        (&["help", "pack"], 0),
        // What was found stands, whoever reads it.
        (&["diff", "model.distil", "other.distil"], 1),
        (&["verify", "model.distil", "--against", "model", "--max-error", "0"], 1),
    ] {
        let input = std::fs::File::open(place.path("texts.txt")).unwrap();
        let mut command = Command::new(TOOLS);
        command.args(args).current_dir(place.0.path()).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!line.is_empty() && !said.contains("panicked"), "tools {}: {said}", args.join(" "));
        assert_eq!(output.status.code(), Some(code), "tools {}: {said}", args.join(" "));
        assert_eq!(said.is_empty(), !said.starts_with("error: model.distil: differs too much"), "{said}");
    }
}

/// Standard error may be gone as well.
#[test]
fn nobody_listens_to_errors() {
    let place = Place::empty();
    let line = format!("{TOOLS} inspect nowhere.distil 2>&-");
    let output = Command::new("sh").args(["-c", &line]).current_dir(place.0.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

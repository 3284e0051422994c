//! What is generated of the command line's grammar: completions and manual pages.

mod support;

use std::process::Command;

use distil_tools::commands::command;
use support::Place;

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

/// Each verb with its long options.
fn grammar() -> Vec<(String, Vec<String>)> {
    let verb = |verb: &clap::Command| {
        let options = verb.get_arguments().filter_map(|option| option.get_long().map(str::to_owned));
        (verb.get_name().to_owned(), options.collect())
    };
    command().get_subcommands().map(verb).collect()
}

#[test]
fn completions_know_every_verb_and_option() {
    let place = Place::empty();
    for shell in SHELLS {
        let script = place.ok(&["completions", shell]);
        for (verb, options) in grammar() {
            assert!(script.contains(&verb), "{shell}: {verb}");
            for option in options {
                let written = if shell == "fish" { format!("-l {option}") } else { format!("--{option}") };
                assert!(script.contains(&written), "{shell}: {verb} --{option}");
            }
        }
        assert_eq!(script, place.ok(&["completions", shell]));
    }
}

/// Shells that are here read their script without complaint.
#[test]
fn shells_accept_their_completions() {
    let place = Place::empty();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        place.write("script", place.ok(&["completions", shell]));
        match Command::new(shell).arg(check).arg(place.path("script")).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => eprintln!("SKIPPED: no {shell} here"),
        }
    }
}

/// What bash offers after `tools ver`.
#[test]
fn bash_completes_a_verb() {
    let place = Place::empty();
    place.write("script", place.ok(&["completions", "bash"]));
    let line = "source ./script; COMP_WORDS=(tools ver); COMP_CWORD=1; _tools tools ver tools; echo ${COMPREPLY[@]}";
    match Command::new("bash").args(["-c", line]).current_dir(place.0.path()).output() {
        Ok(output) => assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "verify"),
        Err(_) => eprintln!("SKIPPED: no bash here"),
    }
}

#[test]
fn one_script_in_full() {
    insta::assert_snapshot!(Place::empty().ok(&["completions", "fish"]));
}

#[test]
fn a_page_for_every_verb() {
    let place = Place::empty();
    let said = place.ok(&["man", "-o", "pages/man1"]);
    let mut expected = vec!["pages/man1/tools.1".to_owned()];
    expected.extend(grammar().iter().map(|(verb, _)| format!("pages/man1/tools-{verb}.1")));
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    for (verb, options) in grammar() {
        let page = std::fs::read_to_string(place.path(&format!("pages/man1/tools-{verb}.1"))).unwrap();
        assert!(page.contains("Examples:") && page.contains(&format!("tools {verb} ").replace('-', "\\-")), "{verb}");
        for option in options {
            assert!(page.contains(&format!("\\-\\-{}", option.replace('-', "\\-"))), "{verb}: --{option}");
        }
    }
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    insta::assert_snapshot!(read("pages/man1/tools.1") + "\n" + &read("pages/man1/tools-diff.1"));
}

#[test]
fn pages_that_cannot_be_written() {
    let place = Place::empty();
    place.write("taken", "a file");
    let said = place.fails(&["man", "-o", "taken"]);
    assert!(said.contains("error: taken: cannot be written: ") && said.ends_with("exit code 1\n"), "{said}");
}

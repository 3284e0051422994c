//! What a machine should say, kept beside its program.
//!
//! Numbers that change with the compiler or the kernels, and say nothing about being right, are masked: instructions,
//! bytes of code and of stack. Everything else, the probabilities included, has to be the same to the last digit.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::app::App;
use super::machine::{Machine, Run};

/// The file beside the machine's program.
pub(super) fn path(machine: &Machine, app: App) -> PathBuf {
    machine.folder().join("expected").join(app.name()).with_extension("txt")
}

/// Writes what the machine said.
pub(super) fn accept(machine: &Machine, app: App, run: &Run) -> Result<()> {
    if run.code != 0 {
        bail!("{} exited with {}; only a good run can be expected", machine.name, run.code);
    }
    let path = path(machine, app);
    fs::create_dir_all(machine.folder().join("expected"))?;
    fs::write(&path, mask(&run.text)).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Compares what the machine said with what it should; the error shows each line that differs.
pub(super) fn compare(machine: &Machine, app: App, run: &Run) -> Result<()> {
    let path = path(machine, app);
    let expected = fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}; `cargo xtask firmware run {} {} --accept` writes it",
            path.display(),
            machine.name,
            app.name()
        )
    })?;
    let found = mask(&run.text);
    let differences = differences(&expected, &found);
    if !differences.is_empty() {
        bail!(
            "{} did not say what {} expects (its exit code was {}); if the new output is right, run \
             `cargo xtask firmware run {} {} --accept`\n{differences}",
            machine.name,
            path.display(),
            run.code,
            machine.name,
            app.name()
        );
    }
    if run.code != 0 {
        bail!("{} said what is expected but exited with {}", machine.name, run.code);
    }
    Ok(())
}

/// Compares what a board's image said with a file, or writes the file; `again` is the command that writes it.
pub(super) fn settle(path: &Path, text: &str, accept: bool, again: &str) -> Result<()> {
    if accept {
        fs::write(path, mask(text)).with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.display());
        return Ok(());
    }
    let expected =
        fs::read_to_string(path).with_context(|| format!("cannot read {}; `{again}` writes it", path.display()))?;
    let differences = differences(&expected, &mask(text));
    if !differences.is_empty() {
        bail!("not what {} expects; if it is right, run `{again}`\n{differences}", path.display());
    }
    Ok(())
}

/// Lines that differ, `-` expected and `+` found.
fn differences(expected: &str, found: &str) -> String {
    let (mut old, mut new) = (expected.lines(), found.lines());
    let mut text = String::new();
    loop {
        match (old.next(), new.next()) {
            (None, None) => return text,
            (a, b) if a == b => {}
            (a, b) => {
                text.extend(a.map(|line| format!("- {line}\n")));
                text.extend(b.map(|line| format!("+ {line}\n")));
            }
        }
    }
}

/// Replaces the numbers that depend on the build by `#`.
fn mask(text: &str) -> String {
    text.lines().map(|line| mask_line(line) + "\n").collect()
}

fn mask_line(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    let built = matches!(words.first(), Some(&("code:" | "stack:")));
    for i in 1..words.len() {
        let masked =
            matches!(words[i].trim_end_matches(','), "instructions" | "cycles") || (built && words[i] == "bytes");
        if masked && words[i - 1].bytes().all(|b| b.is_ascii_digit()) {
            words[i - 1] = "#";
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{differences, mask};

    #[test]
    fn only_numbers_of_the_build_are_masked() {
        let text = "code: 4711 bytes\nmodel: 99 bytes\nopened in 12 instructions\n   7 tokens, 345 instructions\n";
        assert_eq!(
            mask(text),
            "code: # bytes\nmodel: 99 bytes\nopened in # instructions\n   7 tokens, # instructions\n"
        );
        assert_eq!(mask("8 tokens: 5 instructions, arena 9 bytes\n"), "8 tokens: # instructions, arena 9 bytes\n");
        assert_eq!(
            mask("   in turns: core 0 5 cycles, core 1 6 cycles\n"),
            "   in turns: core 0 # cycles, core 1 # cycles\n"
        );
        assert_eq!(mask("stack: 5 bytes of 64\n"), "stack: # bytes of 64\n");
    }

    #[test]
    fn differences_show_both_sides() {
        assert_eq!(differences("a\nb\n", "a\nb\n"), "");
        assert_eq!(differences("a\nb\n", "a\nc\nd\n"), "- b\n+ c\n+ d\n");
        assert_eq!(differences("a\nb\n", "a\n"), "- b\n");
    }
}

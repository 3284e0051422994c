//! `cargo xtask firmware flash`: model and program onto a real board.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::app::App;
use super::images::Images;
use super::machine::Machine;
use crate::shell::{display, has};

/// How a real board is written.
pub(super) struct Board {
    /// Programs and arguments, in order, with `{model}`, `{check}` and `{program}` in place of the files. The last one
    /// starts the program and shows its log.
    pub(super) steps: &'static [&'static [&'static str]],
}

/// What is to be installed for a program of the steps.
const SOURCES: [(&str, &str); 2] = [
    ("probe-rs", "`cargo install --locked probe-rs-tools`, or https://probe.rs"),
    ("STM32_Programmer_CLI", "STM32CubeProgrammer from https://www.st.com, and its folder `bin` on the PATH"),
];

/// Prints the commands and runs them, unless they are only to be shown.
pub(super) fn flash(machine: &Machine, app: App, images: &Images, show: bool) -> Result<()> {
    let Some(board) = &machine.board else {
        bail!("{} is an emulated machine; `cargo xtask firmware run {} {}`", machine.name, machine.name, app.name());
    };
    let commands = board.steps.iter().map(|step| filled(step, images, &machine.elf()?)).collect::<Result<Vec<_>>>()?;
    for command in &commands {
        println!("{}", display(command));
    }
    if show {
        return Ok(());
    }
    for (program, source) in SOURCES {
        if board.steps.iter().any(|step| step[0] == program) && !has(program) {
            bail!(
                "no {program} on this machine, so nothing was written; install it ({source}) and run the commands above"
            );
        }
    }
    for mut command in commands {
        let status = command.status().with_context(|| format!("cannot start `{}`", display(&command)))?;
        if !status.success() {
            bail!(
                "`{}` failed ({status}); is the board connected, and its boot switches as in firmware/{}/README.md?",
                display(&command),
                machine.name
            );
        }
    }
    Ok(())
}

fn filled(step: &[&str], images: &Images, program: &Path) -> Result<Command> {
    let text =
        |path: &Path| path.to_str().map(str::to_owned).with_context(|| format!("{} is not UTF-8", path.display()));
    let (model, check, program) = (text(&images.model)?, text(&images.check)?, text(program)?);
    let (name, arguments) = step.split_first().context("a step has a program")?;
    let mut command = Command::new(name);
    let fill = |word: &&str| word.replace("{model}", &model).replace("{check}", &check).replace("{program}", &program);
    command.args(arguments.iter().map(fill));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::filled;
    use crate::firmware::images::Images;
    use crate::firmware::list::MACHINES;
    use crate::shell::display;

    #[test]
    fn every_board_gets_its_model_and_its_program() {
        let images = Images { model: "a.distil".into(), check: "a.check".into() };
        let mut boards = 0;
        for board in MACHINES.iter().filter_map(|machine| machine.board.as_ref()) {
            let command = |step: &&[&str]| display(&filled(step, &images, "elf".as_ref()).unwrap());
            let all = board.steps.iter().map(command).collect::<Vec<_>>().join("\n");
            assert!(["a.distil", "a.check", "elf"].iter().all(|file| all.contains(file)), "{all}");
            assert!(!all.contains('{'), "{all}");
            boards += 1;
        }
        assert!(boards >= 2);
    }
}

//! The last scene of the demo: the student learns what commands ask for, and a command is classified on this machine and
//! on the emulated boards.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::commands::{Commands, SHOWN};
use super::{Demo, SEED, measure};
use crate::shell;

impl Demo {
    /// Fine-tunes the student on commands, packs it, and shows its answer to one that it has never seen.
    pub(super) fn classify(&self, student: &Path) -> Result<()> {
        self.step("fine-tuning the student: what does a command ask for?");
        let commands = Commands::generate(56);
        let (train, held_out) =
            (self.write("commands.tsv", &commands.train)?, self.write("commands-held-out.tsv", &commands.held_out)?);
        let folder = self.out.join("commands");
        let mut finetune = self.train("finetune");
        finetune
            .arg("--model")
            .arg(student)
            .arg("--train")
            .arg(&train)
            .arg("--dev")
            .arg(&held_out)
            .arg("--output")
            .arg(&folder);
        finetune.args(["--task", "classification", "--max-length", "64", "--learning-rate", "0.001"]);
        finetune.args(if self.quick { ["--steps", "5"] } else { ["--epochs", "3"] });
        shell::run(finetune.args(["--seed", SEED, "--overwrite"]))?;

        self.step("packing it; the command on this machine, then on the emulated boards");
        let file = self.out.join("commands.distil");
        let tools = |verb: &str| {
            let mut command = std::process::Command::new(self.programs.join("tools"));
            command.arg(verb);
            command
        };
        shell::run(tools("pack").arg(&folder).arg("-o").arg(&file))?;
        let evaluated =
            measure::json(tools("eval").arg(&file).args(["--task", "classification", "--data"]).arg(&held_out))?;
        let (accuracy, texts) = (measure::number(&evaluated, "accuracy")?, measure::number(&evaluated, "texts")?);
        let answer = measure::json(tools("run").arg(&file).args(["--text", SHOWN]))?;
        let label = answer["label"].as_str().context("a classifier answers with a label")?;
        let probability = measure::number(&answer, "probability")?;
        let here = format!("{label} (probability {probability:.4})");

        let (text, check) = (self.write("command.txt", &[SHOWN.to_owned()])?, file.with_extension("check"));
        shell::run(tools("check").arg(&file).arg("--text").arg(&text).arg("-o").arg(&check))?;
        for machine in measure::boards() {
            let run = machine.run(&file, &check)?;
            eprint!("{}", run.text);
            if run.code != 0 {
                bail!("{} does not give the host's bits for the command: exit code {}", machine.name, run.code);
            }
            let there = run.text.lines().find_map(|line| line.trim().strip_prefix("label: "));
            if there != Some(&here) {
                bail!("{} says {there:?}, this machine {here:?}", machine.name);
            }
        }
        let names = measure::machines().join(", ");
        println!("\n\"{SHOWN}\" -> {label} {probability:.2}, on this machine, {names}");
        println!("{:.1}% of {texts} held-out commands are classified right", 100.0 * accuracy);
        Ok(())
    }
}

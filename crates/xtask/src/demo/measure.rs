//! Packs one model and measures it: size, accuracy, time on this machine, instructions on the emulated ones.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::table::Row;
use crate::firmware::{MACHINES, Machine};
use crate::shell;

/// Larger files fit into no board that is emulated here.
const MOST_BYTES_ON_A_BOARD: u64 = 64 << 20;

/// A model to be measured.
pub(super) struct Subject<'a> {
    /// Its name in the table.
    pub(super) name: &'static str,
    /// Its Hugging Face folder.
    pub(super) folder: &'a Path,
    /// How `tools pack` stores its weights.
    pub(super) weights: &'static str,
    /// Where to write the packed file.
    pub(super) file: &'a Path,
    /// Folder of the programs.
    pub(super) programs: &'a Path,
}

/// The emulated boards with room for the models of the demo, as far as one core can be counted.
pub(super) fn boards() -> impl Iterator<Item = &'static Machine> {
    MACHINES.iter().filter(|machine| machine.room() >= MOST_BYTES_ON_A_BOARD && machine.runs_on_one_core())
}

/// Names of their processors.
pub(super) fn machines() -> Vec<String> {
    boards().map(processor).collect()
}

fn processor(machine: &Machine) -> String {
    let word = machine.what.split([' ', ',']).find(|word| word.starts_with("Cortex-"));
    word.unwrap_or(machine.name).to_string()
}

impl Subject<'_> {
    /// Packs and measures; also gives the tokens of an average sentence, which is what is timed.
    pub(super) fn measure(&self, held_out: &Path, sentences: &Path) -> Result<(Row, usize)> {
        let mut pack = self.tools("pack");
        pack.arg(self.folder).arg("-o").arg(self.file);
        shell::run(pack.args(["--weights", self.weights, "--embeddings", self.weights, "--head", "masked-lm"]))?;
        let check = self.file.with_extension("check");
        shell::run(self.tools("check").arg(self.file).arg("--text").arg(sentences).arg("-o").arg(&check))?;

        let inspected = json(self.tools("inspect").arg(self.file))?;
        let evaluated = json(self.tools("eval").arg(self.file).args(["--task", "mlm", "--data"]).arg(held_out))?;
        let bytes = number(&inspected, "bytes")? as u64;
        let (instructions, tokens) = self.boards(bytes, &check)?;
        let benched =
            json(self.tools("bench").arg(self.file).args(["--seconds", "1", "--tokens", &tokens.to_string()]))?;
        let row = Row {
            name: self.name,
            parameters: number(&inspected, "parameters")? as u64,
            bytes,
            accuracy: number(&evaluated, "accuracy")?,
            milliseconds: number(&benched, "median_ms")?,
            instructions,
        };
        Ok((row, tokens))
    }

    fn tools(&self, verb: &str) -> Command {
        let mut command = Command::new(self.programs.join("tools"));
        command.arg(verb);
        command
    }

    /// Instructions of an average sentence on each machine, and its tokens.
    fn boards(&self, bytes: u64, check: &Path) -> Result<(Vec<Option<f64>>, usize)> {
        if bytes > MOST_BYTES_ON_A_BOARD {
            eprintln!("the {} has {bytes} bytes, more than the emulated boards hold", self.name);
            return Ok((vec![None; boards().count()], 16));
        }
        let mut instructions = Vec::new();
        let mut tokens = 0;
        for machine in boards() {
            let run = machine.run(self.file, check)?;
            eprint!("{}", run.text);
            if run.code != 0 {
                bail!("{} does not give the host's bits for the {}: exit code {}", machine.name, self.name, run.code);
            }
            let (each, lengths) = (run.instructions(), run.tokens());
            let sentences = each.len().max(1);
            instructions.push(Some(each.iter().sum::<u64>() as f64 / sentences as f64));
            tokens = lengths.iter().sum::<usize>().div_ceil(sentences);
        }
        Ok((instructions, tokens))
    }
}

/// Runs a command with `--json`; its last line is the object.
pub(super) fn json(command: &mut Command) -> Result<Value> {
    let text = shell::output(command.arg("--json"))?;
    let shown = || format!("`{}` printed no JSON", shell::display(command));
    serde_json::from_str(&text).or_else(|_| serde_json::from_str(text.lines().last().unwrap_or(""))).with_context(shown)
}

/// A number of an object that a command printed.
pub(super) fn number(object: &Value, key: &str) -> Result<f64> {
    object[key].as_f64().with_context(|| format!("there is no number `{key}` in {object}"))
}

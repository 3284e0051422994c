//! What a model costs on a board: one run in the emulator, priced by LLVM's model of the processor.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::super::cycles::{Cost, by_function, one_core};
use super::super::instructions::checked;
use super::super::llvm::Llvm;
use super::super::profile::Plugin;
use super::super::programs::{folder, inspected, number};
use super::super::subjects::{Packing, Shape, check_file};
use super::boards::Board;
use crate::firmware::{self, Launch, Machine};

/// A model on a board.
pub(super) struct Subject<'b> {
    pub(super) board: &'b Board,
    pub(super) shape: Shape,
    pub(super) packing: Packing,
    pub(super) file: PathBuf,
}

/// What was measured of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    /// Bytes of the program's code and constants.
    pub(super) code: u64,
    /// Bytes of the weights of all layers.
    pub(super) layer_bytes: f64,
    /// One for each length.
    pub(super) texts: Vec<Text>,
}

/// A text from its first byte to its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Text {
    /// Bytes of the arena for this length.
    pub(super) arena: u64,
    pub(super) instructions: f64,
    pub(super) cycles: f64,
}

/// Runs what has not been run yet.
pub(super) struct Runner {
    llvm: Llvm,
    tokens: Vec<usize>,
    resume: bool,
    built: HashMap<&'static str, ()>,
}

impl Runner {
    pub(super) fn new(llvm: Llvm, tokens: Vec<usize>, resume: bool) -> Result<Self> {
        if tokens.is_empty() {
            bail!("there is nothing to measure without --tokens");
        }
        Ok(Self { llvm, tokens, resume, built: HashMap::new() })
    }

    pub(super) fn llvm(&self) -> &Llvm {
        &self.llvm
    }

    pub(super) fn tokens(&self) -> &[usize] {
        &self.tokens
    }

    /// Measures the model, or takes what an earlier call has kept.
    pub(super) fn measure(&mut self, subject: &Subject<'_>) -> Result<Measured> {
        let board = subject.board;
        let lengths: Vec<_> = self.tokens.iter().map(usize::to_string).collect();
        let stem = subject.file.file_stem().unwrap_or_default().to_string_lossy();
        let kept = folder()?.join(format!("edge-{}-{stem}-{}.json", board.model.cpu, lengths.join("-")));
        if self.resume && kept.is_file() {
            let value: Value = serde_json::from_str(&fs::read_to_string(&kept)?)?;
            return Measured::of(&value).with_context(|| format!("{} is damaged; delete it", kept.display()));
        }
        let measured = self.run(subject)?;
        fs::write(&kept, measured.json().to_string()).with_context(|| format!("cannot write {}", kept.display()))?;
        Ok(measured)
    }

    fn run(&mut self, subject: &Subject<'_>) -> Result<Measured> {
        let board = subject.board;
        let machine = Machine::named(board.machine)?;
        if self.built.insert(machine.name, ()).is_none() {
            firmware::build(machine)?;
        }
        eprintln!("{}: {} {}", board.name, subject.shape.name(), subject.packing.name());
        let about = inspected(&subject.file)?;
        let check = check_file(&subject.file, &self.tokens)?;
        let plugin = Plugin::new(&self.llvm, &machine.elf()?)?;
        let launch = Launch {
            model: Some(&subject.file),
            check: Some(&check),
            cpu: board.cpu,
            cores: one_core(machine),
            plugin: Some(&plugin.argument),
            ..Launch::default()
        };
        let run = checked(machine.launch(&launch)?, &self.tokens)?;
        let symbols = self.llvm.symbols(&machine.elf()?)?;
        // Opening the file is the first pair; each text has one for its encoding and one for its head.
        let pairs = plugin.read()?;
        if pairs.len() != 1 + 2 * self.tokens.len() {
            bail!("the profile has {} pairs and should have {}", pairs.len(), 1 + 2 * self.tokens.len());
        }
        let mut texts = Vec::new();
        for (at, (&tokens, reported)) in self.tokens.iter().zip(run.instructions()).enumerate() {
            let blocks = pairs[1 + 2 * at..3 + 2 * at].concat();
            let costs = by_function(&self.llvm, board.model, &blocks, &symbols)?;
            let total = costs.iter().fold(Cost::default(), |sum, (_, cost)| sum.plus(*cost));
            if (total.instructions - reported as f64).abs() > 0.001 * reported as f64 {
                bail!("the profile has {} instructions and the machine counted {reported}", total.instructions);
            }
            texts.push(Text { arena: arena(&about, tokens)?, instructions: total.instructions, cycles: total.cycles });
        }
        let code = run.text.lines().find_map(|line| line.strip_prefix("code: ")?.strip_suffix(" bytes")?.parse().ok());
        Ok(Measured {
            code: code.context("the machine did not say how long its code is")?,
            layer_bytes: number(&about["parts"], "layers")?,
            texts,
        })
    }
}

/// Bytes of the arena for so many tokens on one core, as `tools inspect` lists them.
fn arena(about: &Value, tokens: usize) -> Result<u64> {
    let plans = about["arena"].as_array().context("`tools inspect` lists no arenas")?;
    let plan = plans.iter().find(|plan| plan["tokens"].as_u64() == Some(tokens as u64));
    plan.and_then(|plan| plan["fast_bytes"].as_u64()).with_context(|| {
        format!("`tools inspect` lists no arena for {tokens} tokens; choose 8, 16, 32, 64, 128, 256 or 512")
    })
}

impl Measured {
    fn json(&self) -> Value {
        let texts: Vec<_> = self
            .texts
            .iter()
            .map(|text| json!({ "arena": text.arena, "instructions": text.instructions, "cycles": text.cycles }))
            .collect();
        json!({ "code": self.code, "layer_bytes": self.layer_bytes, "texts": texts })
    }

    fn of(value: &Value) -> Result<Self> {
        let texts = value["texts"].as_array().context("there are no texts in it")?;
        let text = |text: &Value| {
            Ok(Text {
                arena: number(text, "arena")? as u64,
                instructions: number(text, "instructions")?,
                cycles: number(text, "cycles")?,
            })
        };
        Ok(Self {
            code: number(value, "code")? as u64,
            layer_bytes: number(value, "layer_bytes")?,
            texts: texts.iter().map(text).collect::<Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Measured, Text, arena};

    #[test]
    fn what_is_kept_is_read_again() {
        let text = Text { arena: 5, instructions: 1e9, cycles: 2.5e9 };
        let measured = Measured { code: 100, layer_bytes: 4e7, texts: vec![text, text] };
        assert_eq!(Measured::of(&measured.json()).unwrap(), measured);
        assert!(Measured::of(&json!({ "code": 1 })).is_err());
    }

    #[test]
    fn arenas_are_found_by_their_length() {
        let about = json!({ "arena": [{ "tokens": 32, "fast_bytes": 7 }, { "tokens": 128, "fast_bytes": 9 }] });
        assert_eq!(arena(&about, 128).unwrap(), 9);
        assert!(arena(&about, 33).is_err());
    }
}

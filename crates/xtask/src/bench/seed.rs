//! `bench seed`: the claim that started it all. A distilled model is half as deep as its teacher and a packed one a
//! quarter as wide in bytes: DistilBERT against BERT-base on the same runtime, random weights of the real shapes.

use anyhow::{Context, Result};

use super::Outcome;
use super::instructions::checked;
use super::place;
use super::programs::{json, number, tools};
use super::stats::{Samples, ratios};
use super::subjects::{Packing, Shape, check_file, packed};
use super::table::{Table, digits, grouped};
use crate::firmware::{self, Launch, Machine};

/// Arguments of `bench seed`.
#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// Length of the text
    #[arg(long, default_value_t = 128)]
    pub(super) tokens: usize,
    /// Weights
    #[arg(long, value_delimiter = ',', default_value = "f32,int8,int4")]
    pub(super) weights: Vec<String>,
    /// Processors to count instructions on
    #[arg(long, value_delimiter = ',', default_value = "cortex-a53,cortex-a76,max")]
    pub(super) cpu: Vec<String>,
    /// Rounds of turns on this machine
    #[arg(long, default_value_t = 5)]
    pub(super) rounds: usize,
}

/// A model in one packing.
struct Subject {
    shape: Shape,
    packing: Packing,
    file: std::path::PathBuf,
    parameters: u64,
    bytes: u64,
    times: Vec<f64>,
    /// One for each processor.
    instructions: Vec<u64>,
}

/// Runs the command.
pub(super) fn measure(args: &Args, command: &str) -> Result<Outcome> {
    let mut notes = Vec::new();
    let mut subjects = Vec::new();
    // The largest first: everything is compared with it.
    for shape in [Shape::BertBase, Shape::DistilBert] {
        for weights in &args.weights {
            match packed(shape, &Packing::of(weights))? {
                Ok(file) => subjects.push(Subject::new(shape, Packing::of(weights), file)?),
                Err(reason) if shape == Shape::BertBase => notes.push(format!("{reason}.")),
                Err(_) => {}
            }
        }
    }
    let machine = Machine::named("qemu-a64")?;
    firmware::build(machine)?;
    for subject in &mut subjects {
        let check = check_file(&subject.file, &[args.tokens])?;
        for cpu in &args.cpu {
            let launch = Launch {
                model: Some(&subject.file),
                check: Some(&check),
                cpu: Some(cpu),
                cores: Some(1),
                ..Launch::default()
            };
            subject.instructions.extend(checked(machine.launch(&launch)?, &[args.tokens])?.instructions());
        }
    }
    let load = place::load();
    for round in 0..args.rounds.max(1) {
        eprint!("\rround {} of {}  ", round + 1, args.rounds.max(1));
        for subject in &mut subjects {
            let mut bench = tools("bench")?;
            bench.arg(&subject.file).args(["--json", "--seconds", "0", "--tokens", &args.tokens.to_string()]);
            subject.times.push(number(&json(&mut bench)?, "median_ms")?);
        }
    }
    eprintln!();

    let title = format!("DistilBERT against BERT-base, {} tokens, one thread, the same runtime", args.tokens);
    let mut table =
        Table::new(title, command, &["model", "weights", "parameters", "bytes", "smaller", "ms (range)", "faster"]);
    for cpu in &args.cpu {
        table.head.extend([format!("M instructions, {cpu}"), "fewer".into()]);
    }
    if let Some(first) = subjects.first() {
        table.rows = subjects.iter().map(|subject| subject.row(first)).collect::<Result<_>>()?;
        notes.push(format!(
            "{} (load {load} before); {} with `-icount shift=0`. Random weights of the real shapes, two-label classifiers, vocabulary and head in \
             the file; smaller, faster and fewer are against {} {}. {} rounds of turns, each the median of at least 11 \
             calls. Every output had the same bits on all machines.",
            place::machine(),
            place::version("qemu-system-aarch64"),
            first.shape.name(),
            first.packing.name(),
            args.rounds.max(1)
        ));
    }
    table.notes = notes;
    Ok(Outcome { tables: vec![table], measured: Vec::new() })
}

impl Subject {
    fn new(shape: Shape, packing: Packing, file: std::path::PathBuf) -> Result<Self> {
        let about = json(tools("inspect")?.arg(&file).arg("--json"))?;
        let (parameters, bytes) = (number(&about, "parameters")? as u64, number(&about, "bytes")? as u64);
        Ok(Self { shape, packing, file, parameters, bytes, times: Vec::new(), instructions: Vec::new() })
    }

    fn row(&self, first: &Self) -> Result<Vec<String>> {
        let times = Samples::new(self.times.clone()).context("each model had its turns")?;
        let faster = ratios(&first.times, &self.times).context("each model had its turns")?;
        let mut row = vec![
            self.shape.name().into(),
            self.packing.name(),
            grouped(self.parameters),
            grouped(self.bytes),
            format!("{}x", digits(first.bytes as f64 / self.bytes as f64)),
            times.shown(),
            format!("{}x", digits(faster.median())),
        ];
        for (own, base) in self.instructions.iter().zip(&first.instructions) {
            row.extend([digits(*own as f64 / 1e6), format!("{}x", digits(*base as f64 / *own as f64))]);
        }
        Ok(row)
    }
}

//! `bench training`: a step of distillation, ours and PyTorch's in turns.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Outcome;
use super::peer::python;
use super::place;
use super::programs::{json, number, train_path};
use super::stats::{Samples, ratios};
use super::table::{Table, digits, grouped};
use crate::shell::root;

/// Arguments of `bench training`.
#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// Lengths of the sequences
    #[arg(long, value_delimiter = ',', default_values_t = [128, 512], value_parser = clap::value_parser!(u64).range(1..=512))]
    tokens: Vec<u64>,
    /// Tokens of a step, whatever the length of its sequences
    #[arg(long, default_value_t = 2048, value_name = "TOKENS")]
    step: u64,
    /// A teacher of 4 layers of 128 instead of BERT-base
    #[arg(long)]
    tiny: bool,
    /// How often each takes its turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Steps measured in a turn
    #[arg(long, default_value_t = 5)]
    steps: u64,
    /// Threads of each, on the CPU [default: as many as there are]
    #[arg(long)]
    threads: Option<usize>,
    /// Where to compute: cpu or cuda
    #[arg(long, default_value = "cpu")]
    device: String,
    /// A `train` that is there already, such as the one of `cargo xtask build-cuda` [default: built here]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Whose step it is.
#[derive(Clone, Copy)]
enum Side {
    Ours,
    /// The fastest of several micro-batches, where steps are computed in such.
    OursSwept,
    Eager,
    Compiled,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "Distil",
            Self::OursSwept => "Distil, best micro-batch",
            Self::Eager => "PyTorch",
            Self::Compiled => "PyTorch, compiled",
        }
    }

    /// The command that measures one turn.
    fn command(self, args: &Args, program: &Path, tokens: u64, threads: usize) -> Result<Command> {
        let sequences = (args.step / tokens).max(1).to_string();
        let mut command = match self {
            Self::Ours | Self::OursSwept => {
                let mut command = Command::new(program);
                command.args(["bench", "--device", &args.device]).env("RAYON_NUM_THREADS", threads.to_string());
                command
            }
            Self::Eager | Self::Compiled => {
                let mut command = Command::new(python()?);
                command.arg("benches/peers/train_torch.py").args(["--device", &args.device]);
                command.args(["--threads", &threads.to_string()]);
                command
            }
        };
        match self {
            Self::OursSwept => command.arg("--sweep"),
            Self::Compiled => command.arg("--compile"),
            Self::Ours | Self::Eager => &mut command,
        };
        command.args(["--tokens", &tokens.to_string(), "--batch", &sequences, "--steps", &args.steps.to_string()]);
        if args.tiny {
            command.arg("--tiny");
        }
        command.current_dir(root());
        Ok(command)
    }
}

/// Tokens a second of both, with the peak of memory and the rate of floating-point operations.
pub(super) fn measure(args: &Args, command: &str) -> Result<Outcome> {
    if args.rounds == 0 {
        bail!("--rounds: at least 1");
    }
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let program = args.program.as_ref().map_or_else(train_path, |path| Ok(path.clone()))?;
    // On the CPU, the parts of a step are computed side by side and there is no micro-batch to choose.
    let mut sides = vec![Side::Ours, Side::Eager, Side::Compiled];
    if args.device != "cpu" {
        sides.insert(1, Side::OursSwept);
    }
    let shape = if args.tiny { "a teacher of 4 layers of 128" } else { "BERT-base and DistilBERT" };
    let title = format!("A step of distillation, {shape}, {} tokens a step, {}", grouped(args.step), args.device);
    let head = ["tokens", "", "tokens/s (range)", "time against ours (range)", "TFLOP/s", "peak memory, GB"];
    let mut table = Table::new(title, command, &head);
    let mut versions = String::new();
    for &tokens in &args.tokens {
        let mut turns: Vec<Vec<Value>> = vec![Vec::new(); sides.len()];
        for _ in 0..args.rounds {
            for (side, turns) in sides.iter().zip(&mut turns) {
                let answer = json(&mut side.command(args, &program, tokens, threads)?)
                    .with_context(|| format!("{}, {tokens} tokens", side.name()))?;
                if let Some(version) = answer["torch"].as_str() {
                    versions = format!("PyTorch {version}");
                }
                turns.push(answer);
            }
        }
        let ours = column(&turns[0], "step_ms")?;
        for (side, turns) in sides.iter().zip(&turns) {
            let samples = |values: Vec<f64>| Samples::new(values).context("there are rounds");
            let speed = samples(column(turns, "tokens_per_s")?)?;
            let (least, most) = speed.range();
            let against = ratios(&column(turns, "step_ms")?, &ours).context("there are rounds")?;
            table.rows.push(vec![
                tokens.to_string(),
                side.name().into(),
                format!("{} ({}..{})", grouped(speed.median() as u64), grouped(least as u64), grouped(most as u64)),
                format!("{}x ({})", digits(against.median()), against.spread()),
                digits(samples(column(turns, "model_tflops")?)?.median()),
                digits(samples(column(turns, "peak_gb")?)?.median()),
            ]);
        }
    }
    table.notes.push(format!(
        "{}. {versions}, {threads} threads each. {} rounds in turns, the median of {} steps a turn. TFLOP/s are those of the \
         model: matrix products of both, the student's backward pass counted twice.",
        place::machine(),
        args.rounds,
        args.steps,
    ));
    Ok(Outcome { tables: vec![table], measured: Vec::new() })
}

/// One figure of every turn.
fn column(turns: &[Value], key: &str) -> Result<Vec<f64>> {
    turns.iter().map(|turn| number(turn, key)).collect()
}

//! `bench host`: ours and ONNX Runtime in turns on this machine.
//!
//! Each round gives every side one turn, so that what else the machine does hits all of them; a turn's result is the
//! median of its calls, a figure the median over the rounds, and a ratio is formed turn by turn before its median.

use anyhow::{Context, Result};

use super::Outcome;
use super::peer::Peer;
use super::place;
use super::programs::{json, number, tools};
use super::stats::{Samples, ratios};
use super::subjects::{Packing, Shape, packed};
use super::table::{Table, digits};
use super::targets::Measured;

/// Arguments of `bench host`.
#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// Lengths of the text
    #[arg(long, value_delimiter = ',', default_value = "8,32,128,384")]
    pub(super) tokens: Vec<usize>,
    /// Weights of our files
    #[arg(long, value_delimiter = ',', default_value = "int8,int4,f32")]
    pub(super) weights: Vec<String>,
    /// Layout of our files: portable, tile16, tile8 or tile4
    #[arg(long, default_value = "portable")]
    pub(super) layout: String,
    /// Instruction sets for ours; auto is the fastest one here
    #[arg(long, value_delimiter = ',', default_value = "auto")]
    pub(super) isa: Vec<String>,
    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub(super) threads: Vec<usize>,
    /// ONNX Runtime's models: int8, f32
    #[arg(long, value_delimiter = ',', default_value = "int8,f32")]
    pub(super) peers: Vec<String>,
    /// Hide from ONNX Runtime that the processor has more than AVX2
    #[arg(long)]
    pub(super) peer_avx2: bool,
    /// Rounds of turns
    #[arg(long, default_value_t = 9)]
    pub(super) rounds: usize,
    /// Seconds of a turn; at least 11 calls in any case
    #[arg(long, default_value_t = 0.2)]
    pub(super) seconds: f64,
}

/// Something that takes turns.
struct Side {
    name: String,
    kernels: String,
    threads: usize,
    kind: Kind,
    /// Milliseconds, one for each round.
    times: Vec<f64>,
}

enum Kind {
    Ours { file: std::path::PathBuf, isa: Option<String>, weights: String },
    Theirs { model: String },
}

/// Runs the command.
pub(super) fn measure(args: &Args, command: &str) -> Result<Outcome> {
    let mut notes = Vec::new();
    let mut sides = ours(args, &mut notes)?;
    let mut peer = Peer::start(args.peer_avx2)?;
    for &threads in &args.threads {
        for model in &args.peers {
            let kernels = if args.peer_avx2 { "AVX2 at most" } else { "its choice" };
            let kind = Kind::Theirs { model: model.clone() };
            let name = format!("ONNX Runtime {model}");
            sides.push(Side { name, kernels: kernels.into(), threads, kind, times: Vec::new() });
        }
    }
    let head =
        ["tokens", "", "kernels", "threads", "ms (range)", "G multiply-adds/s", "ONNX Runtime int8 takes (range)"];
    let mut table = Table::new("DistilBERT on this host", command, &head);
    let mut measured = Vec::new();
    for &tokens in &args.tokens {
        for round in 0..args.rounds.max(1) {
            eprint!("\r{tokens} tokens, round {} of {}  ", round + 1, args.rounds.max(1));
            let first = round % sides.len();
            // A different one begins each round.
            for index in (first..sides.len()).chain(0..first) {
                let time = sides[index].turn(&mut peer, tokens, args.seconds)?;
                sides[index].times.push(time);
            }
        }
        eprintln!();
        for side in &sides {
            table.rows.push(side.row(tokens, baseline(&sides, side.threads))?);
            measured.extend(goals(args, side, &sides, tokens, command, &peer.version));
        }
        sides.iter_mut().for_each(|side| side.times.clear());
    }
    notes.push(format!(
        "{}. ONNX Runtime {}, dynamic int8 per channel. {} rounds of turns; a turn is the median of at least 11 calls \
         from token ids to logits; ranges are over the rounds, ratios within one.",
        place::machine(),
        peer.version,
        args.rounds.max(1)
    ));
    table.notes = notes;
    Ok(Outcome { tables: vec![table], measured })
}

/// Our sides: each file with each instruction set and number of threads that this version has.
fn ours(args: &Args, notes: &mut Vec<String>) -> Result<Vec<Side>> {
    let mut sides = Vec::new();
    for weights in &args.weights {
        let packing = Packing::of(weights).in_layout(&args.layout);
        let file = match packed(Shape::DistilBert, &packing)? {
            Ok(file) => file,
            Err(reason) => {
                notes.push(format!("{reason}."));
                continue;
            }
        };
        for isa in &args.isa {
            for &threads in &args.threads {
                let isa = (isa != "auto").then(|| isa.clone());
                let kind = Kind::Ours { file: file.clone(), isa, weights: weights.clone() };
                let mut side = Side { name: packing.name(), kernels: String::new(), threads, kind, times: Vec::new() };
                // One short turn tells whether this version can do it, and which kernels it takes.
                match side.ours(8, 0.0) {
                    Ok((_, kernels)) => {
                        side.kernels = kernels;
                        sides.push(side);
                    }
                    Err(error) => {
                        eprintln!("{error:#}");
                        notes.push(format!("{} on {threads} threads is left out: `tools bench` refused.", side.name));
                    }
                }
            }
        }
    }
    Ok(sides)
}

/// ONNX Runtime int8 with as many threads.
fn baseline(sides: &[Side], threads: usize) -> Option<&Side> {
    sides.iter().find(|side| side.threads == threads && matches!(&side.kind, Kind::Theirs { model } if model == "int8"))
}

impl Side {
    /// The median of one turn, in milliseconds.
    fn turn(&self, peer: &mut Peer, tokens: usize, seconds: f64) -> Result<f64> {
        match &self.kind {
            Kind::Ours { .. } => Ok(self.ours(tokens, seconds)?.0),
            Kind::Theirs { model } => peer.measure(model, tokens, self.threads, seconds),
        }
    }

    /// One turn of ours: its median and the kernels it took.
    fn ours(&self, tokens: usize, seconds: f64) -> Result<(f64, String)> {
        let Kind::Ours { file, isa, .. } = &self.kind else { unreachable!("only our sides are asked") };
        let mut bench = tools("bench")?;
        bench.arg(file).args(["--json", "--tokens", &tokens.to_string(), "--seconds", &seconds.to_string()]);
        bench.args(["--threads", &self.threads.to_string()]);
        if let Some(isa) = isa {
            bench.args(["--isa", isa]);
        }
        let answer = json(&mut bench)?;
        let isa = answer["isa"].as_str().context("`tools bench` says which kernels it took")?;
        Ok((number(&answer, "median_ms")?, isa.to_owned()))
    }

    fn row(&self, tokens: usize, baseline: Option<&Side>) -> Result<Vec<String>> {
        let times = Samples::new(self.times.clone()).context("each side had its turns")?;
        let rate = Shape::DistilBert.multiply_adds(tokens) / times.median() / 1e6;
        let ratio = baseline.and_then(|baseline| ratios(&baseline.times, &self.times));
        Ok(vec![
            tokens.to_string(),
            self.name.clone(),
            self.kernels.clone(),
            self.threads.to_string(),
            times.shown(),
            digits(rate),
            ratio.map_or_else(String::new, |ratio| format!("{}x ({})", digits(ratio.median()), ratio.spread())),
        ])
    }
}

/// The goals that this side's figure belongs to.
fn goals(args: &Args, side: &Side, sides: &[Side], tokens: usize, command: &str, version: &str) -> Vec<Measured> {
    let Kind::Ours { isa, weights, .. } = &side.kind else { return Vec::new() };
    let figure = |id: String, other: &Side, peer: String| {
        let ratio = ratios(&other.times, &side.times)?;
        let median = Samples::new(other.times.clone())?.median();
        Some(Measured {
            id,
            value: ratio.median(),
            spread: ratio.spread(),
            peer: format!("{peer}: {} ms", digits(median)),
            machine: place::machine(),
            command: command.into(),
        })
    };
    let mut found = Vec::new();
    match (side.threads, baseline(sides, 1), isa.as_deref()) {
        (1, Some(peer), None) if !args.peer_avx2 => {
            found.extend(figure(format!("host-{weights}-{tokens}"), peer, format!("ONNX Runtime {version} int8")));
        }
        (1, Some(peer), Some("avx2")) if args.peer_avx2 && weights == "int8" => {
            found.extend(figure(format!("host-avx2-{tokens}"), peer, format!("ONNX Runtime {version} int8, AVX2")));
        }
        _ => {}
    }
    if side.threads == 2 && weights == "int8" && isa.is_none() {
        let one = |other: &&Side| {
            other.threads == 1 && matches!(&other.kind, Kind::Ours { isa: None, weights, .. } if weights == "int8")
        };
        let one = sides.iter().find(one);
        found.extend(one.and_then(|one| figure(format!("host-threads-{tokens}"), one, "ours on one thread".into())));
    }
    found
}

//! `bench host`: ours and ONNX Runtime in turns on this machine.
//!
//! Each round gives every side one turn, so that what else the machine does hits all of them; a turn's result is the
//! median of its calls, a figure the median over the rounds, and a ratio is formed turn by turn before its median.

use anyhow::{Context, Result};

use super::Outcome;
use super::peer::{Level, Peer};
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
    /// What ONNX Runtime gets to see of the processor, several for one side each [default: auto, and avx512 where auto
    /// is AMX]
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(super) peer_isa: Vec<Level>,
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
    Theirs { model: String, peer: usize },
}

/// Runs the command.
pub(super) fn measure(args: &Args, command: &str) -> Result<Outcome> {
    let load = place::load();
    let mut notes = Vec::new();
    let mut sides = ours(args, &mut notes)?;
    let levels = if args.peer_isa.is_empty() { Level::usual() } else { args.peer_isa.clone() };
    let mut peers = levels.iter().map(|&level| Peer::start(level)).collect::<Result<Vec<_>>>()?;
    for &threads in &args.threads {
        for (peer, level) in levels.iter().enumerate() {
            for model in &args.peers {
                let kind = Kind::Theirs { model: model.clone(), peer };
                let name = format!("ONNX Runtime {model}");
                sides.push(Side { name, kernels: level.what().into(), threads, kind, times: Vec::new() });
            }
        }
    }
    let mut table = Table::new("DistilBERT on this host", command, &HEAD);
    table.head.extend(levels.iter().map(|level| format!("time of ONNX Runtime int8, {} (range)", level.what())));
    let rounds = args.rounds.max(1);
    let mut measured = Vec::new();
    for &tokens in &args.tokens {
        for round in 0..rounds {
            eprint!("\r{tokens} tokens, round {} of {rounds}  ", round + 1);
            // A different one begins each round.
            let first = round % sides.len();
            for index in (first..sides.len()).chain(0..first) {
                let time = sides[index].turn(&mut peers, tokens, args.seconds)?;
                sides[index].times.push(time);
            }
        }
        eprintln!();
        for side in &sides {
            let mut row = side.row(tokens)?;
            for (index, peer) in peers.iter().enumerate() {
                let baseline = baseline(&sides, index, side.threads);
                let ratio = baseline.and_then(|baseline| ratios(&baseline.times, &side.times));
                row.push(
                    ratio.map_or_else(String::new, |ratio| format!("{}x ({})", digits(ratio.median()), ratio.spread())),
                );
                measured.extend(baseline.and_then(|baseline| goal(side, baseline, peer, tokens, command)));
            }
            table.rows.push(row);
            measured.extend(threads_goal(side, &sides, tokens, command));
        }
        sides.iter_mut().for_each(|side| side.times.clear());
    }
    notes.push(format!(
        "{} (load {load} before). ONNX Runtime {}, dynamic int8 per channel. {rounds} rounds of turns; a turn is the median of at least 11 \
         calls from token ids to logits; ranges are over the rounds, ratios within one.",
        place::machine(),
        peers.first().map_or("", |peer| &peer.version),
    ));
    table.notes = notes;
    Ok(Outcome { tables: vec![table], measured })
}

const HEAD: [&str; 6] = ["tokens", "", "kernels", "threads", "ms (range)", "G multiply-adds/s"];

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

/// This ONNX Runtime's int8 with as many threads.
fn baseline(sides: &[Side], wanted: usize, threads: usize) -> Option<&Side> {
    sides.iter().find(|side| {
        side.threads == threads
            && matches!(&side.kind, Kind::Theirs { model, peer } if model == "int8" && *peer == wanted)
    })
}

impl Side {
    /// The median of one turn, in milliseconds.
    fn turn(&self, peers: &mut [Peer], tokens: usize, seconds: f64) -> Result<f64> {
        match &self.kind {
            Kind::Ours { .. } => Ok(self.ours(tokens, seconds)?.0),
            Kind::Theirs { model, peer } => peers[*peer].measure(model, tokens, self.threads, seconds),
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

    fn row(&self, tokens: usize) -> Result<Vec<String>> {
        let times = Samples::new(self.times.clone()).context("each side had its turns")?;
        let rate = Shape::DistilBert.multiply_adds(tokens) / times.median() / 1e6;
        let (name, kernels) = (self.name.clone(), self.kernels.clone());
        Ok(vec![tokens.to_string(), name, kernels, self.threads.to_string(), times.shown(), digits(rate)])
    }

    /// Ours with int8, as fast as it goes here.
    fn is_our_best_int8(&self) -> bool {
        matches!(&self.kind, Kind::Ours { isa: None, weights, .. } if weights == "int8")
    }

    /// By how much this side is faster than another, as a figure.
    fn against(&self, other: &Self, id: String, what: &str, command: &str) -> Option<Measured> {
        let ratio = ratios(&other.times, &self.times)?;
        let median = Samples::new(other.times.clone())?.median();
        Some(Measured {
            id,
            value: ratio.median(),
            spread: ratio.spread(),
            peer: format!("{what}: {} ms", digits(median)),
            machine: place::machine(),
            command: command.into(),
        })
    }
}

/// Ours against ONNX Runtime on one thread: our best against its best, AVX-512 against AVX-512, AVX2 against
/// AVX2.
fn goal(side: &Side, baseline: &Side, peer: &Peer, tokens: usize, command: &str) -> Option<Measured> {
    let Kind::Ours { isa, weights, .. } = &side.kind else { return None };
    let same_level = match peer.level {
        Level::Auto => isa.is_none(),
        Level::Avx512 => side.kernels == "avx512vnni",
        Level::Avx2 => side.kernels == "avx2",
    };
    if side.threads != 1 || !same_level {
        return None;
    }
    let what = format!("ONNX Runtime {} int8, {}", peer.version, peer.level.what());
    side.against(baseline, format!("host-{weights}-{tokens}-{}", peer.level.name()), &what, command)
}

/// Ours on two threads against one.
fn threads_goal(side: &Side, sides: &[Side], tokens: usize, command: &str) -> Option<Measured> {
    let one = sides.iter().find(|other| other.threads == 1 && other.is_our_best_int8())?;
    let two = side.threads == 2 && side.is_our_best_int8();
    two.then(|| side.against(one, format!("host-threads-{tokens}"), "ours on one thread", command)).flatten()
}

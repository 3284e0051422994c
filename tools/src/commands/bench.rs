//! `tools bench`: the time of one text on this machine, or the speed of each kernel.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use distil_format::{Artifact, Head};
use distil_kernels::{Isa, Kernels};
use distil_runtime::{Candidate, Executor, Plan, Session, SingleThread, arena_len};
use schemars::JsonSchema;
use serde::Serialize;

use super::{json_line, packed, progress};
use crate::bench::{self as kernels, IsaReport, KernelReport, Limit};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::threads::Threads;

const DETAILS: &str = "\
Measures the time from token ids to the answer for a text of N tokens, head included: once to warm up, then at least 11 \
times and until the seconds are over. The last line of the output is the result.

With --kernels no file is needed: lists the speed of each kernel in the shapes of DistilBERT, on every instruction set \
of this machine (or the one asked for), one thread, as the fastest call of those that fit into the seconds for an \
instruction set. An asterisk marks the set that is used where none is asked for. The share of the peak is the time that \
the kernel's limit alone would take, over the time it took; every peak is measured, on the same machine in the same run:

  arithmetic  the best rate of int8 multiply-adds, in products that fit the first caches, on the same instruction set
  memory      the best rate of reading 64 MB of weights again and again; matrices are read from as large a set, as an \
encoder reads them
  values      the rate of multiplying each value of a row with a number, in the cache, on the same instruction set

Kernels that do more than one thing with a value cannot reach the last one: a tenth is ten times as much work.";

/// Arguments of `tools bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    #[arg(required_unless_present = "kernels")]
    file: Option<PathBuf>,
    /// List the speed of each kernel, instead of a model's
    #[arg(long, conflicts_with_all = ["file", "tokens", "threads", "plan"])]
    kernels: bool,
    /// Tokens of the text, [CLS] and [SEP] included
    #[arg(long, default_value_t = 128, value_name = "N")]
    tokens: usize,
    /// Threads to use
    #[arg(long, default_value = "1", value_name = "N")]
    threads: NonZeroUsize,
    /// Memory plan: large, fast or small; the same answers in less memory, slower
    #[arg(long, default_value = "large", value_parser = packed::parse_plan, value_name = "PLAN")]
    plan: Plan,
    /// Instruction set to use, one that `tools bench --kernels` lists [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa)]
    isa: Option<Isa>,
    /// How long to measure; with --kernels, each instruction set
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    median_ms: f64,
    min_ms: f64,
    mean_ms: f64,
    runs: usize,
    tokens: usize,
    threads: usize,
    isa: &'static str,
    head: &'static str,
    file_bytes: usize,
}

/// What `tools bench --json` prints.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "described, not made: each result is printed as it is")]
pub(super) enum Output {
    /// A model's time.
    Model(Report),
    /// With `--kernels`.
    Kernels(kernels::Report),
}

/// Fewer runs than this make no median worth printing.
const LEAST_RUNS: usize = 11;

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let budget = Duration::try_from_secs_f64(self.seconds)
            .map_err(|_| Error::usage(format!("--seconds {}: not a time", self.seconds), "give a number such as 3"))?;
        match &self.file {
            Some(file) if !self.kernels => self.run_model(file, budget, out),
            _ => self.run_kernels(budget, out),
        }
    }

    fn run_kernels(&self, budget: Duration, out: &mut dyn Write) -> Result<(), Error> {
        let isas = Kernels::available().filter(|kernels| self.isa.is_none_or(|isa| isa == kernels.isa()));
        let isas: Vec<Kernels> = isas.collect();
        let bar = progress("measuring", isas.len());
        let report = kernels::run(&isas, budget, |isa| {
            bar.set_message(isa);
            bar.inc(1);
        });
        bar.finish_and_clear();
        if self.json { json_line(out, &report) } else { print_kernels(&report, out) }
    }

    fn run_model(&self, file: &Path, limit: Duration, out: &mut dyn Write) -> Result<(), Error> {
        let bytes = read_aligned(file)?;
        let artifact = open(file, &bytes)?;
        let most = artifact.config().max_positions as usize;
        if !(2..=most).contains(&self.tokens) {
            let message = format!("--tokens {}: this model takes 2 to {most}", self.tokens);
            return Err(Error::usage(message, "choose a number in this range"));
        }
        let model = packed::model(file, &artifact, self.isa)?;
        let plan = self.plan.with_threads(self.threads.get());
        let executor: Box<dyn Executor> = match self.threads.get() {
            1 => Box::new(SingleThread),
            threads => Box::new(
                Threads::new(threads)
                    .map_err(|error| Error::usage(format!("--threads {threads}: {error}"), "ask for fewer threads"))?,
            ),
        };
        let mut arena = vec![0; arena_len(&artifact, self.tokens, plan)];
        let mut session = Session::with_plan(&model, &mut arena, self.tokens, plan, &*executor)?.answers_only(true);
        let ids = sample(&artifact, self.tokens);

        answer(&mut session, artifact.config().head, &ids)?;
        let bar = progress("measuring", LEAST_RUNS);
        let (started, mut times) = (Instant::now(), Vec::new());
        while times.len() < LEAST_RUNS || started.elapsed() < limit {
            // Drawn between the runs, never during one.
            bar.set_length(expected_runs(times.len(), started.elapsed(), limit));
            bar.set_position(times.len() as u64);
            let start = Instant::now();
            answer(&mut session, artifact.config().head, &ids)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        bar.finish_and_clear();
        times.sort_by(f64::total_cmp);
        let report = Report {
            median_ms: times[times.len() / 2],
            min_ms: times[0],
            mean_ms: times.iter().sum::<f64>() / times.len() as f64,
            runs: times.len(),
            tokens: self.tokens,
            threads: self.threads.get(),
            isa: model.isa().name(),
            head: artifact.config().head.name(),
            file_bytes: artifact.len(),
        };
        if self.json {
            return json_line(out, &report);
        }
        let Report { median_ms, min_ms, runs, tokens, isa, .. } = report;
        Ok(writeln!(out, "{tokens} tokens on {isa}: median {median_ms:.3} ms, best {min_ms:.3} ms of {runs} runs")?)
    }
}

/// How many runs there will be, by the rate so far.
fn expected_runs(done: usize, elapsed: Duration, limit: Duration) -> u64 {
    let runs = done as f64 * limit.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
    (runs as u64).max(LEAST_RUNS as u64)
}

/// One table for each instruction set.
fn print_kernels(report: &kernels::Report, out: &mut dyn Write) -> Result<(), Error> {
    writeln!(out, "memory: {:.1} GB/s; used where none is asked for: {} *", report.memory_gb_per_s, report.pick)?;
    for isa in &report.isas {
        let IsaReport { isa: name, picked, layout, peak_gmacs_per_s, peak_gvalues_per_s, kernels } = isa;
        let mark = if *picked { " *" } else { "" };
        writeln!(
            out,
            "\n{name}{mark}: layout {layout}, peak {peak_gmacs_per_s:.1} G multiply-adds/s, {peak_gvalues_per_s:.2} G values/s"
        )?;
        writeln!(
            out,
            "  {:<22} {:>7} {:>16} {:>12} {:>9} {:<17} {:>5} of {:<10}",
            "kernel", "type", "shape", "us", "rate", "", "share", "peak"
        )?;
        for kernel in kernels {
            let KernelReport { name, dtype, rows, inputs, outputs, microseconds, rate, unit, limit, share } = kernel;
            let shape = match limit {
                Limit::Values => format!("{rows}x{inputs}"),
                Limit::Arithmetic | Limit::Memory => format!("{rows}x{inputs}x{outputs}"),
            };
            let (share, limit) = (share * 100.0, format!("{limit:?}").to_lowercase());
            writeln!(
                out,
                "  {name:<22} {dtype:>7} {shape:>16} {microseconds:>12.2} {rate:>9.3} {unit:<17} {share:>4.0}% of {limit:<10}"
            )?;
        }
    }
    Ok(())
}

/// `[CLS] ... [SEP]` with ids from all over the vocabulary, so that table rows are read as in real text; the first of
/// them is `[MASK]`.
pub(crate) fn sample(artifact: &Artifact<'_>, tokens: usize) -> Vec<u32> {
    let config = artifact.config();
    let mut ids: Vec<u32> = (0..tokens as u64).map(|i| (i * 7919 % u64::from(config.vocab_size)) as u32).collect();
    ids[1] = config.mask_id;
    ids[0] = config.cls_id;
    ids[tokens - 1] = config.sep_id;
    ids
}

/// Encodes and asks the head, as an application does.
pub(crate) fn answer(session: &mut Session<'_>, head: Head, ids: &[u32]) -> Result<(), Error> {
    session.encode_ids(ids, None)?;
    match head {
        Head::Embedding => drop(std::hint::black_box(session.pooled()?)),
        Head::SequenceClassification => drop(std::hint::black_box(session.classification()?)),
        Head::TokenClassification => {
            for position in 0..ids.len() {
                std::hint::black_box(session.token_classification(position)?);
            }
        }
        Head::QuestionAnswering => drop(std::hint::black_box(session.span_logits()?)),
        Head::MaskedLm => drop(std::hint::black_box(session.predict(1, None, &mut [Candidate::default(); 5])?)),
    }
    Ok(())
}

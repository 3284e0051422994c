//! `tools bench`: the time of one text on this machine.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use distil_format::{Artifact, Head};
use distil_kernels::Isa;
use distil_runtime::{Candidate, Executor, Plan, Session, SingleThread, arena_len};
use serde::Serialize;

use super::{json_line, packed};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::threads::Threads;

const DETAILS: &str = "\
Measures the time from token ids to the answer for a text of N tokens, head included: once to warm up, then at least 11 \
times and until the seconds are over. The last line of the output is the result.";

/// Arguments of `tools bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    file: PathBuf,
    /// Tokens of the text, [CLS] and [SEP] included
    #[arg(long, default_value_t = 128, value_name = "N")]
    tokens: usize,
    /// Threads to use
    #[arg(long, default_value = "1", value_name = "N")]
    threads: NonZeroUsize,
    /// Memory plan: large, fast or small; the same answers in less memory, slower
    #[arg(long, default_value = "large", value_parser = packed::parse_plan, value_name = "PLAN")]
    plan: Plan,
    /// Instruction set to use: reference, avx2, avx512vnni, neon [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa)]
    isa: Option<Isa>,
    /// How long to measure
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
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

/// Fewer runs than this make no median worth printing.
const LEAST_RUNS: usize = 11;

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let bytes = read_aligned(&self.file)?;
        let artifact = open(&self.file, &bytes)?;
        let most = artifact.config().max_positions as usize;
        if !(2..=most).contains(&self.tokens) {
            let message = format!("--tokens {}: this model takes 2 to {most}", self.tokens);
            return Err(Error::usage(message, "choose a number in this range"));
        }
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let plan = self.plan.with_threads(self.threads.get());
        let executor: Box<dyn Executor> = match self.threads.get() {
            1 => Box::new(SingleThread),
            threads => Box::new(
                Threads::new(threads)
                    .map_err(|error| Error::usage(format!("--threads {threads}: {error}"), "ask for fewer threads"))?,
            ),
        };
        let mut arena = vec![0; arena_len(&artifact, self.tokens, plan)];
        let mut session = Session::with_plan(&model, &mut arena, self.tokens, plan, &*executor)?;
        let ids = sample(&artifact, self.tokens);

        answer(&mut session, artifact.config().head, &ids)?;
        let limit = Duration::try_from_secs_f64(self.seconds)
            .map_err(|_| Error::usage(format!("--seconds {}: not a time", self.seconds), "give a number such as 3"))?;
        let (started, mut times) = (Instant::now(), Vec::new());
        while times.len() < LEAST_RUNS || started.elapsed() < limit {
            let start = Instant::now();
            answer(&mut session, artifact.config().head, &ids)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
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

/// `[CLS] ... [SEP]` with ids from all over the vocabulary, so that table rows are read as in real text; the first of
/// them is `[MASK]`.
fn sample(artifact: &Artifact<'_>, tokens: usize) -> Vec<u32> {
    let config = artifact.config();
    let mut ids: Vec<u32> = (0..tokens as u64).map(|i| (i * 7919 % u64::from(config.vocab_size)) as u32).collect();
    ids[1] = config.mask_id;
    ids[0] = config.cls_id;
    ids[tokens - 1] = config.sep_id;
    ids
}

/// Encodes and asks the head, as an application does.
fn answer(session: &mut Session<'_>, head: Head, ids: &[u32]) -> Result<(), Error> {
    session.encode_ids(ids, None)?;
    match head {
        Head::Embedding => drop(std::hint::black_box(session.pooled()?)),
        Head::SequenceClassification => drop(std::hint::black_box(session.classification()?)),
        Head::MaskedLm => drop(std::hint::black_box(session.predict(1, None, &mut [Candidate::default(); 5])?)),
    }
    Ok(())
}

//! `train prepare`: text to token shards.

use super::interrupt;
use crate::data::{DataFolder, Index, Inputs, Preparation, Prepared, Vocabulary, Watch, prepare};
use crate::metrics::Progress;
use crate::{Error, Result, hub};
use clap::Args;
use serde_json::json;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Turns text into token shards, in parallel.
///
/// Text comes as .txt (a document, paragraph or sentence a line), as JSON lines (.jsonl, .ndjson, .json), both also as .gz
/// and .zst, or as .parquet; as files, folders, quoted patterns, or a data set of the Hugging Face hub
/// (datasets/ORG/NAME). Blank lines are skipped; lines without text are counted and reported. A text becomes [CLS] text
/// [SEP]; longer ones are cut into pieces with their own [CLS] and [SEP]. Pieces of which half or more is unknown to the
/// vocabulary are left out.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Training text: files, folders, patterns such as 'news/*.jsonl', datasets/ORG/NAME
    #[arg(long, value_name = "TEXT", num_args = 1.., required_unless_present = "verify")]
    text: Vec<PathBuf>,
    /// Vocabulary: a vocab.txt, a tokenizer.json (WordPiece), a model's folder or hub id
    #[arg(long, value_name = "VOCAB", required_unless_present = "verify")]
    vocab: Option<PathBuf>,
    /// Output folder
    #[arg(short, long, value_name = "DATA_DIR", required_unless_present = "verify")]
    output: Option<PathBuf>,
    /// Held-out text, as --text
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    held_out: Vec<PathBuf>,
    /// Holds out every N-th line of the training text
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "held_out")]
    held_out_every: usize,
    /// Where the text is in JSON lines and Parquet files: a key or column, dots for nested ones
    #[arg(long, value_name = "NAME", default_value = "text")]
    field: String,
    /// Longest sequence, special tokens included
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_length: usize,
    /// Shortest sequence kept, special tokens included
    #[arg(long, value_name = "N", default_value_t = 12)]
    min_length: usize,
    /// Keeps case and accents, for cased vocabularies [default: as the vocabulary's source says, else lower case]
    #[arg(long)]
    cased: bool,
    /// Fails at the first bad line
    #[arg(long)]
    strict: bool,
    /// Uses what a damaged or cut-off file holds before the damage, instead of failing
    #[arg(long)]
    keep_going: bool,
    /// Tokenizing threads; the result does not depend on it [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Prints a summary as JSON
    #[arg(long)]
    json: bool,
    /// Checks all of a prepared folder instead: every checksum, every token
    #[arg(long, value_name = "DATA_DIR", conflicts_with_all = ["text", "vocab", "output", "held_out"])]
    verify: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    if let Some(folder) = &options.verify {
        return verify(folder, options.json);
    }
    // Asked for by the parser.
    let (Some(vocab), Some(output)) = (&options.vocab, &options.output) else {
        return Err(Error::Config("--vocab and --output are missing".into()));
    };
    if options.max_length < 3 || options.min_length > options.max_length {
        return Err(Error::Config(format!(
            "--min-length {} and --max-length {} leave no sequence; a sequence has at least 3 tokens",
            options.min_length, options.max_length
        )));
    }
    let threads = options.threads.map_or_else(available_threads, NonZero::get);
    let vocabulary = Vocabulary::read(&hub::vocabulary(vocab)?, options.cased)?;
    let preparation = Preparation {
        text: inputs(&options.text)?,
        held_out: inputs(&options.held_out)?,
        field: options.field.clone(),
        hold_out_every: options.held_out_every,
        max_length: options.max_length,
        min_length: options.min_length,
        strict: options.strict,
        keep_going: options.keep_going,
        threads,
    };
    let watch = Arc::new(Watch::default());
    let stopped = watch.clone();
    interrupt::on_first(move || stopped.stop.store(true, Ordering::Relaxed));
    let start = Instant::now();
    let prepared = with_progress(&preparation, &watch, || prepare(&preparation, &vocabulary, output, &watch))?;
    report(&prepared, output, options, start.elapsed().as_secs_f64());
    Ok(())
}

/// The files of some names, with a word about what is not read.
fn inputs(names: &[PathBuf]) -> Result<Inputs> {
    let mut found = Vec::new();
    for name in names {
        found.extend(hub::text(name)?);
    }
    let inputs = Inputs::find(&found)?;
    let few = |paths: &[PathBuf]| {
        let shown: Vec<_> = paths.iter().take(3).map(|path| path.display().to_string()).collect();
        let more = if paths.len() > shown.len() { ", ..." } else { "" };
        format!("{} ({}{more})", paths.len(), shown.join(", "))
    };
    if !inputs.skipped.is_empty() {
        eprintln!("skipped, not text by their names: {}", few(&inputs.skipped));
    }
    if !inputs.repeated.is_empty() {
        eprintln!("named more than once, read once: {}", few(&inputs.repeated));
    }
    Ok(inputs)
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs `f` under a bar of the bytes read, with lines a second.
fn with_progress<T>(preparation: &Preparation, watch: &Watch, f: impl FnOnce() -> T) -> T {
    let bytes = preparation.text.files.iter().chain(&preparation.held_out.files).map(|file| file.bytes).sum::<u64>();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut progress, start) = (Progress::new(bytes >> 10, "KiB"), Instant::now());
            while !done.load(Ordering::Relaxed) {
                let rate = watch.lines.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64().max(1e-3);
                progress.set(watch.bytes.load(Ordering::Relaxed) >> 10, &format!("read  {rate:.0} lines/s"));
                std::thread::sleep(Duration::from_millis(50));
            }
            progress.finish();
        });
        let result = f();
        done.store(true, Ordering::Relaxed);
        result
    })
}

fn report(prepared: &Prepared, output: &Path, options: &Options, seconds: f64) {
    let index = &prepared.index;
    let (train, held_out) = (Index::sequences(&index.train), Index::sequences(&index.held_out));
    let (train_tokens, held_out_tokens) = (Index::tokens(&index.train), Index::tokens(&index.held_out));
    for line in prepared.damage.iter().chain(&prepared.bad.report()) {
        eprintln!("{line}");
    }
    eprintln!(
        "{}: {train} training sequences ({train_tokens} tokens), {held_out} held out ({held_out_tokens} tokens), from {} \
         lines in {seconds:.1} s; left out: {} pieces shorter than {} tokens, {} mostly unknown, {} bad lines",
        output.display(),
        index.lines,
        index.dropped_short,
        options.min_length,
        index.dropped_unknown,
        index.bad_lines.values().sum::<u64>(),
    );
    if options.json {
        let summary = json!({
            "train": {"sequences": train, "tokens": train_tokens},
            "held_out": {"sequences": held_out, "tokens": held_out_tokens},
            "lines": index.lines,
            "dropped_short": index.dropped_short,
            "dropped_unknown": index.dropped_unknown,
            "bad_lines": index.bad_lines,
            "damaged_files": index.damaged_files,
            "lowercase": index.lowercase,
            "vocabulary": {"size": index.vocabulary_size, "sha256": index.vocabulary_sha256},
            "seconds": seconds,
        });
        println!("{summary}");
    }
}

/// `--verify`
fn verify(folder: &Path, json: bool) -> Result<()> {
    let data = DataFolder::open(&hub::resolve(folder)?)?;
    let index = &data.index;
    data.train()?.verify()?;
    if !index.held_out.is_empty() {
        data.held_out()?.verify()?;
    }
    let shards = index.train.len() + index.held_out.len();
    let tokens = Index::tokens(&index.train) + Index::tokens(&index.held_out);
    eprintln!("{}: {shards} shards with {tokens} tokens are as they were written", folder.display());
    if json {
        println!("{}", json!({"shards": shards, "tokens": tokens}));
    }
    Ok(())
}

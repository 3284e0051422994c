//! `train prepare`: text to token shards.

use crate::data::{Index, Preparation, Vocabulary, prepare};
use crate::metrics::Progress;
use crate::{Error, Result};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Turns text into token shards, in parallel.
///
/// One document, paragraph or sentence per line; blank lines are skipped; .gz and .zst are read as they are. A line becomes
/// [CLS] text [SEP]; longer ones are cut into pieces with their own [CLS] and [SEP]. Pieces of which half or more is
/// unknown to the vocabulary are left out.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Training text
    #[arg(long, value_name = "FILES", num_args = 1.., required = true)]
    text: Vec<PathBuf>,
    /// Vocabulary: BERT's vocab.txt or one like it
    #[arg(long, value_name = "VOCAB.TXT")]
    vocab: PathBuf,
    /// Output folder
    #[arg(short, long, value_name = "DATA_DIR")]
    output: PathBuf,
    /// Held-out text
    #[arg(long, value_name = "FILES", num_args = 1..)]
    held_out: Vec<PathBuf>,
    /// Holds out every N-th line of the training text
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "held_out")]
    held_out_every: usize,
    /// Longest sequence, special tokens included
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_length: usize,
    /// Shortest sequence kept, special tokens included
    #[arg(long, value_name = "N", default_value_t = 12)]
    min_length: usize,
    /// Keeps case and accents, for cased vocabularies
    #[arg(long)]
    cased: bool,
    /// Prints a summary as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    if options.max_length < 3 || options.min_length > options.max_length {
        return Err(Error::Config(format!(
            "--min-length {} and --max-length {} leave no sequence; a sequence has at least 3 tokens",
            options.min_length, options.max_length
        )));
    }
    let mut size = 0;
    for path in options.text.iter().chain(&options.held_out) {
        size += std::fs::metadata(path).map_err(|e| Error::io(path, &e))?.len();
    }
    let vocabulary = Vocabulary::read(&options.vocab, !options.cased)?;
    let preparation = Preparation {
        text: options.text.clone(),
        held_out: options.held_out.clone(),
        hold_out_every: options.held_out_every,
        lowercase: !options.cased,
        max_length: options.max_length,
        min_length: options.min_length,
    };
    let read = Arc::new(AtomicU64::new(0));
    let done = AtomicBool::new(false);
    let index = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut progress = Progress::new(size >> 10, "KiB");
            while !done.load(Ordering::Relaxed) {
                progress.set(read.load(Ordering::Relaxed) >> 10, "read");
                std::thread::sleep(Duration::from_millis(50));
            }
            progress.finish();
        });
        let index = prepare(&preparation, &vocabulary, &options.output, &read);
        done.store(true, Ordering::Relaxed);
        index
    })?;
    let sequences = |entries: &[crate::data::ShardEntry]| entries.iter().map(|e| e.sequences).sum::<u64>();
    let (train, held_out) = (sequences(&index.train), sequences(&index.held_out));
    let (train_tokens, held_out_tokens) = (Index::tokens(&index.train), Index::tokens(&index.held_out));
    eprintln!(
        "{}: {train} training sequences ({train_tokens} tokens), {held_out} held out ({held_out_tokens} tokens); \
         left out: {} shorter than {} tokens, {} mostly unknown",
        options.output.display(),
        index.dropped_short,
        options.min_length,
        index.dropped_unknown
    );
    if options.json {
        let summary = json!({
            "train": {"sequences": train, "tokens": train_tokens},
            "held_out": {"sequences": held_out, "tokens": held_out_tokens},
            "dropped_short": index.dropped_short,
            "dropped_unknown": index.dropped_unknown,
            "vocabulary": {"size": index.vocabulary_size, "sha256": index.vocabulary_sha256},
        });
        println!("{summary}");
    }
    Ok(())
}

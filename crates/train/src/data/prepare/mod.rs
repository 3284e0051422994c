//! Text to token shards.

mod cutter;
mod output;
mod pipeline;
mod sink;

use super::shards::{Index, VERSION};
use super::text::{self, BadLines, Field, Input, Inputs, Stop};
use super::vocabulary::{Encoder, Vocabulary};
use crate::{Error, Result, files};
use cutter::{Cutter, Item};
use output::Output;
use sink::Sink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What to prepare.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// Training text.
    pub text: Inputs,
    /// Held-out text.
    pub held_out: Inputs,
    /// Where the text is in JSON lines and Parquet files.
    pub field: String,
    /// Every n-th line of the training text is held out; 0: none. Blank and bad lines do not count.
    pub hold_out_every: usize,
    /// Longest sequence, special tokens included; longer text is cut into pieces.
    pub max_length: usize,
    /// Shortest sequence kept, special tokens included.
    pub min_length: usize,
    /// Whether the first bad line is an error.
    pub strict: bool,
    /// Whether what a damaged file holds before the damage is used; an error otherwise.
    pub keep_going: bool,
    /// Tokenizing threads; two more read and write. The result does not depend on it.
    pub threads: usize,
}

/// What other threads may look at and do while text is prepared.
#[derive(Debug, Default)]
pub struct Watch {
    /// Bytes taken from the files, compressed or not.
    pub bytes: AtomicU64,
    /// Lines with text written.
    pub lines: AtomicU64,
    /// Set to end early, with [`Error::Interrupted`].
    pub stop: AtomicBool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// As written.
    pub index: Index,
    /// Lines that were left out, with the first places.
    pub bad: BadLines,
    /// What is wrong with files that were read as far as they go.
    pub damage: Vec<String>,
}

/// Tokenizes in parallel and writes a data folder.
///
/// A folder that is there already stays as it is until all is done; after an error or an interruption nothing of the new
/// data is left.
///
/// # Errors
///
/// Files that cannot be read, damaged ones (unless `keep_going`), bad lines (when `strict`), no training text left, a full
/// disk, and [`Error::Interrupted`].
pub fn prepare(preparation: &Preparation, vocabulary: &Vocabulary, out: &Path, watch: &Watch) -> Result<Prepared> {
    let output = Output::create(out)?;
    let inputs: Vec<Input> = preparation.text.files.iter().chain(&preparation.held_out.files).cloned().collect();
    let field = Field::new(&preparation.field);
    let mut sink = Sink::new(preparation, &inputs, vocabulary, output.folder());
    let encoder = Encoder::new(vocabulary)?;
    let (damage, cutters) = pipeline::run(
        preparation.threads,
        |item, give| read(preparation, &inputs, &field, item, watch, give),
        || Cutter::new(preparation, vocabulary, &inputs, &field, encoder.clone()),
        Cutter::cut,
        |item| {
            if watch.stop.load(Ordering::Relaxed) {
                return Err(interrupted(out));
            }
            sink.take(item)?;
            watch.lines.store(sink.lines, Ordering::Relaxed);
            Ok(())
        },
    )?;
    if watch.stop.load(Ordering::Relaxed) {
        return Err(interrupted(out));
    }
    let damage = damage?;
    let mut counts = vec![0; vocabulary.size];
    for cutter in cutters {
        counts.iter_mut().zip(cutter.counts).for_each(|(sum, count)| *sum += count);
    }
    counts.iter_mut().zip(&sink.held_counts).for_each(|(sum, held)| *sum -= held);
    let index = Index {
        version: VERSION,
        vocabulary_sha256: vocabulary.sha256.clone(),
        vocabulary_size: vocabulary.size,
        lowercase: vocabulary.lowercase,
        special: vocabulary.special,
        max_length: preparation.max_length,
        lines: sink.lines,
        dropped_short: sink.dropped.short,
        dropped_unknown: sink.dropped.unknown,
        bad_lines: sink.bad.counts(),
        damaged_files: damage.len() as u64,
        train: sink.train.finish()?,
        held_out: sink.held_out.finish()?,
        counts,
    };
    if index.train.is_empty() {
        return Err(nothing_left(&index, &sink.bad, preparation.min_length));
    }
    files::write(&output.folder().join("vocab.txt"), &vocabulary.bytes)?;
    let json = serde_json::to_vec(&index).map_err(|e| Error::Data(e.to_string()))?;
    output.publish(&json)?;
    Ok(Prepared { index, bad: sink.bad, damage })
}

/// The reader's thread: all files in order. Returns what was wrong with damaged ones.
fn read(
    preparation: &Preparation,
    inputs: &[Input],
    field: &Field,
    mut item: Item,
    watch: &Watch,
    give: &mut dyn FnMut(Item) -> Option<Item>,
) -> Result<Vec<String>> {
    let mut damaged = Vec::new();
    for (file, input) in inputs.iter().enumerate() {
        let mut block = std::mem::take(&mut item.block);
        block.restart(file, 1);
        // The item that the block at hand belongs to.
        let mut exchange = |block| {
            item.block = block;
            if watch.stop.load(Ordering::Relaxed) {
                return None;
            }
            item = give(std::mem::take(&mut item))?;
            Some(std::mem::take(&mut item.block))
        };
        let ended =
            text::read(input, field, block, &watch.bytes, &mut exchange).and_then(|last| match last.is_empty() {
                true => Ok(()),
                false => exchange(last).map(drop).ok_or(Stop::Closed),
            });
        match ended {
            Ok(()) => {}
            // The writer has stopped, and knows why.
            Err(Stop::Closed) => return Ok(damaged),
            Err(Stop::Damage(error)) if preparation.keep_going => damaged.push(error.to_string()),
            Err(Stop::Damage(error) | Stop::Unfit(error)) => return Err(error),
        }
    }
    Ok(damaged)
}

fn interrupted(out: &Path) -> Error {
    Error::Interrupted(format!("interrupted: {} is as it was before", out.display()))
}

fn nothing_left(index: &Index, bad: &BadLines, min_length: usize) -> Error {
    let bad: u64 = bad.counts().values().sum();
    let lines = index.lines;
    Error::Data(format!(
        "no training text is left of {lines} lines ({bad} more were bad): {} pieces were shorter than {min_length} tokens, \
         {} had too many unknown words; lower --min-length, or use a vocabulary that fits the text",
        index.dropped_short, index.dropped_unknown
    ))
}

#[cfg(test)]
mod tests;

//! Where all blocks come together again, in order: held-out lines, bad lines, shards.

use super::Preparation;
use super::cutter::{Dropped, Item};
use crate::data::shards::ShardWriter;
use crate::data::text::{BadLines, Input};
use crate::data::vocabulary::Vocabulary;
use crate::{Error, Result};
use std::path::Path;

/// Writes sequences and adds up what else is known of the lines.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    preparation: &'a Preparation,
    inputs: &'a [Input],
    pub(super) train: ShardWriter,
    pub(super) held_out: ShardWriter,
    /// Lines with text so far.
    pub(super) lines: u64,
    pub(super) dropped: Dropped,
    pub(super) bad: BadLines,
    /// Occurrences of tokens that were counted as training text and then held out.
    pub(super) held_counts: Vec<u64>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        preparation: &'a Preparation,
        inputs: &'a [Input],
        vocabulary: &Vocabulary,
        folder: &Path,
    ) -> Self {
        let writer = |prefix| ShardWriter::new(folder, prefix, vocabulary.size, &vocabulary.sha256);
        Self {
            preparation,
            inputs,
            train: writer("train"),
            held_out: writer("held-out"),
            lines: 0,
            dropped: Dropped::default(),
            bad: BadLines::default(),
            held_counts: vec![0; vocabulary.size],
        }
    }

    /// Takes the next item in order.
    pub(super) fn take(&mut self, item: &mut Item) -> Result<()> {
        if let Some(failure) = item.failure.take() {
            return Err(failure);
        }
        let path = &self.inputs[item.block.file].path;
        for &(line, kind) in &item.bad {
            let place = || format!("{}:{line}", path.display());
            if self.preparation.strict {
                let next = "mend it, or leave --strict out";
                return Err(Error::file(place(), format!("a line {}", kind.text()), next));
            }
            self.bad.add(kind, place);
        }
        self.dropped.short += item.dropped.short;
        self.dropped.unknown += item.dropped.unknown;
        let before = self.lines;
        self.lines += item.lines.len() as u64;
        if item.block.file >= self.preparation.text.files.len() {
            return self.held_out.push(&item.lengths, &item.tokens);
        }
        match self.preparation.hold_out_every as u64 {
            every if every > 0 && self.lines / every > before / every => self.split(item, before, every),
            _ => self.train.push(&item.lengths, &item.tokens),
        }
    }

    /// An item with held-out lines in it: every one whose number is a multiple of `every`.
    fn split(&mut self, item: &Item, before: u64, every: u64) -> Result<()> {
        let width = self.train.width();
        let (mut lengths, mut tokens) = (&item.lengths[..], &item.tokens[..]);
        for (number, &pieces) in (before + 1..).zip(&item.lines) {
            let (these, rest) = lengths.split_at(pieces as usize);
            let bytes = width * these.iter().sum::<u32>() as usize;
            let (content, rest_tokens) = tokens.split_at(bytes);
            (lengths, tokens) = (rest, rest_tokens);
            if number.is_multiple_of(every) {
                for token in content.chunks_exact(width) {
                    let id = token.iter().rev().fold(0, |id, &b| id << 8 | usize::from(b));
                    self.held_counts[id] += 1;
                }
                self.held_out.push(these, content)?;
            } else {
                self.train.push(these, content)?;
            }
        }
        Ok(())
    }
}

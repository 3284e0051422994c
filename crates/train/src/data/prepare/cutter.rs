//! Lines to sequences: the work of one thread.

use super::Preparation;
use crate::Result;
use crate::data::shards::token_width;
use crate::data::text::{BadLine, Block, Field, Input};
use crate::data::vocabulary::{Encoder, Vocabulary};

/// A block and what comes of it.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// The lines.
    pub(super) block: Block,
    /// Sequences from each line with text.
    pub(super) lines: Vec<u32>,
    /// Length of each sequence.
    pub(super) lengths: Vec<u32>,
    /// All tokens, as shards hold them.
    pub(super) tokens: Vec<u8>,
    /// Lines without text, by number.
    pub(super) bad: Vec<(u64, BadLine)>,
    /// Pieces left out.
    pub(super) dropped: Dropped,
    /// A failure of the tokenizer.
    pub(super) failure: Option<crate::Error>,
}

/// Pieces left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dropped {
    /// Shorter than wanted.
    pub(super) short: u64,
    /// Half or more unknown.
    pub(super) unknown: u64,
}

/// Cuts lines into sequences and counts their tokens.
#[derive(Debug)]
pub(super) struct Cutter<'a> {
    preparation: &'a Preparation,
    vocabulary: &'a Vocabulary,
    inputs: &'a [Input],
    field: &'a Field,
    encoder: Encoder<'a>,
    ids: Vec<u32>,
    /// How often each token occurs in the sequences of training files.
    pub(super) counts: Vec<u64>,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(
        preparation: &'a Preparation,
        vocabulary: &'a Vocabulary,
        inputs: &'a [Input],
        field: &'a Field,
        encoder: Encoder<'a>,
    ) -> Self {
        let counts = vec![0; vocabulary.size];
        Self { preparation, vocabulary, inputs, field, encoder, ids: vec![], counts }
    }

    /// Fills in what comes of an item's block.
    pub(super) fn cut(&mut self, item: &mut Item) {
        item.lines.clear();
        item.lengths.clear();
        item.tokens.clear();
        item.bad.clear();
        item.dropped = Dropped::default();
        item.failure = self.texts(item).err();
    }

    fn texts(&mut self, item: &mut Item) -> Result<()> {
        let Item { block, lines, lengths, tokens, bad, dropped, .. } = item;
        let format = self.inputs[block.file].format;
        let counted = block.file < self.preparation.text.files.len();
        let (field, special) = (self.field, self.vocabulary.special);
        let width = token_width(self.vocabulary.size);
        let text = |text: &str| {
            self.ids.clear();
            self.encoder.encode(text, &mut self.ids)?;
            let before = lengths.len();
            for ids in self.ids.chunks(self.preparation.max_length - 2) {
                let length = ids.len() + 2;
                if length < self.preparation.min_length {
                    dropped.short += 1;
                    continue;
                }
                if 2 * ids.iter().filter(|&&id| id == special.unk).count() >= length {
                    dropped.unknown += 1;
                    continue;
                }
                for &id in [special.cls].iter().chain(ids).chain(&[special.sep]) {
                    tokens.extend_from_slice(&id.to_le_bytes()[..width]);
                    self.counts[id as usize] += u64::from(counted);
                }
                lengths.push(length as u32);
            }
            lines.push((lengths.len() - before) as u32);
            Ok(())
        };
        block.texts(format, field, text, |line, kind| bad.push((line, kind)))
    }
}

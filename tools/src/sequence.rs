//! Token sequences on the host, for what needs ids and not only answers: `[CLS] text [SEP]`, or with a second text
//! `[CLS] text [SEP] pair [SEP]`.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use distil_format::{Config, MAX_PIECE_BYTES, Vocabulary};
use distil_runtime::{PackedVocabulary, tokenizer};
use distil_tokenizer::Tokenizer;

/// Makes sequences for one model.
pub struct Sequencer<'a> {
    config: Config,
    vocabulary: Vocabulary<'a>,
    tokenizer: Tokenizer<PackedVocabulary<'a>>,
}

/// Ids with their segments and places in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Segment of each token: 0, or 1 for a second text where the model has token types.
    pub types: Vec<u8>,
    /// Byte range of each token in its text; empty for tokens that were added.
    pub spans: Vec<Range<usize>>,
}

impl Sequence {
    fn push(&mut self, id: u32, segment: u8, span: Range<usize>) {
        self.ids.push(id);
        self.types.push(segment);
        self.spans.push(span);
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl<'a> Sequencer<'a> {
    /// For the model of `config` with the packed `vocabulary`.
    pub fn new(config: &Config, vocabulary: Vocabulary<'a>) -> Self {
        Self { config: *config, vocabulary, tokenizer: tokenizer(config, vocabulary) }
    }

    /// The tokens of `text` alone, nothing added.
    pub fn plain(&self, text: &str) -> Sequence {
        let mut sequence = Sequence::default();
        self.append(&mut sequence, text, 0);
        sequence
    }

    /// The whole input of the model, of any length.
    pub fn sequence(&self, text: &str, pair: Option<&str>) -> Sequence {
        let mut sequence = Sequence::default();
        sequence.push(self.config.cls_id, 0, 0..0);
        self.append(&mut sequence, text, 0);
        sequence.push(self.config.sep_id, 0, 0..0);
        if let Some(pair) = pair {
            let segment = u8::from(self.config.type_vocab > 1);
            self.append(&mut sequence, pair, segment);
            sequence.push(self.config.sep_id, segment, 0..0);
        }
        sequence
    }

    /// `[CLS] text [SEP]` of at most `most` tokens; the text loses its end. Also says whether it did.
    pub fn truncated(&self, text: &str, most: usize) -> (Sequence, bool) {
        let mut sequence = self.sequence(text, None);
        let cut = sequence.len() > most;
        if cut {
            sequence.ids.truncate(most - 1);
            sequence.types.truncate(most - 1);
            sequence.spans.truncate(most - 1);
            sequence.push(self.config.sep_id, 0, 0..0);
        }
        (sequence, cut)
    }

    fn append(&self, sequence: &mut Sequence, text: &str, segment: u8) {
        let _ = self.tokenizer.for_each(text, |token| {
            sequence.push(token.id, segment, token.start as usize..token.end as usize);
            ControlFlow::Continue(())
        });
    }

    /// A lookup from ids to the written form of their entries.
    pub fn pieces(&self) -> Pieces<'a> {
        Pieces { vocabulary: self.vocabulary, known: HashMap::new() }
    }
}

/// Entries by id. A packed vocabulary is made for the other direction, so what was found is kept.
pub struct Pieces<'a> {
    vocabulary: Vocabulary<'a>,
    known: HashMap<u32, String>,
}

impl Pieces<'_> {
    /// The entry as `vocab.txt` has it, with `##` where it continues a word; empty for an id without an entry.
    pub fn get(&mut self, id: u32) -> &str {
        self.known.entry(id).or_insert_with(|| {
            let mut buffer = [0; MAX_PIECE_BYTES];
            match self.vocabulary.piece(id, &mut buffer) {
                Some((piece, true)) => format!("##{piece}"),
                Some((piece, false)) => piece.to_owned(),
                None => String::new(),
            }
        })
    }
}

//! Token sequences on the host, for what needs ids and not only answers: `[CLS] text [SEP]`, or with a second text
//! `[CLS] text [SEP] pair [SEP]`.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use distil_format::{Config, MAX_PIECE_BYTES, Vocabulary};
use distil_runtime::{PackedVocabulary, texts_of, tokenizer};
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

    fn remove(&mut self, at: usize) {
        self.ids.remove(at);
        self.types.remove(at);
        self.spans.remove(at);
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

    /// The model's input for a line ([`texts_of`]) in at most `most` tokens; also says whether the line lost some.
    pub fn truncated(&self, line: &str, most: usize) -> (Sequence, bool) {
        let (text, pair) = texts_of(self.config.head, line);
        self.fitting(text, pair, most)
    }

    /// [`Sequencer::sequence`] in at most `most` tokens: the longer of two texts loses its end first. Also says whether
    /// one did.
    pub fn fitting(&self, text: &str, pair: Option<&str>, most: usize) -> (Sequence, bool) {
        let (mut sequence, special) = (self.sequence(text, pair), if pair.is_some() { 3 } else { 2 });
        let excess = sequence.len().saturating_sub(most);
        let mut first = self.plain(text).len();
        let mut second = sequence.len() - special - first;
        for _ in 0..excess.min(first + second) {
            let at = if first > second { first } else { second + first + 1 };
            *(if first > second { &mut first } else { &mut second }) -= 1;
            sequence.remove(at);
        }
        (sequence, excess > 0)
    }

    /// The model's input for a sentence that is cut into words already, in at most `most` tokens, and the place of each
    /// word's first token; `None` for a word without a token, or behind the end.
    pub fn words(&self, words: &[String], most: usize) -> (Sequence, Vec<Option<usize>>) {
        let mut sequence = Sequence::default();
        sequence.push(self.config.cls_id, 0, 0..0);
        let room = most.saturating_sub(1);
        let places = words.iter().map(|word| {
            let at = sequence.len();
            self.append(&mut sequence, word, 0);
            (at < sequence.len() && at < room).then_some(at)
        });
        let places = places.collect();
        while sequence.len() > room {
            sequence.remove(sequence.len() - 1);
        }
        sequence.push(self.config.sep_id, 0, 0..0);
        (sequence, places)
    }

    /// The tokens of a text, nothing added, each with whether it continues the word of the one before.
    pub fn pieces_of(&self, text: &str) -> Vec<(u32, Range<usize>, bool)> {
        let mut pieces = Vec::new();
        let _ = self.tokenizer.for_each_piece(text, |token, continues| {
            pieces.push((token.id, token.start as usize..token.end as usize, continues));
            ControlFlow::Continue(())
        });
        pieces
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

//! What the tests share: vocabularies, and the `tokenizers` crate as the oracle.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::HashMap;
use std::path::PathBuf;

use distil_tokenizer::{MAX_WORD_CHARS, Settings, Token, Tokenizer, Vocabulary};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, AddedVocabulary, OffsetType, PreTokenizer as _};

/// A file beside the repository, if it is there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("SKIPPED: shared data not found ({path})");
    None
}

/// Every combination of the three switches, with the ids of the special tokens given.
pub(crate) fn all_settings(ids: [u32; 5]) -> impl Iterator<Item = Settings> {
    let [pad, unk, cls, sep, mask] = ids;
    (0..8).map(move |bits| Settings {
        lowercase: bits & 1 != 0,
        strip_accents: bits & 2 != 0,
        split_cjk: bits & 4 != 0,
        pad,
        unk,
        cls,
        sep,
        mask,
    })
}

pub(crate) fn normalizer(settings: &Settings) -> BertNormalizer {
    BertNormalizer::new(true, settings.split_cjk, Some(settings.strip_accents), settings.lowercase)
}

fn special_tokens() -> Vec<AddedToken> {
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(|t| AddedToken::from(t, true)).into()
}

/// A vocabulary in two hash maps, as plain as can be: word beginnings and continuations.
pub(crate) struct HashVocabulary {
    text: String,
    entries: HashMap<Vec<u8>, u32>,
    longest: usize,
}

impl HashVocabulary {
    /// From the text of a `vocab.txt`: one entry per line, the line number being its id.
    pub(crate) fn new(text: &str) -> Self {
        let entries: HashMap<_, _> =
            text.lines().enumerate().map(|(i, line)| (line.trim_end().as_bytes().to_vec(), i as u32)).collect();
        let longest = entries.keys().map(Vec::len).max().unwrap_or(0);
        Self { text: text.to_owned(), entries, longest }
    }

    pub(crate) fn id(&self, entry: &str) -> u32 {
        self.entries[entry.as_bytes()]
    }

    pub(crate) fn settings(&self) -> impl Iterator<Item = Settings> + use<> {
        all_settings(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(|t| self.id(t)))
    }

    /// The oracle over the same vocabulary.
    pub(crate) fn oracle(&self, settings: &Settings) -> tokenizers::Tokenizer {
        let vocab = WordPiece::read_bytes(self.text.as_bytes()).expect("a vocabulary");
        let model = WordPiece::builder().vocab(vocab).build().expect("a model");
        let mut oracle = tokenizers::Tokenizer::new(model);
        oracle.with_normalizer(Some(normalizer(settings))).expect("a normalizer");
        oracle.with_pre_tokenizer(Some(BertPreTokenizer));
        oracle.add_special_tokens(special_tokens()).expect("special tokens");
        oracle
    }
}

impl Vocabulary for HashVocabulary {
    fn longest_match(&self, text: &[u8], continuation: bool) -> Option<(u32, usize)> {
        let mut key = if continuation { b"##".to_vec() } else { Vec::new() };
        let prefix = key.len();
        key.extend_from_slice(&text[..text.len().min(self.longest)]);
        while key.len() > prefix {
            if let Some(&id) = self.entries.get(&key) {
                return Some((id, key.len() - prefix));
            }
            key.pop();
        }
        None
    }
}

/// A vocabulary of all characters: every one is a piece whose id is its code point.
pub(crate) struct Characters;

/// Not a code point: the unknown token of [`Characters`].
pub(crate) const UNKNOWN: u32 = 0x11_0000;

impl Vocabulary for Characters {
    fn longest_match(&self, text: &[u8], _: bool) -> Option<(u32, usize)> {
        let width = (1..=4).find(|n| text.get(*n).is_none_or(|b| b & 0xC0 != 0x80))?;
        let c = std::str::from_utf8(&text[..width]).ok()?.chars().next()?;
        Some((u32::from(c), width))
    }
}

impl Characters {
    pub(crate) fn settings() -> impl Iterator<Item = Settings> {
        all_settings([UNKNOWN + 1, UNKNOWN, UNKNOWN + 2, UNKNOWN + 3, UNKNOWN + 4])
    }

    /// Normalization, special tokens and splitting of the oracle, with one token per character.
    pub(crate) fn oracle(settings: Settings) -> impl Fn(&str) -> Vec<Token> {
        let normalizer = normalizer(&settings);
        let names: String = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].join("\n");
        let ids = [settings.pad, settings.unk, settings.cls, settings.sep, settings.mask];
        let vocab = WordPiece::read_bytes(names.as_bytes()).expect("a vocabulary");
        let model = WordPiece::builder().vocab(vocab).build().expect("a model");
        let mut added = AddedVocabulary::new();
        added.add_special_tokens(special_tokens(), &model, Some(&normalizer)).expect("special tokens");
        move |text| {
            let mut pieces = added.extract_and_normalize(Some(&normalizer), text);
            BertPreTokenizer.pre_tokenize(&mut pieces).expect("splits");
            pieces
                .tokenize(|word| {
                    let word = word.get();
                    let token = |id, at, len| tokenizers::Token::new(id, String::new(), (at, at + len));
                    Ok(if word.chars().count() > MAX_WORD_CHARS {
                        vec![token(u32::MAX, 0, word.len())]
                    } else {
                        let chars = word.char_indices();
                        chars.map(|(at, c)| token(!u32::from(c), at, c.len_utf8())).collect()
                    })
                })
                .expect("tokens");
            let encoding = pieces.into_encoding(None, 0, OffsetType::Byte).expect("an encoding");
            let mut tokens = from_encoding(&encoding);
            for token in &mut tokens {
                // Special tokens have the ids 0 to 4 here, all others were inverted.
                token.id = match token.id {
                    u32::MAX => settings.unk,
                    id => ids.get(id as usize).copied().unwrap_or(!id),
                };
            }
            tokens
        }
    }
}

fn from_encoding(encoding: &tokenizers::Encoding) -> Vec<Token> {
    let ids = encoding.get_ids().iter();
    ids.zip(encoding.get_offsets())
        .map(|(&id, &(start, end))| Token { id, start: start as u32, end: end as u32 })
        .collect()
}

/// The tokens that the oracle gives.
pub(crate) fn expected(oracle: &tokenizers::Tokenizer, text: &str) -> Vec<Token> {
    from_encoding(&oracle.encode(text, false).expect("an encoding"))
}

/// The tokens that we give.
pub(crate) fn actual<V: Vocabulary>(tokenizer: &Tokenizer<V>, text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let _ = tokenizer.for_each(text, |token| {
        tokens.push(token);
        std::ops::ControlFlow::Continue(())
    });
    tokens
}

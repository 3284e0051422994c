//! BERT's WordPiece, built from a `vocab.txt`.

mod compare;
mod encoder;
mod source;

pub use compare::{Difference, compare};
pub use encoder::Encoder;
pub use source::Source;

use crate::{Error, Result, files};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    Model, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
};

/// The special tokens' ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Special {
    /// `[PAD]`
    pub pad: u32,
    /// `[UNK]`
    pub unk: u32,
    /// `[CLS]`
    pub cls: u32,
    /// `[SEP]`
    pub sep: u32,
    /// `[MASK]`
    pub mask: u32,
}

impl Special {
    /// All five.
    pub fn ids(&self) -> [u32; 5] {
        [self.pad, self.unk, self.cls, self.sep, self.mask]
    }
}

/// A vocabulary and its tokenizer. Special tokens written out in the text are ordinary text to it.
#[derive(Debug)]
pub struct Vocabulary {
    /// As a `vocab.txt`.
    pub bytes: Vec<u8>,
    /// Its SHA-256.
    pub sha256: String,
    /// Number of entries.
    pub size: usize,
    /// Ids of the special tokens.
    pub special: Special,
    /// Whether text is lower-cased and stripped of accents.
    pub lowercase: bool,
    normalizer: BertNormalizer,
    model: WordPiece,
}

impl Vocabulary {
    /// Reads `vocab.txt`, a `tokenizer.json` or a model's folder (see [`Source::read`]). `cased` keeps case and accents;
    /// without it the source decides, and one that says nothing is lower-cased.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no vocabulary, and `cased` for a model that lower-cases.
    pub fn read(path: &Path, cased: bool) -> Result<Self> {
        let source = Source::read(path)?;
        if cased && source.lowercase == Some(true) {
            return Err(Error::file(path, "its tokenizer lower-cases, but --cased is given", "leave --cased out"));
        }
        let lowercase = !cased && source.lowercase.unwrap_or(true);
        Self::new(source.bytes, lowercase)
            .map_err(|reason| Error::file(path, reason, "give a BERT vocab.txt, one entry a line"))
    }

    fn new(bytes: Vec<u8>, lowercase: bool) -> Result<Self, String> {
        std::str::from_utf8(&bytes).map_err(|_| "not UTF-8")?;
        let mut ids = HashMap::new();
        for (id, entry) in compare::entries(&bytes).into_iter().enumerate() {
            let entry = String::from_utf8_lossy(entry).into_owned();
            let id = u32::try_from(id).map_err(|_| "too many entries")?;
            if let Some(first) = ids.insert(entry.clone(), id) {
                return Err(format!("`{entry}` stands twice, on lines {} and {}", first + 1, id + 1));
            }
        }
        let id = |token: &str| ids.get(token).copied().ok_or_else(|| format!("no entry `{token}`"));
        let special =
            Special { pad: id("[PAD]")?, unk: id("[UNK]")?, cls: id("[CLS]")?, sep: id("[SEP]")?, mask: id("[MASK]")? };
        let size = ids.len();
        // Its own kind of map, which has no other name here; reading the file with it would also trim the entries.
        let mut entries = WordPiece::read_bytes(b"").map_err(|e| e.to_string())?;
        entries.extend(ids);
        let model = WordPiece::builder().vocab(entries).unk_token("[UNK]".into()).build().map_err(|e| e.to_string())?;
        let normalizer = BertNormalizer::new(true, true, None, lowercase);
        Ok(Self { sha256: files::sha256(&bytes), size, special, lowercase, normalizer, model, bytes })
    }

    /// Token ids of a text, without special tokens: the definition that [`Encoder`] is a faster way to.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encode = || -> tokenizers::Result<Vec<u32>> {
            let mut normalized = NormalizedString::from(text);
            self.normalizer.normalize(&mut normalized)?;
            let mut words = PreTokenizedString::from(normalized);
            BertPreTokenizer.pre_tokenize(&mut words)?;
            words.tokenize(|word| self.model.tokenize(word.get()))?;
            let splits = words.get_splits(OffsetReferential::Original, OffsetType::None);
            let tokens = splits.into_iter().filter_map(|(_, _, tokens)| tokens.as_ref());
            Ok(tokens.flatten().map(|token| token.id).collect())
        };
        encode().map_err(|e| Error::Data(format!("the tokenizer failed: {e}")))
    }

    /// The same, each with its bytes in the text.
    pub fn encode_with_spans(&self, text: &str) -> Result<Vec<(u32, Range<usize>)>> {
        let encode = || -> tokenizers::Result<Vec<(u32, Range<usize>)>> {
            let mut normalized = NormalizedString::from(text);
            self.normalizer.normalize(&mut normalized)?;
            let mut words = PreTokenizedString::from(normalized);
            BertPreTokenizer.pre_tokenize(&mut words)?;
            words.tokenize(|word| self.model.tokenize(word.get()))?;
            let encoding = words.into_encoding(None, 0, OffsetType::Byte)?;
            let spans = encoding.get_offsets().iter().map(|&(start, end)| start..end);
            Ok(encoding.get_ids().iter().copied().zip(spans).collect())
        };
        encode().map_err(|e| Error::Data(format!("the tokenizer failed: {e}")))
    }

    /// Token ids of one word that is normalized already.
    fn encode_word(&self, word: &str, out: &mut Vec<u32>) -> Result<()> {
        let tokens = self.model.tokenize(word).map_err(|e| Error::Data(format!("the tokenizer failed: {e}")))?;
        out.extend(tokens.iter().map(|token| token.id));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(entries: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.txt");
        std::fs::write(&path, entries.join("\n") + "\n").unwrap();
        (folder, path)
    }

    #[test]
    fn encodes_like_bert() {
        let (_folder, path) =
            write(&["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", ",", "cafe"]);
        let vocabulary = Vocabulary::read(&path, false).unwrap();
        assert_eq!(vocabulary.encode("UNaffable, Café xyz").unwrap(), [5, 6, 7, 8, 9, 1]);
        assert_eq!(vocabulary.special.mask, 4);
        let spans = vocabulary.encode_with_spans("É UNaffable,\u{301} Café xyz").unwrap();
        let ids: Vec<u32> = spans.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, vocabulary.encode("É UNaffable,\u{301} Café xyz").unwrap());
        let bytes: Vec<_> = spans.into_iter().map(|(_, span)| span).collect();
        assert_eq!(bytes[1..5], [3..5, 5..8, 8..12, 12..13]);
        assert_eq!(bytes[5..], [16..21, 22..25]);
        let cased = Vocabulary::read(&path, true).unwrap();
        assert_eq!(cased.encode("UNaffable, Café xyz").unwrap(), [1, 8, 1, 1]);
    }

    #[test]
    fn errors_name_what_is_missing() {
        let (_folder, path) = write(&["[PAD]", "[UNK]", "[CLS]", "[SEP]"]);
        assert!(Vocabulary::read(&path, false).unwrap_err().to_string().contains("[MASK]"));
        let (_folder, path) = write(&["[PAD]", "[UNK]", "[PAD]"]);
        assert!(Vocabulary::read(&path, false).unwrap_err().to_string().contains("on lines 1 and 3"));
    }
}

//! BERT's WordPiece, built from a `vocab.txt`.

use crate::{Error, Result, files};
use std::collections::HashMap;
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
    /// The file as it is.
    pub bytes: Vec<u8>,
    /// Its SHA-256.
    pub sha256: String,
    /// Number of entries.
    pub size: usize,
    /// Ids of the special tokens.
    pub special: Special,
    normalizer: BertNormalizer,
    model: WordPiece,
}

impl Vocabulary {
    /// Reads `vocab.txt`: one entry a line, the id is the line number from 0.
    pub fn read(path: &Path, lowercase: bool) -> Result<Self> {
        let bytes = files::read(path)?;
        let wrong = |reason: String| Error::file(path, reason, "give a BERT vocab.txt, one entry a line");
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("not UTF-8".into()))?;
        let mut ids = HashMap::new();
        for (id, entry) in text.lines().enumerate() {
            let entry = entry.trim_end_matches('\r');
            if ids.insert(entry, id as u32).is_some() {
                return Err(wrong(format!("`{entry}` stands twice, again on line {}", id + 1)));
            }
        }
        let id = |token: &str| ids.get(token).copied().ok_or_else(|| wrong(format!("no entry `{token}`")));
        let special =
            Special { pad: id("[PAD]")?, unk: id("[UNK]")?, cls: id("[CLS]")?, sep: id("[SEP]")?, mask: id("[MASK]")? };
        let model = WordPiece::read_bytes(&bytes)
            .and_then(|entries| WordPiece::builder().vocab(entries).unk_token("[UNK]".into()).build())
            .map_err(|e| wrong(e.to_string()))?;
        Ok(Self {
            sha256: files::sha256(&bytes),
            size: ids.len(),
            special,
            normalizer: BertNormalizer::new(true, true, None, lowercase),
            model,
            bytes,
        })
    }

    /// Token ids of a text, without special tokens.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn write(entries: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.txt");
        std::fs::write(&path, entries.join("\n") + "\n").unwrap();
        (folder, path)
    }

    #[test]
    fn encodes_like_bert() {
        let (_folder, path) =
            write(&["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", ",", "cafe"]);
        let vocabulary = Vocabulary::read(&path, true).unwrap();
        assert_eq!(vocabulary.encode("UNaffable, Café xyz").unwrap(), [5, 6, 7, 8, 9, 1]);
        assert_eq!(vocabulary.special.mask, 4);
    }

    #[test]
    fn errors_name_what_is_missing() {
        let (_folder, path) = write(&["[PAD]", "[UNK]", "[CLS]", "[SEP]"]);
        assert!(Vocabulary::read(&path, true).unwrap_err().to_string().contains("[MASK]"));
        let (_folder, path) = write(&["[PAD]", "[UNK]", "[PAD]"]);
        assert!(Vocabulary::read(&path, true).unwrap_err().to_string().contains("line 3"));
    }
}

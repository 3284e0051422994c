//! The WordPiece vocabulary and the text settings: `vocab.txt`, `tokenizer.json`, `tokenizer_config.json`.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::error::{HfError, Problem};
use super::tokenizer_json::{refuse_added, word_piece};
use super::{read_json, read_text};
use crate::keep_vocabulary::Kept;

/// What a BERT tokenizer needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// The entries; the index is the id.
    pub pieces: Vec<String>,
    /// Lower-case the text.
    pub lowercase: bool,
    /// Remove accents.
    pub strip_accents: bool,
    /// Split Chinese characters apart.
    pub split_cjk: bool,
    /// The special tokens' ids.
    pub special: SpecialIds,
    /// What was dropped to get these entries; `None` if nothing was.
    pub kept: Option<Kept>,
}

/// Ids of the special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialIds {
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

impl Vocabulary {
    /// Reads the vocabulary of `folder`, or the `vocab.txt` given instead; the text settings are the folder's.
    pub fn read(folder: &Path, instead: Option<&Path>) -> Result<Self, HfError> {
        let tokenizer = folder.join("tokenizer.json");
        let json = if tokenizer.exists() { Some(read_json(&tokenizer)?) } else { None };
        let in_folder = folder.join("vocab.txt");
        let text = instead.or_else(|| in_folder.exists().then_some(in_folder.as_path()));
        let (pieces, source) = match (text, &json) {
            (Some(path), _) => (read_pieces(path)?, path),
            (None, Some(json)) => (word_piece(json).map_err(|problem| problem.at(&tokenizer))?, tokenizer.as_path()),
            (None, None) => return Err(Problem::NoVocabulary.at(folder)),
        };
        // Whoever names a vocabulary knows what the folder's tokenizer is.
        if let (Some(json), None) = (&json, instead) {
            let other = word_piece(json).map_err(|problem| problem.at(&tokenizer))?;
            if other != pieces {
                let id = other.iter().zip(&pieces).take_while(|(a, b)| a == b).count();
                return Err(Problem::TwoVocabularies { id }.at(source));
            }
            refuse_added(json, &pieces).map_err(|problem| problem.at(&tokenizer))?;
        }
        let mut settings = Settings::default();
        if let Some(json) = &json {
            settings.apply_normalizer(json);
        }
        let path = folder.join("tokenizer_config.json");
        if path.exists() {
            let config = read_json(&path)?;
            if json.is_none() && instead.is_none() {
                refuse_other_classes(&config).map_err(|problem| problem.at(&path))?;
            }
            settings.apply_config(&config);
        }
        let path = folder.join("sentence_bert_config.json");
        if path.exists() {
            settings.apply_sentence(&read_json(&path)?);
        }
        Self::new(pieces, settings).map_err(|problem| problem.at(source))
    }

    /// Reads a lone `vocab.txt` with BERT's uncased settings, or cased ones if `lowercase` is false.
    pub fn read_file(path: &Path, lowercase: bool) -> Result<Self, HfError> {
        let settings = Settings { lowercase, ..Settings::default() };
        Self::new(read_pieces(path)?, settings).map_err(|problem| problem.at(path))
    }

    fn new(pieces: Vec<String>, settings: Settings) -> Result<Self, Problem> {
        let mut ids = HashMap::with_capacity(pieces.len());
        for (id, piece) in pieces.iter().enumerate() {
            if piece.is_empty() {
                return Err(Problem::VocabularyEntry { line: id + 1, reason: "empty entry".into() });
            }
            if let Some(first) = ids.insert(piece.as_str(), id) {
                return Err(Problem::VocabularyEntry {
                    line: id + 1,
                    reason: format!("`{piece}` is already on line {}", first + 1),
                });
            }
        }
        let id = |token| ids.get(token).map(|id| *id as u32).ok_or(Problem::SpecialToken(token));
        let special = SpecialIds {
            pad: id("[PAD]")?,
            unk: id("[UNK]")?,
            cls: id("[CLS]")?,
            sep: id("[SEP]")?,
            mask: id("[MASK]")?,
        };
        let Settings { lowercase, strip_accents, split_cjk } = settings;
        Ok(Self {
            pieces,
            lowercase,
            strip_accents: strip_accents.unwrap_or(lowercase),
            split_cjk,
            special,
            kept: None,
        })
    }
}

/// The text settings, BERT's uncased ones unless a file says otherwise.
struct Settings {
    lowercase: bool,
    /// `None`: as `lowercase`.
    strip_accents: Option<bool>,
    split_cjk: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lowercase: true, strip_accents: None, split_cjk: true }
    }
}

impl Settings {
    /// The normalizer of `tokenizer.json`.
    fn apply_normalizer(&mut self, json: &Map<String, Value>) {
        let Some(normalizer) = json.get("normalizer") else { return };
        let flag = |key| normalizer.get(key).and_then(Value::as_bool);
        self.lowercase = flag("lowercase").unwrap_or(self.lowercase);
        self.strip_accents = flag("strip_accents");
        self.split_cjk = flag("handle_chinese_chars").unwrap_or(self.split_cjk);
    }

    /// `tokenizer_config.json`, which `transformers` lets win over the normalizer.
    fn apply_config(&mut self, json: &Map<String, Value>) {
        let flag = |key| json.get(key).and_then(Value::as_bool);
        self.lowercase = flag("do_lower_case").unwrap_or(self.lowercase);
        self.strip_accents = flag("strip_accents").or(self.strip_accents);
        self.split_cjk = flag("tokenize_chinese_chars").unwrap_or(self.split_cjk);
    }

    /// `sentence_bert_config.json`: text may be lower-cased on its way to a tokenizer that keeps case, and accents with it.
    fn apply_sentence(&mut self, json: &Map<String, Value>) {
        if json.get("do_lower_case").and_then(Value::as_bool) == Some(true) {
            self.strip_accents = Some(self.strip_accents.unwrap_or(self.lowercase));
            self.lowercase = true;
        }
    }
}

/// Refuses a `tokenizer_config.json` that names another tokenizer: a `vocab.txt` alone does not tell.
fn refuse_other_classes(json: &Map<String, Value>) -> Result<(), Problem> {
    let name = json.get("tokenizer_class").and_then(Value::as_str).unwrap_or("BertTokenizer");
    // The last two name no algorithm.
    let known =
        ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "PreTrainedTokenizer", "TokenizersBackend"];
    if !known.contains(&name.strip_suffix("Fast").unwrap_or(name)) {
        return Err(Problem::Tokenizer(format!("tokenizer_config.json says {name}")));
    }
    if json.get("do_basic_tokenize").and_then(Value::as_bool) == Some(false) {
        return Err(Problem::Tokenizer("it cuts words at white space alone (`do_basic_tokenize` is false)".into()));
    }
    Ok(())
}

fn read_pieces(path: &Path) -> Result<Vec<String>, HfError> {
    let text = read_text(path)?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(extra: &[&str]) -> Vec<String> {
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].iter().chain(extra).map(|piece| (*piece).to_owned()).collect()
    }

    #[test]
    fn accents_follow_case_unless_said() {
        let cased = Settings { lowercase: false, ..Settings::default() };
        assert!(!Vocabulary::new(pieces(&[]), cased).unwrap().strip_accents);
        let mut settings = Settings::default();
        settings.apply_config(serde_json::json!({"do_lower_case": true, "strip_accents": false}).as_object().unwrap());
        assert!(!Vocabulary::new(pieces(&[]), settings).unwrap().strip_accents);
    }

    #[test]
    fn refuses_doubled_empty_and_incomplete_vocabularies() {
        for (vocabulary, expected) in [
            (pieces(&["a", "a"]), "line 7: `a` is already on line 6"),
            (pieces(&["", "a"]), "line 6: empty entry"),
            (pieces(&[])[..4].to_vec(), "the vocabulary has no [MASK]"),
        ] {
            assert_eq!(Vocabulary::new(vocabulary, Settings::default()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn lower_casing_before_the_tokenizer_keeps_accents() {
        let mut cased = Settings { lowercase: false, ..Settings::default() };
        let lower = serde_json::json!({"do_lower_case": true});
        cased.apply_sentence(lower.as_object().unwrap());
        let vocabulary = Vocabulary::new(pieces(&[]), cased).unwrap();
        assert_eq!((vocabulary.lowercase, vocabulary.strip_accents), (true, false));
        let mut uncased = Settings::default();
        uncased.apply_sentence(lower.as_object().unwrap());
        assert!(Vocabulary::new(pieces(&[]), uncased).unwrap().strip_accents);
    }

    #[test]
    fn other_tokenizers_are_told_by_their_class() {
        let refused = |json: serde_json::Value| refuse_other_classes(json.as_object().unwrap()).is_err();
        for class in ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizerFast", "PreTrainedTokenizerFast"] {
            assert!(!refused(serde_json::json!({"tokenizer_class": class})), "{class}");
        }
        assert!(!refused(serde_json::json!({"do_basic_tokenize": true})));
        assert!(refused(serde_json::json!({"tokenizer_class": "BertJapaneseTokenizer"})));
        assert!(refused(serde_json::json!({"do_basic_tokenize": false})));
    }
}

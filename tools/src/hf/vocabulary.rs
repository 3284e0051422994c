//! The WordPiece vocabulary and the text settings: `vocab.txt`, `tokenizer.json`, `tokenizer_config.json`.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::error::{HfError, Problem};
use super::{read_json, read_text};

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
        let mut settings = Settings::default();
        if let Some(json) = &json {
            settings.apply_normalizer(json);
        }
        let path = folder.join("tokenizer_config.json");
        if path.exists() {
            settings.apply_config(&read_json(&path)?);
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
        Ok(Self { pieces, lowercase, strip_accents: strip_accents.unwrap_or(lowercase), split_cjk, special })
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
}

fn read_pieces(path: &Path) -> Result<Vec<String>, HfError> {
    let text = read_text(path)?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The vocabulary of a `tokenizer.json`, refused if the model is not BERT's WordPiece.
fn word_piece(json: &Map<String, Value>) -> Result<Vec<String>, Problem> {
    let refuse = |why: &str| Problem::Tokenizer(why.into());
    let model = json.get("model").and_then(Value::as_object).ok_or_else(|| refuse("no `model`"))?;
    match model.get("type").and_then(Value::as_str) {
        Some("WordPiece") => {}
        other => return Err(Problem::Tokenizer(format!("its model is {}", other.unwrap_or("not named")))),
    }
    if model.get("continuing_subword_prefix").and_then(Value::as_str).unwrap_or("##") != "##" {
        return Err(refuse("its continuation prefix is not ##"));
    }
    if model.get("max_input_chars_per_word").and_then(Value::as_u64).unwrap_or(100) != 100 {
        return Err(refuse("its limit of characters per word is not 100"));
    }
    let map = model.get("vocab").and_then(Value::as_object).ok_or_else(|| refuse("its model has no `vocab`"))?;
    let mut pieces = vec![None; map.len()];
    for (piece, id) in map {
        let slot = id.as_u64().and_then(|id| pieces.get_mut(usize::try_from(id).ok()?));
        *slot.ok_or_else(|| refuse("its ids are not 0, 1, 2, ..."))? = Some(piece.clone());
    }
    pieces.into_iter().collect::<Option<_>>().ok_or_else(|| refuse("two entries share an id"))
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
    fn tokenizer_json_gives_entries_in_id_order() {
        let json = serde_json::json!({"model": {"type": "WordPiece", "vocab": {"b": 1, "a": 0}}});
        assert_eq!(word_piece(json.as_object().unwrap()).unwrap(), ["a", "b"]);
        for (model, expected) in [
            (serde_json::json!({"type": "BPE"}), "not a BERT WordPiece tokenizer: its model is BPE"),
            (
                serde_json::json!({"type": "WordPiece", "vocab": {"a": 0, "b": 0}}),
                "not a BERT WordPiece tokenizer: two entries share an id",
            ),
            (
                serde_json::json!({"type": "WordPiece", "vocab": {"a": 7}}),
                "not a BERT WordPiece tokenizer: its ids are not 0, 1, 2, ...",
            ),
        ] {
            let json = serde_json::json!({ "model": model });
            assert_eq!(word_piece(json.as_object().unwrap()).unwrap_err().to_string(), expected);
        }
    }
}

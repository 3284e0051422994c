//! Where a vocabulary comes from: a `vocab.txt`, a `tokenizer.json` or the folder of a model.

use crate::{Error, Result, files};
use serde_json::Value;
use std::path::Path;

/// A vocabulary as one `vocab.txt`, and what is known of its casing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// One entry a line; the id is the line number from 0.
    pub bytes: Vec<u8>,
    /// Whether text is lower-cased before it is cut; none when nothing says so.
    pub lowercase: Option<bool>,
}

impl Source {
    /// Reads a `vocab.txt`, a `tokenizer.json` (any name that ends in `.json`) or what a model's folder holds of them.
    pub fn read(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::of_folder(path)?.ok_or_else(|| {
                Error::file(path, "neither vocab.txt nor tokenizer.json in it", "name the vocabulary's file")
            });
        }
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            return Self::from_tokenizer(path);
        }
        Ok(Self { bytes: files::read(path)?, lowercase: None })
    }

    /// The vocabulary of a model's folder: `vocab.txt`, else derived from `tokenizer.json`; none without either. The
    /// casing is `tokenizer_config.json`'s, else `tokenizer.json`'s.
    pub fn of_folder(folder: &Path) -> Result<Option<Self>> {
        let (text, json) = (folder.join("vocab.txt"), folder.join("tokenizer.json"));
        let config: Option<Value> = std::fs::read(folder.join("tokenizer_config.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let said = config.and_then(|config| config["do_lower_case"].as_bool());
        if !text.exists() {
            let derived = json.exists().then(|| Self::from_tokenizer(&json)).transpose()?;
            return Ok(derived.map(|source| Self { lowercase: said.or(source.lowercase), ..source }));
        }
        let bytes = files::read(&text)?;
        // Beside a vocab.txt the other file only has to help; whatever it holds, the vocabulary stands.
        let beside = || Self::from_tokenizer(&json).ok().and_then(|source| source.lowercase);
        Ok(Some(Self { bytes, lowercase: said.or_else(beside) }))
    }

    fn from_tokenizer(path: &Path) -> Result<Self> {
        let json: Value = serde_json::from_slice(&files::read(path)?)
            .map_err(|e| Error::file(path, format!("not JSON: {e}"), "download or save it again"))?;
        parse(&json).map_err(|reason| Error::file(path, reason, "give the vocab.txt or tokenizer.json of a BERT model"))
    }
}

/// The vocabulary of a tokenizer that does what this crate's does, or why it does not.
fn parse(json: &Value) -> Result<Source, String> {
    let model = &json["model"];
    let kind = model["type"].as_str().unwrap_or("none");
    if kind != "WordPiece" {
        return Err(format!("its model is {kind}, not WordPiece"));
    }
    let expected = [("unk_token", "[UNK]"), ("continuing_subword_prefix", "##")];
    if let Some((name, _)) = expected.iter().find(|(name, value)| model[name].as_str().is_some_and(|v| v != *value)) {
        return Err(format!("its {name} is {}", model[name]));
    }
    if model["max_input_chars_per_word"].as_u64().is_some_and(|n| n != 100) {
        return Err("its words are not limited to 100 characters".into());
    }
    let vocabulary = model["vocab"].as_object().ok_or("no vocabulary in it")?;
    let added = json["added_tokens"].as_array().into_iter().flatten();
    let added = added.filter_map(|token| Some((token["content"].as_str()?, token["id"].as_u64()?)));
    let mut entries: Vec<Option<&str>> = Vec::new();
    for (entry, id) in
        vocabulary.iter().map(|(entry, id)| (entry.as_str(), id.as_u64().unwrap_or(u64::MAX))).chain(added)
    {
        if entry.contains('\n') || entry.ends_with('\r') {
            return Err(format!("entry {entry:?} has a line end in it"));
        }
        // Far above any vocabulary: what an id may cost in memory.
        let place = usize::try_from(id).ok().filter(|&id| id < 1 << 24);
        let place = place.ok_or_else(|| format!("entry `{entry}` has no usable id"))?;
        if entries.len() <= place {
            entries.resize(place + 1, None);
        }
        match entries[place].replace(entry) {
            Some(other) if other != entry => return Err(format!("`{other}` and `{entry}` have the same id {place}")),
            _ => {}
        }
    }
    let mut bytes = Vec::new();
    for (id, entry) in entries.into_iter().enumerate() {
        bytes.extend_from_slice(entry.ok_or_else(|| format!("id {id} has no entry"))?.as_bytes());
        bytes.push(b'\n');
    }
    Ok(Source { bytes, lowercase: casing(&json["normalizer"])? })
}

fn casing(normalizer: &Value) -> Result<Option<bool>, String> {
    match normalizer["type"].as_str() {
        Some("BertNormalizer") => {
            let lowercase = normalizer["lowercase"].as_bool();
            if normalizer["strip_accents"].as_bool().is_some_and(|strip| Some(strip) != lowercase) {
                return Err("it strips accents without lower-casing, or the other way round".into());
            }
            if [&normalizer["clean_text"], &normalizer["handle_chinese_chars"]]
                .iter()
                .any(|v| v.as_bool() == Some(false))
            {
                return Err("it does not clean text or split Chinese characters as BERT does".into());
            }
            Ok(lowercase)
        }
        None => Ok(None),
        Some(other) => Err(format!("its normalizer is {other}, not BertNormalizer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tokenizer() -> Value {
        json!({
            "added_tokens": [{"id": 2, "content": "[MASK]"}, {"id": 0, "content": "[UNK]"}],
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
                "lowercase": false,
            },
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": {"a": 1, "[UNK]": 0},
            },
        })
    }

    #[test]
    fn added_tokens_fill_the_vocabulary() {
        let source = parse(&tokenizer()).unwrap();
        assert_eq!(source, Source { bytes: b"[UNK]\na\n[MASK]\n".to_vec(), lowercase: Some(false) });
    }

    #[test]
    fn what_would_be_cut_otherwise_is_refused() {
        for (pointer, value, words) in [
            ("/model/type", json!("BPE"), "BPE, not WordPiece"),
            ("/model/unk_token", json!("<unk>"), "unk_token is \"<unk>\""),
            ("/model/max_input_chars_per_word", json!(200), "100 characters"),
            ("/model/vocab/a", json!(7), "id 1 has no entry"),
            ("/model/vocab/a", json!(2), "same id 2"),
            ("/model/vocab/a", json!(-1), "no usable id"),
            ("/normalizer/strip_accents", json!(true), "accents"),
            ("/normalizer/handle_chinese_chars", json!(false), "Chinese"),
            ("/normalizer/type", json!("Sequence"), "Sequence, not BertNormalizer"),
        ] {
            let mut json = tokenizer();
            *json.pointer_mut(pointer).unwrap() = value;
            let error = parse(&json).unwrap_err();
            assert!(error.contains(words), "{pointer}: {error}");
        }
    }

    #[test]
    fn a_folder_says_what_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(Source::of_folder(folder.path()).unwrap(), None);
        assert!(Source::read(folder.path()).unwrap_err().to_string().contains("neither vocab.txt nor"));
        write("tokenizer.json", &tokenizer().to_string());
        let derived = Source::read(folder.path()).unwrap();
        assert_eq!(derived.lowercase, Some(false));
        write("vocab.txt", "x\n");
        assert_eq!(Source::read(folder.path()).unwrap(), Source { bytes: b"x\n".to_vec(), lowercase: Some(false) });
        write("tokenizer_config.json", "{\"do_lower_case\": true}");
        assert_eq!(Source::read(folder.path()).unwrap().lowercase, Some(true));
        let alone = Source::read(&folder.path().join("vocab.txt")).unwrap();
        assert_eq!(alone.lowercase, None);
    }
}

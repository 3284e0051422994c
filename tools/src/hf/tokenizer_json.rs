//! `tokenizer.json`: its vocabulary, and whether it is a BERT tokenizer in every part.

use serde_json::{Map, Value};

use super::error::Problem;

/// The vocabulary, refused if the tokenizer is not BERT's WordPiece.
pub(super) fn word_piece(json: &Map<String, Value>) -> Result<Vec<String>, Problem> {
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
    for (part, expected) in [("normalizer", "BertNormalizer"), ("pre_tokenizer", "BertPreTokenizer")] {
        let kind = json.get(part).and_then(|part| part.get("type")).and_then(Value::as_str);
        if let Some(kind) = kind.filter(|&kind| kind != expected) {
            return Err(Problem::Tokenizer(format!("its {part} is {kind}")));
        }
    }
    if json.get("normalizer").and_then(|normalizer| normalizer.get("clean_text")) == Some(&Value::Bool(false)) {
        return Err(refuse("its normalizer leaves control characters in the text"));
    }
    let map = model.get("vocab").and_then(Value::as_object).ok_or_else(|| refuse("its model has no `vocab`"))?;
    let mut pieces = vec![None; map.len()];
    for (piece, id) in map {
        let slot = id.as_u64().and_then(|id| pieces.get_mut(usize::try_from(id).ok()?));
        *slot.ok_or_else(|| refuse("its ids are not 0, 1, 2, ..."))? = Some(piece.clone());
    }
    pieces.into_iter().collect::<Option<_>>().ok_or_else(|| refuse("two entries share an id"))
}

/// Refuses tokens that were added and have no entry in the vocabulary: they are searched for before the text is cut
/// into words, which a packed file does for the five special tokens alone.
pub(super) fn refuse_added(json: &Map<String, Value>, pieces: &[String]) -> Result<(), Problem> {
    let added = json.get("added_tokens").and_then(Value::as_array);
    let outside = |token: &&Value| {
        let id = token.get("id").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let piece = usize::try_from(id).ok().and_then(|id| pieces.get(id));
        piece.map(String::as_str) != token.get("content").and_then(Value::as_str)
    };
    let outside: Vec<&Value> = added.into_iter().flatten().filter(outside).collect();
    match outside.first() {
        None => Ok(()),
        Some(first) => {
            let first = first.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
            Err(Problem::AddedTokens { count: outside.len(), first })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_come_in_id_order() {
        let json = json!({"model": {"type": "WordPiece", "vocab": {"b": 1, "a": 0}}});
        assert_eq!(word_piece(json.as_object().unwrap()).unwrap(), ["a", "b"]);
    }

    #[test]
    fn other_tokenizers_are_refused() {
        let model = json!({"type": "WordPiece", "vocab": {"a": 0}});
        for (json, expected) in [
            (json!({"model": {"type": "BPE"}}), "its model is BPE"),
            (json!({"model": {"type": "WordPiece", "vocab": {"a": 0, "b": 0}}}), "two entries share an id"),
            (json!({"model": {"type": "WordPiece", "vocab": {"a": 7}}}), "its ids are not 0, 1, 2, ..."),
            (json!({"model": model, "normalizer": {"type": "NFC"}}), "its normalizer is NFC"),
            (json!({"model": model, "pre_tokenizer": {"type": "Whitespace"}}), "its pre_tokenizer is Whitespace"),
            (
                json!({"model": model, "normalizer": {"type": "BertNormalizer", "clean_text": false}}),
                "its normalizer leaves control characters in the text",
            ),
        ] {
            let error = word_piece(json.as_object().unwrap()).unwrap_err().to_string();
            assert_eq!(error, format!("not a BERT WordPiece tokenizer: {expected}"));
        }
    }

    #[test]
    fn added_tokens_need_an_entry() {
        let pieces = ["[PAD]".to_owned(), "[E1]".to_owned()];
        let known = json!({"added_tokens": [{"id": 0, "content": "[PAD]"}, {"id": 1, "content": "[E1]"}]});
        refuse_added(known.as_object().unwrap(), &pieces).unwrap();
        let more = json!({"added_tokens": [{"id": 0, "content": "[PAD]"}, {"id": 2, "content": "<name>"}]});
        let error = refuse_added(more.as_object().unwrap(), &pieces).unwrap_err().to_string();
        assert_eq!(error, "1 token(s) added beside the vocabulary, first `<name>`");
    }
}

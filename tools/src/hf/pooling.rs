//! How sentence-transformers turns text into one vector: the configuration of pooling, usually `1_Pooling/config.json`, the
//! steps of `modules.json`, and where texts are cut.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::{HfError, Problem};
use super::modules::Modules;
use super::read_json;

/// How the tokens' hidden states become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pooling {
    /// The first token's state instead of the mean over all tokens.
    pub cls: bool,
    /// Scaled to length 1.
    pub normalize: bool,
}

impl Pooling {
    /// Reads what the folder says; mean without normalization if it says nothing.
    pub fn read(folder: &Path, modules: Option<&Modules>) -> Result<Self, HfError> {
        let normalize = match modules {
            Some(modules) => modules.normalize().map_err(|problem| problem.at(&folder.join("modules.json")))?,
            None => false,
        };
        let inside = modules.and_then(Modules::pooling).unwrap_or("1_Pooling");
        let path = folder.join(inside).join("config.json");
        let cls = path.exists() && is_cls(&read_json(&path)?).map_err(|problem| problem.at(&path))?;
        Ok(Self { cls, normalize })
    }
}

/// `max_seq_length` in the folder of the encoder: sentence-transformers cuts texts there, whatever the model could take.
pub(super) fn longest(inside: &Path) -> Result<Option<usize>, HfError> {
    // Older exports name the family.
    let names = ["sentence_bert_config.json", "sentence_distilbert_config.json"];
    let Some(path) = names.iter().map(|name| inside.join(name)).find(|path| path.exists()) else { return Ok(None) };
    match read_json(&path)?.get("max_seq_length") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let most = value.as_u64().and_then(|most| usize::try_from(most).ok()).filter(|&most| most > 2);
            let expected = "a number of tokens, 3 or more";
            most.map(Some).ok_or_else(|| Problem::Key { key: "max_seq_length".into(), expected }.at(&path))
        }
    }
}

/// Whether the first token is taken, and not the mean; others cannot be packed.
fn is_cls(json: &Map<String, Value>) -> Result<bool, Problem> {
    // Later versions name the one mode, earlier ones have a switch for each.
    match json.get("pooling_mode") {
        None | Some(Value::Null) => {}
        Some(Value::String(mode)) if mode == "cls" || mode == "mean" => return Ok(mode == "cls"),
        Some(other) => return Err(Problem::Setting { key: "pooling_mode", found: other.to_string() }),
    }
    let on = |key: &str| json.get(key).and_then(Value::as_bool);
    for key in [
        "pooling_mode_max_tokens",
        "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_weightedmean_tokens",
        "pooling_mode_lasttoken",
    ] {
        if on(key) == Some(true) {
            return Err(Problem::Setting { key, found: "true".into() });
        }
    }
    let cls = on("pooling_mode_cls_token").unwrap_or(false);
    let found = match (cls, on("pooling_mode_mean_tokens").unwrap_or(!cls)) {
        (true, true) => "true beside the CLS token",
        (false, false) => "false, with no other mode,",
        _ => return Ok(cls),
    };
    Err(Problem::Setting { key: "pooling_mode_mean_tokens", found: found.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        let mode = |json: Value| is_cls(json.as_object().unwrap()).map_err(|problem| problem.to_string());
        for (json, expected) in [
            (serde_json::json!({}), false),
            (serde_json::json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}), false),
            (serde_json::json!({"pooling_mode_mean_tokens": false, "pooling_mode_cls_token": true}), true),
            (serde_json::json!({"pooling_mode": "cls"}), true),
            (serde_json::json!({"pooling_mode": "mean"}), false),
        ] {
            assert_eq!(mode(json), Ok(expected));
        }
        for (json, said) in [
            (serde_json::json!({"pooling_mode": "max"}), "`pooling_mode` = \"max\" is not supported"),
            (serde_json::json!({"pooling_mode_lasttoken": true}), "`pooling_mode_lasttoken` = true is not supported"),
            (
                serde_json::json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}),
                "`pooling_mode_mean_tokens` = true beside the CLS token is not supported",
            ),
            (
                serde_json::json!({"pooling_mode_mean_tokens": false}),
                "`pooling_mode_mean_tokens` = false, with no other mode, is not supported",
            ),
        ] {
            assert_eq!(mode(json), Err(said.to_owned()));
        }
    }
}

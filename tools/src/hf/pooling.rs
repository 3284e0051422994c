//! How sentence-transformers turns hidden states into one vector: `1_Pooling/config.json` and `modules.json`.

use std::path::Path;

use serde_json::Value;

use super::error::{HfError, Problem};
use super::{read_json, read_json_value};

/// How the tokens' hidden states become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// The first token's state instead of the mean over all tokens.
    pub cls: bool,
    /// Scaled to length 1.
    pub normalize: bool,
}

impl Pooling {
    /// Reads what the folder says; mean without normalization if it says nothing.
    pub fn read(folder: &Path) -> Result<Self, HfError> {
        let mut pooling = Self { cls: false, normalize: false };
        let path = folder.join("1_Pooling/config.json");
        if path.exists() {
            let json = read_json(&path)?;
            let on = |key: &str| json.get(key).and_then(Value::as_bool).unwrap_or(false);
            for key in [
                "pooling_mode_max_tokens",
                "pooling_mode_mean_sqrt_len_tokens",
                "pooling_mode_weightedmean_tokens",
                "pooling_mode_lasttoken",
            ] {
                if on(key) {
                    return Err(Problem::Setting { key, found: "true".into() }.at(&path));
                }
            }
            pooling.cls = on("pooling_mode_cls_token");
            if pooling.cls && on("pooling_mode_mean_tokens") {
                return Err(Problem::Setting {
                    key: "pooling_mode_mean_tokens",
                    found: "true beside the CLS token".into(),
                }
                .at(&path));
            }
        }
        let path = folder.join("modules.json");
        if path.exists() {
            let modules = read_json_value(&path)?;
            let kinds = modules
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|module| module.get("type").and_then(Value::as_str));
            pooling.normalize = kinds.into_iter().any(|kind| kind.ends_with(".Normalize"));
        }
        Ok(pooling)
    }
}

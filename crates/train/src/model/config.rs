//! Model shapes, read from and written to Hugging Face `config.json`.

use super::output::Head;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// The two supported families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// `model_type: bert`: token types, `bert.` names.
    Bert,
    /// `model_type: distilbert`: no token types, `distilbert.` names.
    DistilBert,
}

/// Shape and constants of an encoder, and its head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Family.
    pub architecture: Architecture,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads; divides `hidden`.
    pub heads: usize,
    /// Width of the feed-forward network.
    pub intermediate: usize,
    /// Longest sequence, special tokens included.
    pub max_positions: usize,
    /// Rows of the token-type table; 0 for DistilBERT.
    pub type_vocab: usize,
    /// Added to variances.
    pub layer_norm_eps: f64,
    /// Dropout after the embeddings' LayerNorm and after each block's last matrix.
    pub dropout: f64,
    /// Dropout of attention probabilities.
    pub attention_dropout: f64,
    /// Standard deviation of random weights.
    pub initializer_range: f64,
    /// Id of `[PAD]`.
    pub pad_id: u32,
    /// What stands on the encoder.
    #[serde(default, skip_serializing_if = "is_masked_lm")]
    pub head: Head,
}

fn is_masked_lm(head: &Head) -> bool {
    *head == Head::MaskedLm
}

impl ModelConfig {
    /// Reads `config.json` as that of a masked LM, whatever its head.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?;
        let json: Value =
            serde_json::from_str(&text).map_err(|e| Error::file(path, format!("not JSON: {e}"), "restore the file"))?;
        Self::from_json(&json).map_err(|reason| Error::file(path, reason, "bert and distilbert models are supported"))
    }

    /// Interprets a Hugging Face configuration; the error says which key is wrong.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let architecture = match json["model_type"].as_str() {
            Some("bert") => Architecture::Bert,
            Some("distilbert") => Architecture::DistilBert,
            Some(other) => return Err(format!("unknown model_type `{other}`")),
            None => return Err("no model_type".into()),
        };
        let bert = architecture == Architecture::Bert;
        let size = |names: (&str, &str), default: Option<u64>| {
            let key = if bert { names.0 } else { names.1 };
            let value = match &json[key] {
                Value::Null => default.ok_or(format!("no `{key}`"))?,
                value => value.as_u64().ok_or(format!("`{key}` is not a whole number: {value}"))?,
            };
            usize::try_from(value).map_err(|_| format!("`{key}` is too large: {value}"))
        };
        let real = |names: (&str, &str), default: f64| {
            let key = if bert { names.0 } else { names.1 };
            json[key].as_f64().unwrap_or(default)
        };
        let activation = &json[if bert { "hidden_act" } else { "activation" }];
        if activation.as_str().unwrap_or("gelu") != "gelu" {
            return Err(format!("activation {activation} is not supported, only gelu"));
        }
        if json["position_embedding_type"].as_str().unwrap_or("absolute") != "absolute" {
            return Err("only absolute position embeddings are supported".into());
        }
        let config = Self {
            architecture,
            vocab_size: size(("vocab_size", "vocab_size"), None)?,
            hidden: size(("hidden_size", "dim"), None)?,
            layers: size(("num_hidden_layers", "n_layers"), None)?,
            heads: size(("num_attention_heads", "n_heads"), None)?,
            intermediate: size(("intermediate_size", "hidden_dim"), None)?,
            max_positions: size(("max_position_embeddings", "max_position_embeddings"), Some(512))?,
            type_vocab: if bert { size(("type_vocab_size", ""), Some(2))? } else { 0 },
            layer_norm_eps: if bert { real(("layer_norm_eps", ""), 1e-12) } else { 1e-12 },
            dropout: real(("hidden_dropout_prob", "dropout"), 0.1),
            attention_dropout: real(("attention_probs_dropout_prob", "attention_dropout"), 0.1),
            initializer_range: real(("initializer_range", "initializer_range"), 0.02),
            pad_id: json["pad_token_id"].as_u64().unwrap_or(0) as u32,
            head: Head::MaskedLm,
        };
        config.check()?;
        Ok(config)
    }

    /// Whether the numbers make a model; the error says which do not.
    pub fn check(&self) -> Result<(), String> {
        let sizes = [
            ("vocabulary size", self.vocab_size),
            ("hidden size", self.hidden),
            ("layers", self.layers),
            ("heads", self.heads),
            ("intermediate size", self.intermediate),
            ("positions", self.max_positions),
        ];
        for (name, value) in sizes {
            if value == 0 || value > 1 << 24 {
                return Err(format!("{name} {value} is out of range"));
            }
        }
        if !self.hidden.is_multiple_of(self.heads) {
            return Err(format!("hidden size {} is not a multiple of {} heads", self.hidden, self.heads));
        }
        for (name, p) in [("dropout", self.dropout), ("attention dropout", self.attention_dropout)] {
            if !(0.0..1.0).contains(&p) {
                return Err(format!("{name} {p} is not in [0, 1)"));
            }
        }
        Ok(())
    }

    /// The `config.json` that `transformers` reads.
    pub fn to_json(&self) -> Value {
        let mut json = self.masked_lm_json();
        if let Some(json) = json.as_object_mut() {
            self.head.write(self.architecture, json);
        }
        json
    }

    fn masked_lm_json(&self) -> Value {
        match self.architecture {
            Architecture::Bert => json!({
                "architectures": ["BertForMaskedLM"],
                "attention_probs_dropout_prob": self.attention_dropout,
                "dtype": "float32",
                "hidden_act": "gelu",
                "hidden_dropout_prob": self.dropout,
                "hidden_size": self.hidden,
                "initializer_range": self.initializer_range,
                "intermediate_size": self.intermediate,
                "layer_norm_eps": self.layer_norm_eps,
                "max_position_embeddings": self.max_positions,
                "model_type": "bert",
                "num_attention_heads": self.heads,
                "num_hidden_layers": self.layers,
                "pad_token_id": self.pad_id,
                "tie_word_embeddings": true,
                "type_vocab_size": self.type_vocab,
                "vocab_size": self.vocab_size,
            }),
            Architecture::DistilBert => json!({
                "activation": "gelu",
                "architectures": ["DistilBertForMaskedLM"],
                "attention_dropout": self.attention_dropout,
                "dim": self.hidden,
                "dropout": self.dropout,
                "dtype": "float32",
                "hidden_dim": self.intermediate,
                "initializer_range": self.initializer_range,
                "max_position_embeddings": self.max_positions,
                "model_type": "distilbert",
                "n_heads": self.heads,
                "n_layers": self.layers,
                "pad_token_id": self.pad_id,
                "qa_dropout": 0.1,
                "seq_classif_dropout": 0.2,
                "sinusoidal_pos_embds": false,
                "tie_word_embeddings": true,
                "vocab_size": self.vocab_size,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for architecture in [Architecture::Bert, Architecture::DistilBert] {
            let config = ModelConfig {
                architecture,
                vocab_size: 100,
                hidden: 24,
                layers: 2,
                heads: 4,
                intermediate: 48,
                max_positions: 64,
                type_vocab: if architecture == Architecture::Bert { 2 } else { 0 },
                layer_norm_eps: 1e-12,
                dropout: 0.1,
                attention_dropout: 0.2,
                initializer_range: 0.02,
                pad_id: 3,
                head: crate::model::Head::MaskedLm,
            };
            assert_eq!(ModelConfig::from_json(&config.to_json()).unwrap(), config);
        }
    }

    #[test]
    fn errors_name_the_key() {
        let mut json = json!({"model_type": "bert", "hidden_size": 10, "vocab_size": "many"});
        assert!(ModelConfig::from_json(&json).unwrap_err().contains("vocab_size"));
        json["vocab_size"] = json!(10);
        assert!(ModelConfig::from_json(&json).unwrap_err().contains("num_hidden_layers"));
        json["model_type"] = json!("gpt2");
        assert!(ModelConfig::from_json(&json).unwrap_err().contains("gpt2"));
        json["model_type"] = json!("bert");
        json["hidden_act"] = json!("gelu_new");
        assert!(ModelConfig::from_json(&json).unwrap_err().contains("gelu_new"));
    }
}

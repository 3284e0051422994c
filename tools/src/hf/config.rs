//! `config.json` of a `bert` or `distilbert` model.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::{HfError, Problem};
use super::read_json;

/// The encoder family; it decides tensor names and heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `model_type: bert`.
    Bert,
    /// `model_type: distilbert`: no token types, no pooler.
    DistilBert,
}

impl Architecture {
    /// The name in `model_type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::DistilBert => "distilbert",
        }
    }
}

/// The shape of the encoder, and what `config.json` says about its labels.
#[derive(Clone, Debug)]
pub struct Config {
    /// Encoder family.
    pub architecture: Architecture,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads; `hidden` is a multiple of it.
    pub heads: usize,
    /// Width of the feed-forward block.
    pub intermediate: usize,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Rows of the position embedding.
    pub positions: usize,
    /// Rows of the token-type embedding; 0 for DistilBERT.
    pub token_types: usize,
    /// Epsilon of every layer normalization.
    pub layer_norm_eps: f32,
    /// Label names by class, from `id2label`; may be empty.
    pub labels: Vec<String>,
    /// How a classifier's scores are read, from `problem_type`.
    pub problem: Option<distil_format::Problem>,
    /// The first of `architectures`: the class that was saved.
    pub class: Option<String>,
}

impl Config {
    /// Reads and checks `config.json` in `folder`.
    pub fn read(folder: &Path) -> Result<Self, HfError> {
        let path = folder.join("config.json");
        if !path.exists() {
            return Err(Problem::Missing.at(&path));
        }
        let json = read_json(&path)?;
        Self::parse(&json).map_err(|problem| problem.at(&path))
    }

    fn parse(json: &Map<String, Value>) -> Result<Self, Problem> {
        let architecture = architecture(json)?;
        let bert = architecture == Architecture::Bert;
        let size = |bert_key, distilbert_key| positive(json, if bert { bert_key } else { distilbert_key });
        let config = Self {
            architecture,
            hidden: size("hidden_size", "dim")?,
            layers: size("num_hidden_layers", "n_layers")?,
            heads: size("num_attention_heads", "n_heads")?,
            intermediate: size("intermediate_size", "hidden_dim")?,
            vocab_size: positive(json, "vocab_size")?,
            positions: positive(json, "max_position_embeddings")?,
            token_types: if bert { positive_or(json, "type_vocab_size", 2)? } else { 0 },
            layer_norm_eps: if bert { epsilon(json)? } else { 1e-12 },
            labels: labels(json)?,
            problem: problem(json)?,
            class: class(json).map(str::to_owned),
        };
        if !config.hidden.is_multiple_of(config.heads) {
            return Err(Problem::HeadSize { hidden: config.hidden, heads: config.heads });
        }
        let activation = if bert { "hidden_act" } else { "activation" };
        match json.get(activation).map(|value| (value, value.as_str())) {
            None | Some((_, Some("gelu"))) => {}
            Some((_, Some(name))) => return Err(Problem::Activation { found: name.into() }),
            Some((value, None)) => return Err(Problem::Activation { found: value.to_string() }),
        }
        refuse_unless(json, "position_embedding_type", &Value::from("absolute"))?;
        refuse_unless(json, "is_decoder", &Value::from(false))?;
        refuse_unless(json, "add_cross_attention", &Value::from(false))?;
        Ok(config)
    }
}

/// `model_type`, or for old exports the first of `architectures`.
fn architecture(json: &Map<String, Value>) -> Result<Architecture, Problem> {
    match (json.get("model_type").and_then(Value::as_str), class(json)) {
        (Some("bert"), _) => Ok(Architecture::Bert),
        (Some("distilbert"), _) => Ok(Architecture::DistilBert),
        (Some(other), _) => Err(Problem::Architecture { found: format!("`{other}`") }),
        (None, Some(name)) if name.starts_with("Bert") => Ok(Architecture::Bert),
        (None, Some(name)) if name.starts_with("DistilBert") => Ok(Architecture::DistilBert),
        (None, Some(name)) => Err(Problem::Architecture { found: format!("`{name}`") }),
        (None, None) => {
            Err(Problem::Architecture { found: "(neither `model_type` nor `architectures` is set)".into() })
        }
    }
}

/// The first of `architectures`.
fn class(json: &Map<String, Value>) -> Option<&str> {
    json.get("architectures").and_then(|list| list.get(0)).and_then(Value::as_str)
}

/// `problem_type`, where there is one.
fn problem(json: &Map<String, Value>) -> Result<Option<distil_format::Problem>, Problem> {
    use distil_format::Problem::{MultiLabel, Regression, SingleLabel};
    match json.get("problem_type").filter(|value| !value.is_null()).map(Value::as_str) {
        None => Ok(None),
        Some(Some("single_label_classification")) => Ok(Some(SingleLabel)),
        Some(Some("multi_label_classification")) => Ok(Some(MultiLabel)),
        Some(Some("regression")) => Ok(Some(Regression)),
        Some(_) => Err(Problem::Key {
            key: "problem_type".into(),
            expected: "single_label_classification, multi_label_classification or regression",
        }),
    }
}

/// A size that has to be there, from 1 to 2^24: more is no BERT, and products of two stay far from overflow.
fn positive(json: &Map<String, Value>, key: &str) -> Result<usize, Problem> {
    json.get(key)
        .and_then(Value::as_u64)
        .filter(|value| (1..=1 << 24).contains(value))
        .map(|value| value as usize)
        .ok_or_else(|| Problem::Key { key: key.into(), expected: "a positive whole number" })
}

fn positive_or(json: &Map<String, Value>, key: &str, default: usize) -> Result<usize, Problem> {
    if json.contains_key(key) { positive(json, key) } else { Ok(default) }
}

fn epsilon(json: &Map<String, Value>) -> Result<f32, Problem> {
    match json.get("layer_norm_eps") {
        None => Ok(1e-12),
        Some(value) => value
            .as_f64()
            .map(|eps| eps as f32)
            .filter(|eps| *eps > 0.0 && *eps < 1.0)
            .ok_or_else(|| Problem::Key { key: "layer_norm_eps".into(), expected: "a number between 0 and 1" }),
    }
}

/// `id2label` as a list; an id that is not a number, or a gap, is an error.
fn labels(json: &Map<String, Value>) -> Result<Vec<String>, Problem> {
    let Some(map) = json.get("id2label").filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let wrong = || Problem::Key { key: "id2label".into(), expected: "a map from 0, 1, 2, ... to names" };
    let map = map.as_object().ok_or_else(wrong)?;
    (0..map.len())
        .map(|id| map.get(&id.to_string()).and_then(Value::as_str).map(str::to_owned).ok_or_else(wrong))
        .collect()
}

fn refuse_unless(json: &Map<String, Value>, key: &'static str, only: &Value) -> Result<(), Problem> {
    match json.get(key) {
        Some(value) if !value.is_null() && value != only => Err(Problem::Setting { key, found: value.to_string() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bert() -> Value {
        serde_json::json!({
            "model_type": "bert", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 32, "hidden_act": "gelu",
            "id2label": {"0": "no", "1": "yes"},
        })
    }

    fn parse(value: &Value) -> Result<Config, Problem> {
        Config::parse(value.as_object().unwrap())
    }

    #[test]
    fn reads_sizes_labels_and_defaults() {
        let config = parse(&bert()).unwrap();
        assert_eq!((config.hidden, config.layers, config.token_types), (64, 2, 2));
        assert_eq!(config.labels, ["no", "yes"]);
        assert_eq!(config.layer_norm_eps, 1e-12);
    }

    /// JSON keeps the order of a file; 10 comes after 9 all the same.
    #[test]
    fn labels_are_in_the_order_of_their_numbers() {
        let mut json = bert();
        let names = (0..12).rev().map(|id| (id.to_string(), Value::from(format!("name {id}"))));
        json["id2label"] = Value::Object(names.collect());
        let expected: Vec<String> = (0..12).map(|id| format!("name {id}")).collect();
        assert_eq!(parse(&json).unwrap().labels, expected);
    }

    #[test]
    fn old_exports_name_only_the_class() {
        let mut json = bert();
        json.as_object_mut().unwrap().remove("model_type");
        json["architectures"] = serde_json::json!(["BertForMaskedLM"]);
        assert_eq!(parse(&json).unwrap().architecture, Architecture::Bert);
    }

    #[test]
    fn refuses_what_would_compute_something_else() {
        for (key, value, expected) in [
            ("model_type", Value::from("roberta"), "unknown architecture `roberta`"),
            ("hidden_act", Value::from("gelu_new"), "unsupported activation `gelu_new`"),
            ("num_attention_heads", Value::from(5), "hidden size 64 is not a multiple of 5 attention heads"),
            ("hidden_size", Value::from(-1), "`hidden_size` is missing or not a positive whole number"),
            ("hidden_size", Value::from(1u64 << 40), "`hidden_size` is missing or not a positive whole number"),
            (
                "position_embedding_type",
                Value::from("relative_key"),
                "`position_embedding_type` = \"relative_key\" is not supported",
            ),
            ("layer_norm_eps", Value::from(0.0), "`layer_norm_eps` is missing or not a number between 0 and 1"),
            (
                "id2label",
                serde_json::json!({"1": "x"}),
                "`id2label` is missing or not a map from 0, 1, 2, ... to names",
            ),
            (
                "id2label",
                serde_json::json!({"0": "x", "2": "y"}),
                "`id2label` is missing or not a map from 0, 1, 2, ... to names",
            ),
            (
                "problem_type",
                Value::from("ranking"),
                "`problem_type` is missing or not single_label_classification, multi_label_classification or regression",
            ),
        ] {
            let mut json = bert();
            json[key] = value;
            assert_eq!(parse(&json).unwrap_err().to_string(), expected);
        }
    }
}

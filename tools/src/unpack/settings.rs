//! The JSON files of a Hugging Face folder, from the configuration of a packed file.

use distil_format::{Artifact, Config, Head, Pooling, Problem};
use serde_json::{Map, Value, json};

use crate::hf::{Architecture, class_name};

/// `config.json`.
pub(super) fn config(artifact: &Artifact<'_>, architecture: Architecture) -> Value {
    let config = artifact.config();
    let mut json = match architecture {
        Architecture::Bert => json!({
            "model_type": "bert",
            "hidden_size": config.hidden,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "intermediate_size": config.intermediate,
            "type_vocab_size": config.type_vocab,
            "layer_norm_eps": decimal(config.layer_norm_eps),
            "hidden_act": "gelu",
        }),
        Architecture::DistilBert => json!({
            "model_type": "distilbert",
            "dim": config.hidden,
            "n_layers": config.layers,
            "n_heads": config.heads,
            "hidden_dim": config.intermediate,
            "activation": "gelu",
            "sinusoidal_pos_embds": false,
        }),
    };
    json["architectures"] = json!([class_name(architecture, config.head)]);
    json["vocab_size"] = config.vocab_size.into();
    json["max_position_embeddings"] = config.max_positions.into();
    json["pad_token_id"] = config.pad_id.into();
    json["tie_word_embeddings"] = true.into();
    json["torch_dtype"] = "float32".into();
    if config.head == Head::SequenceClassification {
        let name = match config.problem {
            Problem::SingleLabel => "single_label_classification",
            Problem::MultiLabel => "multi_label_classification",
            Problem::Regression => "regression",
        };
        json["problem_type"] = name.into();
    }
    let labels: Vec<&str> = (0..).map_while(|label| artifact.label(label)).collect();
    if !labels.is_empty() {
        let names = labels.iter().enumerate().map(|(id, &label)| (id.to_string(), label.into()));
        json["id2label"] = names.collect::<Map<_, Value>>().into();
        let ids = labels.iter().enumerate().map(|(id, &label)| (label.to_owned(), id.into()));
        json["label2id"] = ids.collect::<Map<_, Value>>().into();
    }
    json
}

/// The shortest decimal number that is this one: 1e-12, not 9.999999960041972e-13.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(value.into())
}

/// `tokenizer_config.json`.
pub(super) fn tokenizer(config: &Config, pieces: &[String]) -> Value {
    let piece = |id: u32| pieces.get(id as usize).map_or("", String::as_str);
    let class = match config.architecture {
        distil_format::Architecture::Bert => "BertTokenizer",
        // The same but for token types, which it does not give.
        distil_format::Architecture::DistilBert => "DistilBertTokenizer",
    };
    json!({
        "tokenizer_class": class,
        "do_lower_case": config.lowercase,
        "strip_accents": config.strip_accents,
        "tokenize_chinese_chars": config.split_cjk,
        "model_max_length": config.max_positions,
        "pad_token": piece(config.pad_id),
        "unk_token": piece(config.unk_id),
        "cls_token": piece(config.cls_id),
        "sep_token": piece(config.sep_id),
        "mask_token": piece(config.mask_id),
    })
}

/// `1_Pooling/config.json`.
pub(super) fn pooling(config: &Config) -> Value {
    json!({
        "word_embedding_dimension": config.hidden,
        "pooling_mode_cls_token": config.pooling == Pooling::Cls,
        "pooling_mode_mean_tokens": config.pooling == Pooling::Mean,
        "pooling_mode_max_tokens": false,
        "pooling_mode_mean_sqrt_len_tokens": false,
    })
}

/// `modules.json`.
pub(super) fn modules(config: &Config) -> Value {
    let mut steps = vec![("", "Transformer"), ("1_Pooling", "Pooling")];
    if config.normalize {
        steps.push(("2_Normalize", "Normalize"));
    }
    let steps = steps.into_iter().enumerate().map(|(idx, (path, kind))| {
        json!({
            "idx": idx,
            "name": idx.to_string(),
            "path": path,
            "type": format!("sentence_transformers.models.{kind}"),
        })
    });
    steps.collect()
}

/// `sentence_bert_config.json`.
pub(super) fn sentence(config: &Config) -> Value {
    json!({"max_seq_length": config.max_positions, "do_lower_case": false})
}

//! Hugging Face names and shapes of every parameter, for both architectures.

use super::config::{Architecture, ModelConfig};
use super::output::Head;

/// A module of the model that owns a weight, a bias or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Word embeddings, also the output projection.
    Words,
    /// Position embeddings.
    Positions,
    /// Token-type embeddings (BERT only).
    TokenTypes,
    /// LayerNorm of the embeddings.
    EmbeddingNorm,
    /// Query projection of a layer.
    Query(usize),
    /// Key projection.
    Key(usize),
    /// Value projection.
    Value(usize),
    /// Output projection of the attention.
    AttentionOutput(usize),
    /// LayerNorm after the attention.
    AttentionNorm(usize),
    /// First feed-forward matrix.
    FeedForwardIn(usize),
    /// Second feed-forward matrix.
    FeedForwardOut(usize),
    /// LayerNorm after the feed-forward network.
    OutputNorm(usize),
    /// Dense layer of the masked-LM head.
    Transform,
    /// LayerNorm of the masked-LM head.
    TransformNorm,
    /// Bias of the output projection.
    Decoder,
    /// Dense layer of a classifier of texts: BERT's pooler, DistilBERT's pre-classifier.
    Pooler,
    /// Last matrix of a classifier.
    Classifier,
    /// Matrix of the scores for the start and the end of an answer.
    Spans,
}

/// Weight or bias of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Matrix, table or LayerNorm gain.
    Weight,
    /// Offset.
    Bias,
}

/// The full name, as in golden `model.safetensors` files.
pub fn parameter_name(architecture: Architecture, part: Part, slot: Slot) -> String {
    let module = match architecture {
        Architecture::Bert => bert(part),
        Architecture::DistilBert => distilbert(part),
    };
    let slot = match slot {
        Slot::Weight => "weight",
        Slot::Bias => "bias",
    };
    format!("{module}.{slot}")
}

fn bert(part: Part) -> String {
    let layer = |i: usize, name: &str| format!("bert.encoder.layer.{i}.{name}");
    match part {
        Part::Words => "bert.embeddings.word_embeddings".into(),
        Part::Positions => "bert.embeddings.position_embeddings".into(),
        Part::TokenTypes => "bert.embeddings.token_type_embeddings".into(),
        Part::EmbeddingNorm => "bert.embeddings.LayerNorm".into(),
        Part::Query(i) => layer(i, "attention.self.query"),
        Part::Key(i) => layer(i, "attention.self.key"),
        Part::Value(i) => layer(i, "attention.self.value"),
        Part::AttentionOutput(i) => layer(i, "attention.output.dense"),
        Part::AttentionNorm(i) => layer(i, "attention.output.LayerNorm"),
        Part::FeedForwardIn(i) => layer(i, "intermediate.dense"),
        Part::FeedForwardOut(i) => layer(i, "output.dense"),
        Part::OutputNorm(i) => layer(i, "output.LayerNorm"),
        Part::Transform => "cls.predictions.transform.dense".into(),
        Part::TransformNorm => "cls.predictions.transform.LayerNorm".into(),
        Part::Decoder => "cls.predictions".into(),
        Part::Pooler => "bert.pooler.dense".into(),
        Part::Classifier => "classifier".into(),
        Part::Spans => "qa_outputs".into(),
    }
}

fn distilbert(part: Part) -> String {
    let layer = |i: usize, name: &str| format!("distilbert.transformer.layer.{i}.{name}");
    match part {
        Part::Words => "distilbert.embeddings.word_embeddings".into(),
        Part::Positions => "distilbert.embeddings.position_embeddings".into(),
        Part::TokenTypes => "distilbert.embeddings.token_type_embeddings".into(),
        Part::EmbeddingNorm => "distilbert.embeddings.LayerNorm".into(),
        Part::Query(i) => layer(i, "attention.q_lin"),
        Part::Key(i) => layer(i, "attention.k_lin"),
        Part::Value(i) => layer(i, "attention.v_lin"),
        Part::AttentionOutput(i) => layer(i, "attention.out_lin"),
        Part::AttentionNorm(i) => layer(i, "sa_layer_norm"),
        Part::FeedForwardIn(i) => layer(i, "ffn.lin1"),
        Part::FeedForwardOut(i) => layer(i, "ffn.lin2"),
        Part::OutputNorm(i) => layer(i, "output_layer_norm"),
        Part::Transform => "vocab_transform".into(),
        Part::TransformNorm => "vocab_layer_norm".into(),
        Part::Decoder => "vocab_projector".into(),
        Part::Pooler => "pre_classifier".into(),
        Part::Classifier => "classifier".into(),
        Part::Spans => "qa_outputs".into(),
    }
}

/// Every parameter of a model: its place, name and shape, in a fixed order.
pub fn parameter_shapes(config: &ModelConfig) -> Vec<(Part, Slot, String, Vec<usize>)> {
    let (h, v, inner) = (config.hidden, config.vocab_size, config.intermediate);
    let mut all = Vec::new();
    let mut push = |part, slot, shape: &[usize]| {
        all.push((part, slot, parameter_name(config.architecture, part, slot), shape.to_vec()));
    };
    push(Part::Words, Slot::Weight, &[v, h]);
    push(Part::Positions, Slot::Weight, &[config.max_positions, h]);
    if config.type_vocab > 0 {
        push(Part::TokenTypes, Slot::Weight, &[config.type_vocab, h]);
    }
    push(Part::EmbeddingNorm, Slot::Weight, &[h]);
    push(Part::EmbeddingNorm, Slot::Bias, &[h]);
    for i in 0..config.layers {
        for (part, rows, columns) in [
            (Part::Query(i), h, h),
            (Part::Key(i), h, h),
            (Part::Value(i), h, h),
            (Part::AttentionOutput(i), h, h),
            (Part::FeedForwardIn(i), inner, h),
            (Part::FeedForwardOut(i), h, inner),
        ] {
            push(part, Slot::Weight, &[rows, columns]);
            push(part, Slot::Bias, &[rows]);
        }
        for part in [Part::AttentionNorm(i), Part::OutputNorm(i)] {
            push(part, Slot::Weight, &[h]);
            push(part, Slot::Bias, &[h]);
        }
    }
    let mut matrix = |part, rows: usize| {
        push(part, Slot::Weight, &[rows, h]);
        push(part, Slot::Bias, &[rows]);
    };
    match &config.head {
        Head::MaskedLm => {
            matrix(Part::Transform, h);
            push(Part::TransformNorm, Slot::Weight, &[h]);
            push(Part::TransformNorm, Slot::Bias, &[h]);
            push(Part::Decoder, Slot::Bias, &[v]);
        }
        Head::Texts(labels) => {
            matrix(Part::Pooler, h);
            matrix(Part::Classifier, labels.names.len());
        }
        Head::Tokens(labels) => matrix(Part::Classifier, labels.names.len()),
        Head::Spans { .. } => matrix(Part::Spans, 2),
    }
    all
}

impl Part {
    /// Whether this is a LayerNorm (its parameters take no weight decay).
    pub fn is_norm(self) -> bool {
        matches!(self, Self::EmbeddingNorm | Self::AttentionNorm(_) | Self::OutputNorm(_) | Self::TransformNorm)
    }

    /// Whether this belongs to the masked-LM head.
    pub fn is_head(self) -> bool {
        matches!(self, Self::Transform | Self::TransformNorm | Self::Decoder)
    }

    /// Whether this belongs to the head of a fine-tuned model.
    pub fn is_task_head(self) -> bool {
        matches!(self, Self::Pooler | Self::Classifier | Self::Spans)
    }
}

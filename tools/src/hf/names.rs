//! The names that transformers gives to tensors and classes: from a packed file back to a Hugging Face folder.

use distil_format::{Head, Role, TensorId};

use super::Architecture;

/// Linear layers, normalizations and tables with a bias: the role of `.weight`, the role of `.bias`, and the names in BERT
/// and DistilBERT. `@` is the encoder's prefix, `#` the number of the layer.
const LAYERS: [(Role, Role, &str, &str); 14] = {
    use Role::*;
    [
        (EmbeddingNormWeight, EmbeddingNormBias, "@embeddings.LayerNorm", "@embeddings.LayerNorm"),
        (Query, QueryBias, "@encoder.layer.#.attention.self.query", "@transformer.layer.#.attention.q_lin"),
        (Key, KeyBias, "@encoder.layer.#.attention.self.key", "@transformer.layer.#.attention.k_lin"),
        (Value, ValueBias, "@encoder.layer.#.attention.self.value", "@transformer.layer.#.attention.v_lin"),
        (
            AttentionOutput,
            AttentionOutputBias,
            "@encoder.layer.#.attention.output.dense",
            "@transformer.layer.#.attention.out_lin",
        ),
        (
            AttentionNormWeight,
            AttentionNormBias,
            "@encoder.layer.#.attention.output.LayerNorm",
            "@transformer.layer.#.sa_layer_norm",
        ),
        (FeedForwardIn, FeedForwardInBias, "@encoder.layer.#.intermediate.dense", "@transformer.layer.#.ffn.lin1"),
        (FeedForwardOut, FeedForwardOutBias, "@encoder.layer.#.output.dense", "@transformer.layer.#.ffn.lin2"),
        (
            OutputNormWeight,
            OutputNormBias,
            "@encoder.layer.#.output.LayerNorm",
            "@transformer.layer.#.output_layer_norm",
        ),
        (MlmTransform, MlmTransformBias, "cls.predictions.transform.dense", "vocab_transform"),
        (MlmNormWeight, MlmNormBias, "cls.predictions.transform.LayerNorm", "vocab_layer_norm"),
        (PreClassifier, PreClassifierBias, "@pooler.dense", "pre_classifier"),
        (Classifier, ClassifierBias, "classifier", "classifier"),
        (Span, SpanBias, "qa_outputs", "qa_outputs"),
    ]
};

/// Tensors that stand alone, with their whole names; an empty one: the architecture has no such tensor.
const ALONE: [(Role, &str, &str); 4] = [
    (Role::WordEmbedding, "@embeddings.word_embeddings.weight", "@embeddings.word_embeddings.weight"),
    (Role::PositionEmbedding, "@embeddings.position_embeddings.weight", "@embeddings.position_embeddings.weight"),
    (Role::TokenTypeEmbedding, "@embeddings.token_type_embeddings.weight", ""),
    (Role::MlmBias, "cls.predictions.bias", "vocab_projector.bias"),
];

/// The name of a tensor in a model with the head `head`: a bare encoder's names have no prefix. `None` if transformers has
/// no such tensor.
pub fn tensor_name(architecture: Architecture, head: Head, id: TensorId) -> Option<String> {
    let choose = |bert: &'static str, distilbert: &'static str| match architecture {
        Architecture::Bert => bert,
        Architecture::DistilBert => distilbert,
    };
    let alone = ALONE.iter().filter(|(role, ..)| *role == id.role).map(|&(_, a, b)| (choose(a, b), ""));
    let layers = LAYERS.iter().flat_map(|&(weight, bias, a, b)| {
        [(weight, ".weight"), (bias, ".bias")].map(|(role, end)| (role, choose(a, b), end))
    });
    let layers = layers.filter(|(role, ..)| *role == id.role).map(|(_, name, end)| (name, end));
    let (name, end) = alone.chain(layers).next().filter(|(name, _)| !name.is_empty())?;
    let prefix = if head == Head::Embedding { "" } else { choose("bert.", "distilbert.") };
    Some(name.replace('@', prefix).replace('#', &id.layer.to_string()) + end)
}

/// The class of transformers that computes a model.
pub fn class_name(architecture: Architecture, head: Head) -> String {
    let family = match architecture {
        Architecture::Bert => "Bert",
        Architecture::DistilBert => "DistilBert",
    };
    let what = match head {
        Head::Embedding => "Model",
        Head::MaskedLm => "ForMaskedLM",
        Head::SequenceClassification => "ForSequenceClassification",
        Head::TokenClassification => "ForTokenClassification",
        Head::QuestionAnswering => "ForQuestionAnswering",
    };
    format!("{family}{what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hf::layer_names;
    use std::collections::HashSet;

    #[test]
    fn every_role_has_a_name_of_its_own() {
        let head = Head::SequenceClassification;
        for architecture in [Architecture::Bert, Architecture::DistilBert] {
            let names = Role::ALL.iter().filter_map(|&role| {
                let name = tensor_name(architecture, head, TensorId { role, layer: 7 });
                let absent = role == Role::TokenTypeEmbedding && architecture == Architecture::DistilBert;
                assert_eq!(name.is_none(), absent, "{architecture:?} {role}");
                name
            });
            let count = Role::ALL.len() - usize::from(architecture == Architecture::DistilBert);
            assert_eq!(names.collect::<HashSet<_>>().len(), count);
        }
    }

    /// The names that are written are those that are read.
    #[test]
    fn layers_are_named_as_they_are_read() {
        use Role::*;
        let roles =
            [Query, Key, Value, AttentionOutput, AttentionNormWeight, FeedForwardIn, FeedForwardOut, OutputNormWeight];
        for architecture in [Architecture::Bert, Architecture::DistilBert] {
            for (role, read) in roles.into_iter().zip(layer_names(architecture, 3)) {
                let name = tensor_name(architecture, Head::Embedding, TensorId { role, layer: 3 });
                assert_eq!(name, Some(format!("{read}.weight")));
            }
        }
    }
}

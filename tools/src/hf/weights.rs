//! The tensors of an encoder and its head, in the order of the computation.

use super::config::{Architecture, Config};
use super::error::{HfError, Problem};
use super::head::HeadKind;
use super::tensors::{Tensor, TensorFile};

/// A linear layer: `y = x W^T + b`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[outputs][inputs]`.
    pub weight: Tensor,
    /// `[outputs]`.
    pub bias: Tensor,
}

/// A layer normalization.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Factor of each column.
    pub weight: Tensor,
    /// Offset of each column.
    pub bias: Tensor,
}

/// One transformer layer (normalization after each residual sum).
#[derive(Clone, Debug)]
pub struct Layer {
    /// Query projection.
    pub query: Linear,
    /// Key projection.
    pub key: Linear,
    /// Value projection.
    pub value: Linear,
    /// Projection of the concatenated heads.
    pub attention_output: Linear,
    /// Normalization after the attention's residual.
    pub attention_norm: Norm,
    /// First feed-forward matrix, followed by GELU.
    pub feed_forward_in: Linear,
    /// Second feed-forward matrix.
    pub feed_forward_out: Linear,
    /// Normalization after the feed-forward's residual.
    pub output_norm: Norm,
}

/// What follows the last layer.
#[derive(Clone, Debug)]
pub enum HeadWeights {
    /// Nothing: the hidden states are pooled.
    Embedding,
    /// GELU transform, normalization, projection onto the word embeddings.
    MaskedLm {
        /// The transform.
        transform: Linear,
        /// Its normalization.
        norm: Norm,
        /// Bias of each vocabulary entry.
        bias: Tensor,
    },
    /// A layer on the first token (DistilBERT: ReLU; BERT's pooler: tanh), then the classes.
    SequenceClassification {
        /// The layer on the first token.
        pre: Linear,
        /// `[labels][hidden]`.
        classifier: Linear,
    },
    /// Classes of every token.
    TokenClassification {
        /// `[labels][hidden]`.
        classifier: Linear,
    },
    /// Scores of every token as the start and the end of an answer.
    QuestionAnswering {
        /// `[2][hidden]`.
        span: Linear,
    },
}

/// All the weights of a model.
#[derive(Clone, Debug)]
pub struct Weights {
    /// `[vocab_size][hidden]`.
    pub word: Tensor,
    /// `[positions][hidden]`.
    pub position: Tensor,
    /// `[token_types][hidden]`; BERT only.
    pub token_type: Option<Tensor>,
    /// Normalization of the embeddings.
    pub norm: Norm,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    /// The head.
    pub head: HeadWeights,
}

impl Weights {
    /// Takes every tensor of `config` with the head `kind` (with `labels` classes) out of `file`.
    pub fn read(file: &TensorFile, config: &Config, kind: HeadKind, labels: usize) -> Result<Self, HfError> {
        let mut reader = Reader { file, missing: Vec::new() };
        let weights = reader.weights(config, kind, labels)?;
        if reader.missing.is_empty() {
            Ok(weights)
        } else {
            Err(Problem::MissingTensors(reader.missing).at(file.path()))
        }
    }
}

/// Takes tensors and collects the names that are missing, so that one error lists them all.
struct Reader<'a> {
    file: &'a TensorFile,
    missing: Vec<String>,
}

impl Reader<'_> {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, HfError> {
        Ok(self.file.take(name, shape)?.unwrap_or_else(|| {
            self.missing.push(name.to_owned());
            Tensor { name: name.to_owned(), rows: 0, cols: 0, data: Vec::new() }
        }))
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Linear, HfError> {
        Ok(Linear {
            weight: self.take(&format!("{name}.weight"), &[outputs, inputs])?,
            bias: self.take(&format!("{name}.bias"), &[outputs])?,
        })
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<Norm, HfError> {
        Ok(Norm {
            weight: self.take(&format!("{name}.weight"), &[width])?,
            bias: self.take(&format!("{name}.bias"), &[width])?,
        })
    }

    fn weights(&mut self, config: &Config, kind: HeadKind, labels: usize) -> Result<Weights, HfError> {
        let hidden = config.hidden;
        let word = self.take("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?;
        let position = self.take("embeddings.position_embeddings.weight", &[config.positions, hidden])?;
        let token_type = match config.token_types {
            0 => None,
            types => Some(self.take("embeddings.token_type_embeddings.weight", &[types, hidden])?),
        };
        let norm = self.norm("embeddings.LayerNorm", hidden)?;
        let layers = (0..config.layers).map(|index| self.layer(config, index)).collect::<Result<_, _>>()?;
        let head = self.head(config, kind, labels, &word)?;
        Ok(Weights { word, position, token_type, norm, layers, head })
    }

    fn layer(&mut self, config: &Config, index: usize) -> Result<Layer, HfError> {
        let (hidden, intermediate) = (config.hidden, config.intermediate);
        let [query, key, value, out, attention_norm, lin1, lin2, output_norm] = layer_names(config.architecture, index);
        Ok(Layer {
            query: self.linear(&query, hidden, hidden)?,
            key: self.linear(&key, hidden, hidden)?,
            value: self.linear(&value, hidden, hidden)?,
            attention_output: self.linear(&out, hidden, hidden)?,
            attention_norm: self.norm(&attention_norm, hidden)?,
            feed_forward_in: self.linear(&lin1, intermediate, hidden)?,
            feed_forward_out: self.linear(&lin2, hidden, intermediate)?,
            output_norm: self.norm(&output_norm, hidden)?,
        })
    }

    fn head(&mut self, config: &Config, kind: HeadKind, labels: usize, word: &Tensor) -> Result<HeadWeights, HfError> {
        let hidden = config.hidden;
        let bert = config.architecture == Architecture::Bert;
        match kind {
            HeadKind::Embedding => Ok(HeadWeights::Embedding),
            HeadKind::MaskedLm => {
                let (transform, norm) = match bert {
                    true => ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"),
                    false => ("vocab_transform", "vocab_layer_norm"),
                };
                let (projection, bias) = match bert {
                    // Some exports keep the bias only under the decoder's name.
                    true if !self.file.has("cls.predictions.bias") && self.file.has("cls.predictions.decoder.bias") => {
                        ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
                    }
                    true => ("cls.predictions.decoder.weight", "cls.predictions.bias"),
                    false => ("vocab_projector.weight", "vocab_projector.bias"),
                };
                if let Some(untied) = self.file.take(projection, &[config.vocab_size, hidden])?
                    && untied.data != word.data
                {
                    return Err(Problem::Untied { tensor: untied.name }.at(self.file.path()));
                }
                Ok(HeadWeights::MaskedLm {
                    transform: self.linear(transform, hidden, hidden)?,
                    norm: self.norm(norm, hidden)?,
                    bias: self.take(bias, &[config.vocab_size])?,
                })
            }
            HeadKind::SequenceClassification => Ok(HeadWeights::SequenceClassification {
                pre: self.linear(if bert { "pooler.dense" } else { "pre_classifier" }, hidden, hidden)?,
                classifier: self.linear("classifier", labels, hidden)?,
            }),
            HeadKind::TokenClassification => {
                Ok(HeadWeights::TokenClassification { classifier: self.linear("classifier", labels, hidden)? })
            }
            HeadKind::QuestionAnswering => {
                Ok(HeadWeights::QuestionAnswering { span: self.linear("qa_outputs", 2, hidden)? })
            }
        }
    }
}

/// Names in a layer, without the model's prefix: query, key, value, attention output, its norm, feed-forward in and
/// out, its norm.
pub(crate) fn layer_names(architecture: Architecture, index: usize) -> [String; 8] {
    let (stem, names) = match architecture {
        Architecture::Bert => ("encoder", BERT_LAYER),
        Architecture::DistilBert => ("transformer", DISTILBERT_LAYER),
    };
    names.map(|name| format!("{stem}.layer.{index}.{name}"))
}

const BERT_LAYER: [&str; 8] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];

const DISTILBERT_LAYER: [&str; 8] = [
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
];

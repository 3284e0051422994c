//! Which head a checkpoint has, told by its tensors.

use super::config::{Architecture, Config};
use super::error::{HfError, Problem};
use super::tensors::TensorFile;

/// The heads that can be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// No head: pooled hidden states.
    Embedding,
    /// Fill-mask.
    MaskedLm,
    /// One label (or score) for the text.
    SequenceClassification,
}

impl HeadKind {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::MaskedLm => "masked-lm",
            Self::SequenceClassification => "sequence-classification",
        }
    }

    /// The head to read: the one asked for, which has to be there, or the one the file has.
    pub fn choose(file: &TensorFile, config: &Config, wanted: Option<Self>) -> Result<Self, HfError> {
        if wanted == Some(Self::Embedding) {
            return Ok(Self::Embedding);
        }
        let found = Self::detect(file, config);
        match (found, wanted) {
            (Ok(found), None) => Ok(found),
            (Ok(found), Some(wanted)) if found == wanted => Ok(found),
            (Ok(found), Some(wanted)) => {
                Err(Problem::Head { wanted: wanted.name(), found: found.name() }.at(file.path()))
            }
            (Err(found), None) => Err(Problem::UnsupportedHead { found }.at(file.path())),
            (Err(found), Some(wanted)) => Err(Problem::Head { wanted: wanted.name(), found }.at(file.path())),
        }
    }

    /// The head the file has; `Err` names one that cannot be packed.
    fn detect(file: &TensorFile, config: &Config) -> Result<Self, &'static str> {
        let (transform, pre) = match config.architecture {
            Architecture::Bert => ("cls.predictions.transform.dense.weight", "pooler.dense.weight"),
            Architecture::DistilBert => ("vocab_transform.weight", "pre_classifier.weight"),
        };
        if file.has(transform) {
            Ok(Self::MaskedLm)
        } else if file.has("qa_outputs.weight") {
            Err("extractive question answering")
        } else if file.has("classifier.weight") {
            // A classifier without the layer before it labels tokens, not sequences.
            if file.has(pre) { Ok(Self::SequenceClassification) } else { Err("token classification") }
        } else {
            Ok(Self::Embedding)
        }
    }

    /// Label names: the configuration's, made to fit the classifier's rows.
    pub fn labels(self, file: &TensorFile, config: &Config) -> Vec<String> {
        if self != Self::SequenceClassification {
            return Vec::new();
        }
        let classes = file.shape("classifier.weight").and_then(|shape| shape.first().copied()).unwrap_or(0);
        (0..classes)
            .map(|class| match config.labels.len() == classes {
                true => config.labels[class].clone(),
                false => format!("LABEL_{class}"),
            })
            .collect()
    }
}

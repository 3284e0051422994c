//! The heads of fine-tuned models, as `transformers` has them.

use super::config::{Architecture, ModelConfig};
use super::encoder::Pair;
use super::grid::Source;
use super::names::Part;
use crate::ops::{Dropout, Sequences, dropout_rows};
use candle_core::{DType, Result, Tensor};

/// Scores of a text, from its first token: for BERT the pooler (dense, tanh), dropout and classifier; for DistilBERT the
/// pre-classifier (dense, ReLU), dropout and classifier.
#[derive(Debug)]
pub struct TextHead {
    dense: Pair,
    classifier: Pair,
    architecture: Architecture,
    dropout: f64,
}

impl TextHead {
    pub(super) fn new(config: &ModelConfig, source: Source, dropout: f64, dtype: DType) -> Result<Self> {
        Ok(Self {
            dense: Pair::matrix(source, Part::Pooler, dtype)?,
            classifier: Pair::matrix(source, Part::Classifier, dtype)?,
            architecture: config.architecture,
            dropout,
        })
    }

    /// Scores `[sequences, labels]` in `f32`, from the last hidden state `[rows, hidden]`.
    pub(super) fn scores(&self, last: &Tensor, sequences: &Sequences, dropout: &mut Dropout) -> Result<Tensor> {
        let first: Vec<u32> = sequences.starts()[..sequences.count()].iter().map(|&row| row as u32).collect();
        let rows = last.index_select(&Tensor::new(first, last.device())?, 0)?;
        let dense = self.dense.linear(&rows)?;
        let pooled = match self.architecture {
            Architecture::Bert => dense.tanh()?,
            Architecture::DistilBert => dense.relu()?,
        };
        let mask = dropout.mask(self.dropout, pooled.elem_count());
        self.classifier.linear(&dropout_rows(&pooled, mask)?)?.to_dtype(DType::F32)
    }
}

/// Scores of every token: dropout, then one matrix.
#[derive(Debug)]
pub struct RowHead {
    classifier: Pair,
    dropout: f64,
}

impl RowHead {
    pub(super) fn new(source: Source, part: Part, dropout: f64, dtype: DType) -> Result<Self> {
        Ok(Self { classifier: Pair::matrix(source, part, dtype)?, dropout })
    }

    /// Scores `[rows, labels]` in `f32`; for answers the labels are start and end.
    pub(super) fn scores(&self, last: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        let mask = dropout.mask(self.dropout, last.elem_count());
        self.classifier.linear(&dropout_rows(last, mask)?)?.to_dtype(DType::F32)
    }
}

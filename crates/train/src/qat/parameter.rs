//! A parameter that takes its packed values while the grid is on.

use super::grid::Stored;
use super::straight::straight;
use candle_core::{DType, Result, Tensor};
use std::sync::Arc;

/// A tensor of a model, with its place in the packed file if it has one.
#[derive(Clone, Debug)]
pub struct Parameter {
    tensor: Tensor,
    stored: Option<Arc<Stored>>,
}

impl Parameter {
    pub(super) fn new(tensor: Tensor, stored: Option<Arc<Stored>>) -> Self {
        Self { tensor, stored }
    }

    /// A parameter that is used as it is.
    pub fn plain(tensor: Tensor) -> Self {
        Self { tensor, stored: None }
    }

    /// The parameter cast once to the type that it is used in, where nothing changes it any more.
    pub fn settled(self, dtype: DType) -> Result<Self> {
        match (&self.stored, self.tensor.track_op()) {
            (None, false) => Ok(Self::plain(self.tensor.to_dtype(dtype)?)),
            _ => Ok(self),
        }
    }

    /// The parameter itself, in float32 unless it was [settled](Self::settled).
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Whether the grid is on.
    pub fn on_grid(&self) -> bool {
        self.packed().is_some()
    }

    /// What the forward pass computes with: the packed values while the grid is on, else the parameter itself. Gradients
    /// reach the parameter either way.
    pub fn value(&self) -> Result<Tensor> {
        match self.packed() {
            Some(packed) => straight(&self.tensor, packed),
            None => Ok(self.tensor.clone()),
        }
    }

    /// Rows `ids` of a table, [`Parameter::value`] of which is not made as a whole.
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        let rows = self.tensor.index_select(ids, 0)?;
        match self.packed() {
            Some(packed) => straight(&rows, packed.index_select(ids, 0)?),
            None => Ok(rows),
        }
    }

    fn packed(&self) -> Option<Tensor> {
        self.stored.as_ref().and_then(|stored| stored.values())
    }
}

//! A model on the grid of a packed file.

use super::names::{Part, Slot};
use super::{Model, ModelConfig, Parameters};
use crate::qat::{Grid, Parameter, QatConfig};
use candle_core::{DType, Result};

/// Where the modules of a model find their parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) parameters: &'a Parameters,
    pub(super) grid: Option<&'a Grid>,
}

impl Source<'_> {
    pub(super) fn get(&self, part: Part, slot: Slot) -> Result<Parameter> {
        match self.grid {
            Some(grid) => grid.parameter(self.parameters, part, slot),
            None => self.parameters.get(part, slot).map(Parameter::plain),
        }
    }
}

impl Model {
    /// A model that can compute with the values of a packed file (see [`crate::qat`]); until [`Model::set_grid`] switches
    /// them on, it is the same as any other.
    pub fn with_grid(config: ModelConfig, parameters: Parameters, dtype: DType, qat: QatConfig) -> Result<Self> {
        let grid = Grid::new(qat, &config, &parameters)?;
        Self::build(config, parameters, dtype, Some(grid))
    }

    /// The grid, if the model was made with one.
    pub fn grid(&self) -> Option<&Grid> {
        self.grid.as_ref()
    }

    /// To be called before step `step` (from 1) of `total`: see [`Grid::set_step`]. Nothing to do without a grid.
    pub fn set_grid(&self, step: usize, total: usize) -> Result<()> {
        self.grid.as_ref().map_or(Ok(()), |grid| grid.set_step(step, total))
    }

    /// To be called before an evaluation in the midst of training: a model on the grid takes the values that a packed file
    /// of its parameters would have now.
    pub fn settle_grid(&self) -> Result<()> {
        self.grid.as_ref().filter(|grid| grid.is_on()).map_or(Ok(()), Grid::pack)
    }
}

//! The packed values of all parameters of a model, made anew as the parameters move.

use super::{Parameter, QatConfig, Storage, int4, int8};
use crate::model::{ModelConfig, Parameters, Part, Slot, parameter_name, parameter_shapes};
use candle_core::{DType, Device, Result, Tensor};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Every tensor that a packed file rounds, by Hugging Face name.
///
/// LayerNorms and token types stay float32 in a packed file and have no place here.
#[derive(Debug)]
pub struct Grid {
    config: QatConfig,
    stored: BTreeMap<String, Arc<Stored>>,
}

/// One tensor: what it is made from, how, and what it is now.
#[derive(Debug)]
pub(super) struct Stored {
    source: Tensor,
    rounding: Rounding,
    /// As they come back from the packed file; none while the grid is off.
    values: RwLock<Option<Tensor>>,
    /// The steps of an int4 matrix that further roundings use, when the search is not made at every step.
    steps: Mutex<Option<int4::Steps>>,
}

#[derive(Clone, Copy, Debug)]
enum Rounding {
    Bias,
    Int8,
    Int4 { group: usize },
}

/// Which scales and factors int4 values are rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// Those found last; new ones where there are none.
    Last,
    /// New ones, kept for later.
    Keep,
    /// New ones for this once: later roundings use those found before.
    Once,
}

impl Grid {
    /// The grid of a model, off. The tensors of `parameters` are shared, not copied: what an optimizer writes into them
    /// is seen by the next [`Grid::set_step`].
    pub fn new(config: QatConfig, model: &ModelConfig, parameters: &Parameters) -> Result<Self> {
        let mut stored = BTreeMap::new();
        for (part, slot, name, _) in parameter_shapes(model) {
            let storage = match (part, slot) {
                (part, _) if part.is_norm() || part == Part::TokenTypes => continue,
                (_, Slot::Bias) => None,
                (Part::Words | Part::Positions, Slot::Weight) => Some(config.embeddings),
                (_, Slot::Weight) => Some(config.weights),
            };
            let rounding = match storage {
                None => Rounding::Bias,
                Some(Storage::Int8) => Rounding::Int8,
                Some(Storage::Int4) => Rounding::Int4 { group: config.group },
            };
            let source = parameters.get(part, slot)?;
            let (values, steps) = (RwLock::new(None), Mutex::new(None));
            stored.insert(name, Arc::new(Stored { source, rounding, values, steps }));
        }
        Ok(Self { config, stored })
    }

    /// The options it was made with.
    pub fn config(&self) -> &QatConfig {
        &self.config
    }

    /// The parameter of a part: with its place in the grid, if it has one.
    pub fn parameter(&self, parameters: &Parameters, part: Part, slot: Slot) -> Result<Parameter> {
        let name = parameter_name(parameters.architecture(), part, slot);
        Ok(Parameter::new(parameters.get(part, slot)?, self.stored.get(&name).cloned()))
    }

    /// Prepares step `step` (from 1) of `total`: switches the grid on or off, and rounds the parameters as they are now.
    ///
    /// The values depend on the parameters alone, unless the search is not made at every step; then also on what
    /// [`Grid::steps`] tells, which a checkpoint has to hold.
    pub fn set_step(&self, step: usize, total: usize) -> Result<()> {
        let first = self.config.first_step(total);
        if step < first {
            return self.switch_off();
        }
        let due = (step - first).is_multiple_of(self.config.refresh);
        self.round(match (self.config.refresh, due) {
            (1, _) => Search::Once,
            (_, true) => Search::Keep,
            (_, false) => Search::Last,
        })
    }

    /// Takes exactly the values that a packed file of the parameters would have now, whatever the step.
    pub fn pack(&self) -> Result<()> {
        self.round(Search::Once)
    }

    /// Back to the parameters as they are.
    pub fn switch_off(&self) -> Result<()> {
        self.stored.values().for_each(|stored| stored.set(None));
        Ok(())
    }

    /// Whether the forward pass uses packed values now.
    pub fn is_on(&self) -> bool {
        self.stored.values().any(|stored| stored.values().is_some())
    }

    /// The packed values by name; empty while the grid is off.
    pub fn values(&self) -> BTreeMap<&str, Tensor> {
        self.stored.iter().filter_map(|(name, stored)| Some((name.as_str(), stored.values()?))).collect()
    }

    /// Scales `NAME.scales [rows]` and factors `NAME.factors [rows, groups]` that are in use beyond a step; empty when the
    /// search is made at every step.
    pub fn steps(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut tensors = BTreeMap::new();
        for (name, stored) in &self.stored {
            if let Some(steps) = stored.steps.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                let rows = steps.scales.len();
                let scales: Vec<f32> = steps.scales.iter().map(|scale| scale.to_f32()).collect();
                tensors.insert(format!("{name}.scales"), Tensor::from_vec(scales, rows, &Device::Cpu)?);
                let factors = Tensor::from_slice(&steps.factors, (rows, steps.factors.len() / rows), &Device::Cpu)?;
                tensors.insert(format!("{name}.factors"), factors.to_dtype(DType::F32)?);
            }
        }
        Ok(tensors)
    }

    /// Takes over what [`Grid::steps`] told; tensors of other names are left alone.
    pub fn restore_steps(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, stored) in &self.stored {
            let (scales, factors) = (format!("{name}.scales"), format!("{name}.factors"));
            if let (Some(scales), Some(factors)) = (tensors.get(&scales), tensors.get(&factors)) {
                let numbers = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
                let steps = int4::Steps {
                    scales: numbers(scales)?.into_iter().map(half::bf16::from_f32).collect(),
                    factors: numbers(factors)?.into_iter().map(|factor| factor as u8).collect(),
                };
                stored.check(&steps, name)?;
                *stored.steps.lock().unwrap_or_else(PoisonError::into_inner) = Some(steps);
            }
        }
        Ok(())
    }

    fn round(&self, search: Search) -> Result<()> {
        for stored in self.stored.values() {
            let values = stored.round(search)?;
            stored.set(Some(values));
        }
        Ok(())
    }
}

impl Stored {
    /// The packed values, while the grid is on.
    pub(super) fn values(&self) -> Option<Tensor> {
        self.values.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, values: Option<Tensor>) {
        *self.values.write().unwrap_or_else(PoisonError::into_inner) = values;
    }

    /// Rounds the source on the CPU, whatever device it is on.
    fn round(&self, search: Search) -> Result<Tensor> {
        let data = self.source.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let columns = *self.source.dims().last().unwrap_or(&1);
        let values = crate::ops::with_slice(&data, |data| {
            Ok(match self.rounding {
                Rounding::Bias => int8::round_biases(data),
                Rounding::Int8 => int8::round(data, columns),
                Rounding::Int4 { group } => {
                    let mut kept = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
                    match (&*kept, search) {
                        (Some(steps), Search::Last) => int4::round(data, columns, group, steps),
                        _ => {
                            let steps = int4::search(data, columns, group);
                            let values = int4::round(data, columns, group, &steps);
                            if search != Search::Once {
                                *kept = Some(steps);
                            }
                            values
                        }
                    }
                }
            })
        })?;
        Tensor::from_vec(values, self.source.shape(), self.source.device())
    }

    fn check(&self, steps: &int4::Steps, name: &str) -> Result<()> {
        let Rounding::Int4 { group } = self.rounding else {
            candle_core::bail!("`{name}` has int4 scales in the checkpoint, but is not int4")
        };
        let (rows, columns) = self.source.dims2()?;
        let groups = columns.div_ceil(group);
        if steps.scales.len() != rows || steps.factors.len() != rows * groups {
            candle_core::bail!("the int4 scales of `{name}` in the checkpoint are those of another shape")
        }
        Ok(())
    }
}

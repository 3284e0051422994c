//! All tensors of a model by name, each trainable or frozen.

use super::config::{Architecture, ModelConfig};
use super::names::{Part, Slot, parameter_name, parameter_shapes};
use candle_core::{Result, Tensor, Var, bail};
use std::collections::BTreeMap;

/// Named tensors in alphabetical order, so that every walk over them has the same order.
#[derive(Debug)]
pub struct Parameters {
    architecture: Architecture,
    frozen: BTreeMap<String, Tensor>,
    trainable: BTreeMap<String, Var>,
    extra: BTreeMap<String, Var>,
}

impl Parameters {
    /// All frozen. Fails when a tensor of `config` is missing or has another shape.
    pub fn frozen(config: &ModelConfig, tensors: BTreeMap<String, Tensor>) -> Result<Self> {
        for (_, _, name, shape) in parameter_shapes(config) {
            match tensors.get(&name) {
                None => bail!("no tensor `{name}`"),
                Some(t) if t.dims() != shape => {
                    bail!("tensor `{name}` has shape {:?}, not {shape:?}", t.dims())
                }
                Some(_) => {}
            }
        }
        Ok(Self {
            architecture: config.architecture,
            frozen: tensors,
            trainable: BTreeMap::new(),
            extra: BTreeMap::new(),
        })
    }

    /// Makes every tensor trainable, but for those that `freeze` selects by part.
    pub fn train(mut self, config: &ModelConfig, freeze: impl Fn(Part) -> bool) -> Result<Self> {
        for (part, _, name, _) in parameter_shapes(config) {
            if !freeze(part)
                && let Some(tensor) = self.frozen.remove(&name)
            {
                self.trainable.insert(name, Var::from_tensor(&tensor)?);
            }
        }
        Ok(self)
    }

    /// Whose names the tensors have.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The tensor of a part; clones share its storage and, for trainable ones, its identity in gradients.
    pub fn get(&self, part: Part, slot: Slot) -> Result<Tensor> {
        let name = parameter_name(self.architecture, part, slot);
        match (self.trainable.get(&name), self.frozen.get(&name)) {
            (Some(var), _) => Ok(var.as_tensor().clone()),
            (None, Some(tensor)) => Ok(tensor.clone()),
            (None, None) => bail!("no tensor `{name}`"),
        }
    }

    /// Adds a tensor that is trained with the model but is no part of it.
    pub fn train_extra(&mut self, name: &str, tensor: &Tensor) -> Result<Tensor> {
        let var = Var::from_tensor(tensor)?;
        let tensor = var.as_tensor().clone();
        self.extra.insert(name.to_string(), var);
        Ok(tensor)
    }

    /// Trainable tensors in name order, then those that are no part of the model.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.trainable.iter().chain(&self.extra).map(|(name, var)| (name.as_str(), var))
    }

    /// All tensors of the model in name order.
    pub fn all(&self) -> BTreeMap<&str, Tensor> {
        let frozen = self.frozen.iter().map(|(name, t)| (name.as_str(), t.clone()));
        let trainable = self.trainable.iter().map(|(name, var)| (name.as_str(), var.as_tensor().clone()));
        frozen.chain(trainable).collect()
    }

    /// Numbers in all tensors of the model.
    pub fn count(&self) -> usize {
        self.all().values().map(Tensor::elem_count).sum()
    }
}

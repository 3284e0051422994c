//! AdamW with decoupled weight decay, `f32` moments and clipping by the global norm.

mod gradients;
mod saved;
mod update;

pub use gradients::Gradients;

use crate::model::{Model, Part, Slot, parameter_shapes};
use crate::{Error, Result};
use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use update::Update;

/// Constants of the optimizer; the learning rate comes with each step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay; biases and LayerNorms take none.
    pub weight_decay: f64,
    /// Largest global norm of the gradients; 0 switches clipping off.
    pub clip: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.98, eps: 1e-6, weight_decay: 0.0, clip: 5.0 }
    }
}

/// The optimizer's state.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    /// Per parameter: first and second moment, `[2, numbers]`, and whether it decays.
    state: BTreeMap<String, (Tensor, bool)>,
    /// Steps taken.
    steps: i32,
}

impl AdamW {
    /// Zero moments for every trainable parameter of `model`.
    pub fn new(config: AdamWConfig, model: &Model) -> Result<Self> {
        let shapes = parameter_shapes(&model.config);
        let mut state = BTreeMap::new();
        for (name, var) in model.parameters.trainable() {
            let place = shapes.iter().find(|(_, _, n, _)| n == name);
            // What is no part of the model is a matrix.
            let decays = place.is_none_or(|(part, slot, ..)| decays(*part, *slot));
            let moments = Tensor::zeros((2, var.elem_count()), DType::F32, var.device())?;
            state.insert(name.to_string(), (moments, decays));
        }
        Ok(Self { config, state, steps: 0 })
    }

    /// One step; returns the gradients' norm before clipping. Nothing changes when it is not finite.
    pub fn step(&mut self, model: &Model, gradients: &Gradients, learning_rate: f64) -> Result<f64> {
        let norm = gradients.norm()?;
        if !norm.is_finite() {
            let step = self.steps as usize + 1;
            return Err(Error::NonFinite { what: "the gradient norm", value: norm, step });
        }
        let clip = self.config.clip;
        let scale = if clip > 0.0 && norm > clip { clip / (norm + 1e-6) } else { 1.0 };
        self.steps += 1;
        for (name, var) in model.parameters.trainable() {
            let (Some((moments, decays)), Some(gradient)) = (self.state.get_mut(name), gradients.get(name)) else {
                continue;
            };
            let decay = if *decays { self.config.weight_decay } else { 0.0 };
            let update = Update {
                beta1: self.config.beta1,
                beta2: self.config.beta2,
                eps: self.config.eps,
                gradient_scale: scale,
                learning_rate,
                weight_decay: decay,
                correction1: 1.0 - self.config.beta1.powi(self.steps),
                correction2: 1.0 - self.config.beta2.powi(self.steps),
            };
            update.apply(var, moments, gradient)?;
        }
        Ok(norm)
    }
}

/// Matrices and tables decay; biases and LayerNorms do not.
fn decays(part: Part, slot: Slot) -> bool {
    slot == Slot::Weight && !part.is_norm()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Architecture, ModelConfig, Parameters, random};
    use candle_core::Device;

    /// With gradients of zero only the decay moves anything.
    #[test]
    fn biases_and_norms_do_not_decay() {
        for architecture in [Architecture::Bert, Architecture::DistilBert] {
            let config = ModelConfig {
                architecture,
                vocab_size: 8,
                hidden: 4,
                layers: 2,
                heads: 2,
                intermediate: 8,
                max_positions: 4,
                type_vocab: if architecture == Architecture::Bert { 2 } else { 0 },
                layer_norm_eps: 1e-12,
                dropout: 0.0,
                attention_dropout: 0.0,
                initializer_range: 0.5,
                pad_id: 0,
                head: crate::model::Head::MaskedLm,
            };
            let ones = |t: &Tensor| t.ones_like().unwrap();
            let tensors = random(&config, 1, &Device::Cpu).unwrap();
            let tensors = tensors.all().into_iter().map(|(name, t)| (name.to_string(), ones(&t))).collect();
            let parameters = Parameters::frozen(&config, tensors).unwrap().train(&config, |_| false).unwrap();
            let mut model = Model::new(config, parameters, DType::F32).unwrap();
            model.project_hidden_to(6, 1).unwrap();
            let projection =
                |m: &Model| m.parameters.trainable().last().unwrap().1.flatten_all().unwrap().to_vec1::<f32>();
            let before = projection(&model).unwrap();

            let decay = AdamWConfig { weight_decay: 0.5, ..AdamWConfig::default() };
            let mut optimizer = AdamW::new(decay, &model).unwrap();
            let mut gradients = Gradients::default();
            model.parameters.trainable().for_each(|(name, var)| gradients.insert(name, var.zeros_like().unwrap()));
            optimizer.step(&model, &gradients, 0.1).unwrap();
            for (name, tensor) in model.parameters.all() {
                let exempt = name.ends_with("bias") || name.to_lowercase().contains("norm");
                let expected = if exempt { 1.0 } else { 1.0 - 0.1 * 0.5 };
                let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert!(values.iter().all(|v| (v - expected).abs() < 1e-6), "{name}: {}", values[0]);
            }
            for (after, before) in projection(&model).unwrap().iter().zip(before) {
                assert!((after - before * 0.95).abs() < 1e-6, "the projection: {after}");
            }
        }
    }
}

//! AdamW with decoupled weight decay, `f32` moments and clipping by the global norm.

use crate::model::{Model, Part, Slot, parameter_shapes};
use crate::{Error, Result};
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result as TensorResult, Tensor, Var, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// Gradients by parameter name, ready to be added up over several batches.
#[derive(Debug, Default)]
pub struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// Adds what `store` holds for the trainable parameters of `model`.
    pub fn add(&mut self, model: &Model, mut store: GradStore) -> Result<()> {
        for (name, var) in model.parameters.trainable() {
            let Some(gradient) = store.remove(var) else {
                continue;
            };
            let sum = match self.0.remove(name) {
                Some(sum) => (sum + gradient)?,
                None => gradient,
            };
            self.0.insert(name.to_string(), sum.detach());
        }
        Ok(())
    }

    /// The gradient of a parameter.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Global L2 norm.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.0.values() {
            // Per tensor in f32, over tensors in f64.
            let squares = gradient.to_dtype(DType::F32)?.sqr()?.sum_all()?;
            sum += f64::from(squares.to_scalar::<f32>()?);
        }
        Ok(sum.sqrt())
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
            let decays = place.is_some_and(|(part, slot, ..)| decays(*part, *slot));
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

/// Everything one parameter's update needs.
#[derive(Clone, Copy)]
struct Update {
    beta1: f64,
    beta2: f64,
    eps: f64,
    gradient_scale: f64,
    learning_rate: f64,
    weight_decay: f64,
    correction1: f64,
    correction2: f64,
}

impl Update {
    fn apply(&self, var: &Var, moments: &mut Tensor, gradient: &Tensor) -> TensorResult<()> {
        if var.device().is_cpu() && var.dtype() == DType::F32 {
            moments.inplace_op2(&gradient.contiguous()?, &Moments(*self))?;
            return var.as_tensor().inplace_op2(moments, &Weights(*self));
        }
        let gradient = (gradient.to_dtype(DType::F32)?.flatten_all()? * self.gradient_scale)?;
        let first = ((moments.get(0)? * self.beta1)? + (&gradient * (1.0 - self.beta1))?)?;
        let second = ((moments.get(1)? * self.beta2)? + (gradient.sqr()? * (1.0 - self.beta2))?)?;
        *moments = Tensor::stack(&[&first, &second], 0)?;
        let root = ((second / self.correction2)?.sqrt()? + self.eps)?;
        let step = ((first / self.correction1)? / root)?.reshape(var.shape())?;
        let weights = var.to_dtype(DType::F32)?;
        let decayed = (&weights * (1.0 - self.learning_rate * self.weight_decay))?;
        var.set(&(decayed - (step * self.learning_rate)?)?.to_dtype(var.dtype())?)
    }
}

const BLOCK: usize = 1 << 14;

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> TensorResult<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("the optimizer takes contiguous f32 tensors"),
    }
}

fn floats_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> TensorResult<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("the optimizer takes contiguous f32 tensors"),
    }
}

/// Moments `[2, n]` in place from the gradient.
struct Moments(Update);

impl InplaceOp2 for Moments {
    fn name(&self) -> &'static str {
        "adamw-moments"
    }

    fn cpu_fwd(&self, moments: &mut CpuStorage, ml: &Layout, gradient: &CpuStorage, gl: &Layout) -> TensorResult<()> {
        let (moments, gradient) = (floats_mut(moments, ml)?, floats(gradient, gl)?);
        let (first, second) = moments.split_at_mut(gradient.len());
        let (beta1, beta2) = (self.0.beta1 as f32, self.0.beta2 as f32);
        let scale = self.0.gradient_scale as f32;
        let blocks = first.par_chunks_mut(BLOCK).zip(second.par_chunks_mut(BLOCK));
        blocks.zip(gradient.par_chunks(BLOCK)).for_each(|((first, second), gradient)| {
            for ((m, v), g) in first.iter_mut().zip(second).zip(gradient) {
                let g = g * scale;
                *m = *m * beta1 + g * (1.0 - beta1);
                *v = *v * beta2 + g * g * (1.0 - beta2);
            }
        });
        Ok(())
    }
}

/// Weights in place from the moments.
struct Weights(Update);

impl InplaceOp2 for Weights {
    fn name(&self) -> &'static str {
        "adamw-weights"
    }

    fn cpu_fwd(&self, weights: &mut CpuStorage, wl: &Layout, moments: &CpuStorage, ml: &Layout) -> TensorResult<()> {
        let (weights, moments) = (floats_mut(weights, wl)?, floats(moments, ml)?);
        let (first, second) = moments.split_at(weights.len());
        let update = &self.0;
        let keep = (1.0 - update.learning_rate * update.weight_decay) as f32;
        let rate = (update.learning_rate / update.correction1) as f32;
        let (correction, eps) = ((1.0 / update.correction2) as f32, update.eps as f32);
        let moments = first.par_chunks(BLOCK).zip(second.par_chunks(BLOCK));
        weights.par_chunks_mut(BLOCK).zip(moments).for_each(|(weights, (first, second))| {
            for (w, (m, v)) in weights.iter_mut().zip(first.iter().zip(second)) {
                *w = *w * keep - rate * m / ((v * correction).sqrt() + eps);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// The textbook recurrence in f64.
    fn reference(weight: f64, gradients: &[f64], c: &AdamWConfig, rate: f64) -> f64 {
        let (mut w, mut m, mut v) = (weight, 0.0, 0.0);
        for (t, g) in (1..).zip(gradients) {
            m = c.beta1 * m + (1.0 - c.beta1) * g;
            v = c.beta2 * v + (1.0 - c.beta2) * g * g;
            let (mhat, vhat) = (m / (1.0 - c.beta1.powi(t)), v / (1.0 - c.beta2.powi(t)));
            w = w * (1.0 - rate * c.weight_decay) - rate * mhat / (vhat.sqrt() + c.eps);
        }
        w
    }

    #[test]
    fn follows_the_recurrence_fused_and_composed() {
        let config = AdamWConfig { weight_decay: 0.1, ..AdamWConfig::default() };
        let gradients = [0.5, -0.2, 1.5, 0.01];
        let exact = reference(2.0, &gradients, &config, 0.01);
        for dtype in [DType::F32, DType::F64] {
            let var =
                Var::from_tensor(&Tensor::new(&[2.0f32], &Device::Cpu).unwrap().to_dtype(dtype).unwrap()).unwrap();
            let mut moments = Tensor::zeros((2, 1), DType::F32, &Device::Cpu).unwrap();
            for (t, g) in (1..).zip(gradients) {
                let update = Update {
                    beta1: config.beta1,
                    beta2: config.beta2,
                    eps: config.eps,
                    gradient_scale: 1.0,
                    learning_rate: 0.01,
                    weight_decay: config.weight_decay,
                    correction1: 1.0 - config.beta1.powi(t),
                    correction2: 1.0 - config.beta2.powi(t),
                };
                let g = Tensor::new(&[g as f32], &Device::Cpu).unwrap();
                update.apply(&var, &mut moments, &g).unwrap();
            }
            let got = var.to_dtype(DType::F64).unwrap().get(0).unwrap().to_scalar::<f64>().unwrap();
            assert!((got - exact).abs() < 1e-6, "{dtype:?}: {got}, not {exact}");
        }
    }

    #[test]
    fn biases_and_norms_do_not_decay() {
        assert!(decays(Part::Words, Slot::Weight) && decays(Part::Query(0), Slot::Weight));
        assert!(!decays(Part::Query(0), Slot::Bias) && !decays(Part::OutputNorm(1), Slot::Weight));
    }
}

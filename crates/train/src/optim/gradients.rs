//! Gradients by name.

use crate::Result;
use candle_core::{DType, Tensor};
use std::collections::BTreeMap;

/// Gradients by parameter name.
#[derive(Debug, Default)]
pub struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// The gradient of a parameter.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Takes a parameter's gradient out.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.0.remove(name)
    }

    /// Sets a parameter's gradient.
    pub fn insert(&mut self, name: &str, gradient: Tensor) {
        self.0.insert(name.to_string(), gradient);
    }

    /// Global L2 norm.
    pub fn norm(&self) -> Result<f64> {
        #[cfg(feature = "cuda")]
        if self.0.values().next().is_some_and(|gradient| gradient.device().is_cuda()) {
            let gradients: Vec<&Tensor> = self.0.values().collect();
            return Ok(f64::from(crate::ops::gpu::square_sum(&gradients)?).sqrt());
        }
        let mut sum = 0.0;
        for gradient in self.0.values() {
            // Per tensor in f32, over tensors in f64.
            let squares = gradient.to_dtype(DType::F32)?.sqr()?.sum_all()?;
            sum += f64::from(squares.to_scalar::<f32>()?);
        }
        Ok(sum.sqrt())
    }
}

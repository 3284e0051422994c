//! One parameter's AdamW update: two passes in place on the CPU, one kernel on a GPU, a composition elsewhere.

use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result as TensorResult, Tensor, Var, bail};
use rayon::prelude::*;

/// Everything one parameter's update needs.
#[derive(Clone, Copy)]
pub(super) struct Update {
    pub(super) beta1: f64,
    pub(super) beta2: f64,
    pub(super) eps: f64,
    pub(super) gradient_scale: f64,
    pub(super) learning_rate: f64,
    pub(super) weight_decay: f64,
    pub(super) correction1: f64,
    pub(super) correction2: f64,
}

impl Update {
    /// As the GPU's kernel takes them.
    #[cfg(any(test, feature = "cuda"))]
    fn constants(&self) -> crate::ops::plan::elementwise::AdamW {
        crate::ops::plan::elementwise::AdamW {
            gradient_scale: self.gradient_scale as f32,
            beta1: self.beta1 as f32,
            beta2: self.beta2 as f32,
            keep: (1.0 - self.learning_rate * self.weight_decay) as f32,
            rate: (self.learning_rate / self.correction1) as f32,
            correction: (1.0 / self.correction2) as f32,
            eps: self.eps as f32,
        }
    }

    /// Updates `var` and its `moments [2, numbers]`.
    pub(super) fn apply(&self, var: &Var, moments: &mut Tensor, gradient: &Tensor) -> TensorResult<()> {
        if var.device().is_cpu() && var.dtype() == DType::F32 {
            moments.inplace_op2(&gradient.contiguous()?, &Moments(*self))?;
            return var.as_tensor().inplace_op2(moments, &Weights(*self));
        }
        #[cfg(feature = "cuda")]
        if var.device().is_cuda() && var.dtype() == DType::F32 {
            return crate::ops::gpu::adamw(var.as_tensor(), moments, gradient, self.constants());
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
    use super::super::AdamWConfig;
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
    fn the_gpus_kernel_does_the_same() {
        use crate::ops::machine::{Kind, emulated};
        use crate::ops::plan::elementwise::adamw;
        use crate::ops::testing::random;
        let Some(machine) = emulated::Emulated::start() else { return };
        let update = Update {
            beta1: 0.9,
            beta2: 0.98,
            eps: 1e-6,
            gradient_scale: 0.5,
            learning_rate: 0.01,
            weight_decay: 0.1,
            correction1: 0.19,
            correction2: 0.04,
        };
        let (weights, gradient) = (random(&[701], 1), random(&[701], 2));
        let mut moments = random(&[2, 701], 3).abs().unwrap();
        let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let on = [&weights, &moments, &gradient].map(|t| emulated::Buffer::new(Kind::F32, &numbers(t)));
        adamw(&machine, &on[0], &on[1], &on[2], 701, update.constants()).unwrap();
        let var = Var::from_tensor(&weights).unwrap();
        update.apply(&var, &mut moments, &gradient).unwrap();
        for (on, exact) in [(&on[0], numbers(&var)), (&on[1], numbers(&moments))] {
            for (a, b) in on.values().iter().zip(exact) {
                assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a}, not {b}");
            }
        }
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
}

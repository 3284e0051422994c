//! The straight-through estimator: one tensor's values with another one's gradient.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, bail};

/// The values of `rounded`, exactly; its gradient reaches `x` unchanged. Both have the same shape, type and device.
///
/// The values are copied once: `x + (rounded - x)` would take three passes and lose the last bits of `rounded`.
pub fn straight(x: &Tensor, rounded: Tensor) -> Result<Tensor> {
    if x.shape() != rounded.shape() || x.dtype() != rounded.dtype() {
        bail!("rounded values of {:?} {:?} for {:?} {:?}", rounded.dtype(), rounded.shape(), x.dtype(), x.shape())
    }
    let whole = rounded.is_contiguous() && rounded.layout().start_offset() == 0;
    let rounded = if whole { rounded } else { rounded.force_contiguous()? };
    // The forward pass takes nothing from `x` but its shape.
    x.apply_op1(Straight(rounded.detach()))
}

struct Straight(Tensor);

impl CustomOp1 for Straight {
    fn name(&self) -> &'static str {
        "straight-through"
    }

    fn cpu_fwd(&self, _x: &CpuStorage, _layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (storage, layout) = self.0.storage_and_layout();
        match &*storage {
            Storage::Cpu(values) => Ok((values.clone(), layout.shape().clone())),
            _ => bail!("rounded values are not on the CPU"),
        }
    }

    fn cuda_fwd(&self, _x: &CudaStorage, _layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = self.0.storage_and_layout();
        match &*storage {
            Storage::Cuda(values) => Ok((values.try_clone(layout)?, layout.shape().clone())),
            _ => bail!("rounded values are not on the GPU"),
        }
    }

    fn bwd(&self, _x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::straight;
    use candle_core::{Device, Tensor, Var};

    #[test]
    fn values_of_one_gradient_of_the_other() {
        let x = Var::new(&[[0.26f32, -1.7], [3.1, 0.0]], &Device::Cpu).unwrap();
        // Transposed, so that its numbers do not lie in order.
        let rounded = Tensor::new(&[[0.3f32, 3.0], [-1.5, 0.1]], &Device::Cpu).unwrap().t().unwrap();
        let y = straight(&x, rounded).unwrap();
        assert_eq!(y.to_vec2::<f32>().unwrap(), [[0.3, -1.5], [3.0, 0.1]]);
        let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec2::<f32>().unwrap(), [[0.6, -3.0], [6.0, 0.2]]);
        assert!(straight(&x, Tensor::new(&[1.0f32], &Device::Cpu).unwrap()).is_err());
    }
}

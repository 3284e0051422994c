//! Inverted dropout with masks drawn on the host, so that a seed repeats a run bit for bit on any device.

use super::storage::{for_rows, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Source of dropout masks for one forward pass.
#[derive(Debug)]
pub struct Dropout {
    rng: Option<ChaCha8Rng>,
}

/// Which elements are kept; kept ones are multiplied by `scale`.
#[derive(Clone, Debug)]
pub struct Mask {
    /// 1: kept, 0: dropped.
    pub keep: Arc<[u8]>,
    /// 1 / (probability to be kept).
    pub scale: f32,
}

impl Dropout {
    /// No dropout: evaluation mode.
    pub fn off() -> Self {
        Self { rng: None }
    }

    /// Training mode.
    pub fn on(rng: ChaCha8Rng) -> Self {
        Self { rng: Some(rng) }
    }

    /// A mask for `len` elements, dropped with probability `p` (rounded to 1/65536); `None` when nothing is dropped.
    pub fn mask(&mut self, p: f64, len: usize) -> Option<Mask> {
        let rng = self.rng.as_mut()?;
        let threshold = (p * 65536.0).round() as u32;
        if threshold == 0 {
            return None;
        }
        let mut bytes = vec![0u8; 2 * len];
        rng.fill_bytes(&mut bytes);
        let keep =
            bytes.chunks_exact(2).map(|b| u8::from(u32::from(u16::from_le_bytes([b[0], b[1]])) >= threshold)).collect();
        Some(Mask { keep, scale: (65536.0 / f64::from(65536 - threshold)) as f32 })
    }
}

impl Mask {
    /// The factors (0 or `scale`) as a tensor shaped and typed like `x`.
    fn factors(&self, x: &Tensor) -> Result<Tensor> {
        let values = self.keep.iter().map(|&k| f32::from(k) * self.scale).collect();
        Tensor::from_vec::<_, f32>(values, x.shape(), x.device())?.to_dtype(x.dtype())
    }

    /// Multiplies `values` by the factors of elements `start..` in place.
    #[inline(always)]
    pub(crate) fn apply_at(&self, start: usize, values: &mut [f32]) {
        for (v, &k) in values.iter_mut().zip(&self.keep[start..]) {
            *v *= f32::from(k) * self.scale;
        }
    }

    /// Multiplies `values` by the factors in place.
    fn apply(&self, values: &mut [f32]) {
        for_rows(
            values,
            WIDTH,
            #[inline(always)]
            |first, block| {
                for (v, &k) in block.iter_mut().zip(&self.keep[first * WIDTH..]) {
                    *v *= f32::from(k) * self.scale;
                }
            },
        );
    }
}

/// Elements to a row of the parallel loop.
const WIDTH: usize = 256;

/// `x` with dropout.
pub fn dropout_rows(x: &Tensor, mask: Option<Mask>) -> Result<Tensor> {
    match mask {
        None => Ok(x.clone()),
        Some(mask) if super::fused(x) => x.contiguous()?.apply_op1(Rows(mask)),
        Some(mask) => x * mask.factors(x)?,
    }
}

/// `residual + dropout(x)`.
pub fn dropout_add(x: &Tensor, residual: &Tensor, mask: Option<Mask>) -> Result<Tensor> {
    match mask {
        None => x + residual,
        Some(mask) if super::fused(x) => x.apply_op2(residual, Add(mask)),
        Some(mask) => (x * mask.factors(x)?)? + residual,
    }
}

struct Rows(Mask);

impl CustomOp1 for Rows {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = slice(x, layout)?.to_vec();
        self.0.apply(&mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        masked(&self.0, x, grad).map(Some)
    }
}

struct Add(Mask);

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "dropout-add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, x_layout)?;
        let mut out = slice(residual, residual_layout)?.to_vec();
        for_rows(
            &mut out,
            WIDTH,
            #[inline(always)]
            |first, block| {
                let start = first * WIDTH;
                for ((v, x), &k) in block.iter_mut().zip(&x[start..]).zip(&self.0.keep[start..]) {
                    *v += x * (f32::from(k) * self.0.scale);
                }
            },
        );
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        _residual: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(masked(&self.0, x, grad)?), Some(grad.clone())))
    }
}

fn masked(mask: &Mask, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let mut out = with_slice(grad, |g| Ok(g.to_vec()))?;
    mask.apply(&mut out);
    Tensor::from_vec(out, x.shape(), x.device())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, distance, random};
    use super::*;
    use crate::rng::{Purpose, stream};

    fn mask(len: usize) -> Mask {
        let mut dropout = Dropout::on(stream(3, Purpose::Dropout, 0));
        dropout.mask(0.1, len).unwrap()
    }

    #[test]
    fn drops_the_asked_share_and_keeps_the_mean() {
        let mask = mask(100_000);
        let kept = mask.keep.iter().map(|&k| usize::from(k)).sum::<usize>();
        assert!((kept as f64 / 100_000.0 - 0.9).abs() < 0.004, "{kept}");
        assert!((mask.scale - 1.0 / 0.9).abs() < 1e-4);
        assert!(Dropout::off().mask(0.1, 10).is_none());
    }

    #[test]
    fn fused_equals_composed() {
        let (x, r, mask) = (random(&[70, 9], 1), random(&[70, 9], 2), mask(630));
        let composed = ((&x * mask.factors(&x).unwrap()).unwrap() + &r).unwrap();
        assert!(distance(&dropout_add(&x, &r, Some(mask)).unwrap(), &composed) < 1e-6);
    }

    #[test]
    fn gradients() {
        let (weights, mask) = (random(&[70, 9], 3), mask(630));
        check_gradient(&[random(&[70, 9], 1), random(&[70, 9], 2)], |v| {
            let y = dropout_add(&v[0], &v[1], Some(mask.clone()))?;
            (dropout_rows(&y, Some(mask.clone()))? * &weights)?.sum_all()
        });
    }
}

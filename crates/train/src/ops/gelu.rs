//! GELU with the error function: `x/2 (1 + erf(x / sqrt 2))`.

use super::math::{erf, exp};
use super::storage::{for_rows, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// Elementwise GELU (the exact form, not the tanh approximation).
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    super::trace::gelu(x, None)?;
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        return super::gpu::gelu(x, None);
    }
    if super::fused(x) { x.contiguous()?.apply_op1(Gelu) } else { x.gelu_erf() }
}

struct Gelu;

/// Elements to a row of the parallel loop.
const WIDTH: usize = 256;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, layout)?;
        let mut out = x.to_vec();
        for_rows(
            &mut out,
            WIDTH,
            #[inline(always)]
            |_, block| {
                for y in block {
                    *y *= 0.5 + 0.5 * erf(*y * std::f32::consts::FRAC_1_SQRT_2);
                }
            },
        );
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        /// 1 / sqrt(2 pi): the density's factor.
        const DENSITY: f32 = 0.398_942_3;
        let out = with_slice(x, |x| {
            let mut out = with_slice(grad, |g| Ok(g.to_vec()))?;
            for_rows(
                &mut out,
                WIDTH,
                #[inline(always)]
                |first, block| {
                    let start = first * WIDTH;
                    for (g, &x) in block.iter_mut().zip(&x[start..]) {
                        let cumulative = 0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2);
                        *g *= cumulative + x * DENSITY * exp(-0.5 * x * x);
                    }
                },
            );
            Ok(out)
        })?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, distance, random};

    #[test]
    fn agrees_with_candle() {
        let x = (random(&[300, 7], 5) * 3.0).unwrap();
        assert!(distance(&super::gelu(&x).unwrap(), &x.gelu_erf().unwrap()) < 1e-6);
    }

    #[test]
    fn gradients() {
        let weights = random(&[90, 7], 6);
        check_gradient(&[(random(&[90, 7], 7) * 2.0).unwrap()], |v| (super::gelu(&v[0])? * &weights)?.sum_all());
    }
}

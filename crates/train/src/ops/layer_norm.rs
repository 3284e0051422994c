//! LayerNorm over the last dimension: `gamma (x - mean) / sqrt(var + eps) + beta`, with gradients.

use super::storage::{dot, for_rows, slice, sum_by, sum_rows, with_slice};
use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Tensor};

/// `x [n, h]`, `gamma [h]`, `beta [h]`. Statistics are taken in `f32` whatever the type of `x`.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    super::trace::residual_norm(x, None, None, [gamma, beta], eps)?;
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        return super::gpu::layer_norm(x, None, None, [gamma, beta], eps);
    }
    if super::fused(x) {
        return x.contiguous()?.apply_op3(gamma, beta, LayerNorm { eps: eps as f32 });
    }
    let dtype = x.dtype();
    let x = x.to_dtype(DType::F32)?;
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred
        .broadcast_div(&(variance + eps)?.sqrt()?)?
        .broadcast_mul(&gamma.to_dtype(DType::F32)?)?
        .broadcast_add(&beta.to_dtype(DType::F32)?)?
        .to_dtype(dtype)
}

struct LayerNorm {
    eps: f32,
}

impl LayerNorm {
    /// Mean and reciprocal standard deviation of a row.
    #[inline(always)]
    fn statistics(&self, row: &[f32]) -> (f32, f32) {
        let scale = 1.0 / row.len() as f32;
        let mean = sum_by(row, |v| v) * scale;
        let variance = sum_by(row, |v| (v - mean) * (v - mean)) * scale;
        (mean, 1.0 / (variance + self.eps).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let h = gamma_layout.shape().dims1()?;
        let (gamma, beta) = (slice(gamma, gamma_layout)?, slice(beta, beta_layout)?);
        let mut out = slice(x, x_layout)?.to_vec();
        for_rows(
            &mut out,
            h,
            #[inline(always)]
            |_, rows| {
                for row in rows.chunks_exact_mut(h) {
                    let (mean, rstd) = self.statistics(row);
                    for (v, (g, b)) in row.iter_mut().zip(gamma.iter().zip(beta)) {
                        *v = (*v - mean) * rstd * g + b;
                    }
                }
            },
        );
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    // dx = rstd (d - mean(d) - xhat mean(d xhat)) with d = gamma dy; dgamma = sum dy xhat; dbeta = sum dy.
    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        _beta: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n, h) = x.dims2()?;
        let scale = 1.0 / h as f32;
        let (dx, sums) = with_slice(x, |x| {
            with_slice(gamma, |gamma| {
                with_slice(grad, |dy| {
                    let mut dx = dy.to_vec();
                    for_rows(
                        &mut dx,
                        h,
                        #[inline(always)]
                        |first, rows| {
                            let mut xhat = vec![0.0; h];
                            for (i, row) in rows.chunks_exact_mut(h).enumerate() {
                                let x = &x[(first + i) * h..][..h];
                                let (mean, rstd) = self.statistics(x);
                                for (v, (xhat, (x, g))) in row.iter_mut().zip(xhat.iter_mut().zip(x.iter().zip(gamma)))
                                {
                                    *v *= g;
                                    *xhat = (x - mean) * rstd;
                                }
                                let mean_d = sum_by(row, |v| v) * scale;
                                let mean_dx = dot(row, &xhat) * scale;
                                for (v, xhat) in row.iter_mut().zip(&xhat) {
                                    *v = rstd * (*v - mean_d - xhat * mean_dx);
                                }
                            }
                        },
                    );
                    // Row sums of dy xhat and of dy, side by side.
                    let sums = sum_rows(
                        n,
                        2 * h,
                        #[inline(always)]
                        |start, end, sums| {
                            let (dgamma, dbeta) = sums.split_at_mut(h);
                            for i in start..end {
                                let (x, dy) = (&x[i * h..][..h], &dy[i * h..][..h]);
                                let (mean, rstd) = self.statistics(x);
                                for ((dg, db), (x, dy)) in dgamma.iter_mut().zip(dbeta.iter_mut()).zip(x.iter().zip(dy))
                                {
                                    *dg += dy * ((x - mean) * rstd);
                                    *db += dy;
                                }
                            }
                        },
                    );
                    Ok((dx, sums))
                })
            })
        })?;
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, (n, h), device)?),
            Some(Tensor::from_slice(&sums[..h], h, device)?),
            Some(Tensor::from_slice(&sums[h..], h, device)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, distance, random};
    use candle_core::DType;

    #[test]
    fn agrees_with_the_composition() {
        let (x, g, b) = (random(&[70, 20], 1), random(&[20], 2), random(&[20], 3));
        let fused = super::layer_norm(&x, &g, &b, 1e-12).unwrap();
        let double = |t: &candle_core::Tensor| t.to_dtype(DType::F64).unwrap();
        let composed = super::layer_norm(&double(&x), &double(&g), &double(&b), 1e-12).unwrap();
        assert!(distance(&fused, &composed.to_dtype(DType::F32).unwrap()) < 1e-6);
    }

    #[test]
    fn gradients() {
        let weights = random(&[67, 6], 4);
        check_gradient(&[random(&[67, 6], 1), random(&[6], 2), random(&[6], 3)], |v| {
            (super::layer_norm(&v[0], &v[1], &v[2], 1e-12)? * &weights)?.sum_all()
        });
    }
}

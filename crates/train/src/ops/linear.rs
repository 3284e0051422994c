//! Affine map of rows: `y = x W^T + b`.

use super::storage::{for_rows, slice, sum_rows, with_slice};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `x [n, k]`, `weight [m, k]`, `bias [m]` to `[n, m]`, in the type of `x`; weights and bias are cast to it.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    super::trace::linear(x, &[weight], &[bias])?;
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        return super::gpu::linear(x, &[weight], &[bias]);
    }
    let (weight, bias) = (weight.to_dtype(x.dtype())?, bias.to_dtype(x.dtype())?);
    if super::fused(x) { x.apply_op3(&weight, &bias, Linear) } else { x.matmul(&weight.t()?)?.broadcast_add(&bias) }
}

/// [`linear`] with several matrices over the same rows as one product, their results side by side: the stacked weights are small next
/// to the activations.
pub fn linear_stacked(x: &Tensor, weights: &[&Tensor], biases: &[&Tensor]) -> Result<Tensor> {
    super::trace::linear(x, weights, biases)?;
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        return super::gpu::linear(x, weights, biases);
    }
    let _pause = super::trace::pause();
    linear(x, &Tensor::cat(weights, 0)?, &Tensor::cat(biases, 0)?)
}

/// GELU of [`linear`]. On GPUs the bias is added with the GELU, and its gradient falls out of the same pass.
pub fn linear_gelu(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    super::trace::linear_gelu(x, weight, bias)?;
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        return super::gpu::gelu(&super::gpu::linear(x, &[weight], &[])?, Some(bias));
    }
    let _pause = super::trace::pause();
    super::gelu(&linear(x, weight, bias)?)
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, k) = x_layout.shape().dims2()?;
        let (m, _) = weight_layout.shape().dims2()?;
        let bias = slice(bias, bias_layout)?;
        let product = x.matmul(weight, (1, n, m, k), x_layout, &weight_layout.transpose(0, 1)?)?;
        let CpuStorage::F32(mut out) = product else { bail!("linear takes f32 tensors") };
        for_rows(
            &mut out,
            m,
            #[inline(always)]
            |_, rows| {
                for row in rows.chunks_exact_mut(m) {
                    for (y, b) in row.iter_mut().zip(bias) {
                        *y += b;
                    }
                }
            },
        );
        Ok((CpuStorage::F32(out), (n, m).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let wanted = |t: &Tensor, f: &dyn Fn() -> Result<Tensor>| t.track_op().then(f).transpose();
        Ok((
            wanted(x, &|| grad.matmul(weight))?,
            wanted(weight, &|| grad.t()?.matmul(x))?,
            wanted(bias, &|| column_sums(grad))?,
        ))
    }
}

/// Sums of the columns of `[n, m]`.
fn column_sums(grad: &Tensor) -> Result<Tensor> {
    let (n, m) = grad.dims2()?;
    let sums = with_slice(grad, |g| {
        Ok(sum_rows(
            n,
            m,
            #[inline(always)]
            |start, end, sums| {
                for row in g[start * m..end * m].chunks_exact(m) {
                    for (s, v) in sums.iter_mut().zip(row) {
                        *s += v;
                    }
                }
            },
        ))
    })?;
    Tensor::from_vec(sums, m, grad.device())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, random};

    #[test]
    fn gradients_of_stacked_matrices() {
        let (x, upstream) = (random(&[9, 5], 1), random(&[9, 6], 4));
        let (w, b) = ([random(&[2, 5], 2), random(&[4, 5], 5)], [random(&[2], 3), random(&[4], 6)]);
        let inputs = [&[x], w.as_slice(), b.as_slice()].concat();
        check_gradient(&inputs, |v| {
            (super::linear_stacked(&v[0], &[&v[1], &v[2]], &[&v[3], &v[4]])? * &upstream)?.sum_all()
        });
    }

    #[test]
    fn gradients() {
        let (x, w, b) = (random(&[70, 5], 1), random(&[3, 5], 2), random(&[3], 3));
        let weights = random(&[70, 3], 4);
        check_gradient(&[x, w, b], |v| (super::linear(&v[0], &v[1], &v[2])? * &weights)?.sum_all());
    }
}

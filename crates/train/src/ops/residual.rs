//! LayerNorm over a residual sum: `LayerNorm(residual + dropout(y))`.

use super::{Mask, dropout_add, layer_norm};
use candle_core::{Result, Tensor};

/// `y [n, h]` with dropout, plus `residual [n, h]`, normalized with `gamma [h]` and `beta [h]`: one kernel on GPUs, two
/// operations elsewhere.
pub fn residual_norm(
    y: &Tensor,
    residual: &Tensor,
    mask: Option<Mask>,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    super::trace::residual_norm(y, Some(residual), mask, [gamma, beta], eps)?;
    #[cfg(feature = "cuda")]
    if y.device().is_cuda() {
        return super::gpu::layer_norm(y, Some(residual), mask, [gamma, beta], eps);
    }
    let _pause = super::trace::pause();
    layer_norm(&dropout_add(y, residual, mask)?, gamma, beta, eps)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, random};
    use crate::ops::Dropout;
    use crate::rng::{Purpose, stream};

    #[test]
    fn gradients() {
        let mask = Dropout::on(stream(3, Purpose::Dropout, 0)).mask(0.2, 67 * 6);
        let weights = random(&[67, 6], 4);
        let inputs = [random(&[67, 6], 1), random(&[67, 6], 5), random(&[6], 2), random(&[6], 3)];
        check_gradient(&inputs, |v| {
            (super::residual_norm(&v[0], &v[1], mask, &v[2], &v[3], 1e-12)? * &weights)?.sum_all()
        });
    }
}

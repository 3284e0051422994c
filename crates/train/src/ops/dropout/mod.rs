//! Inverted dropout. A mask is a place in a counter-based random sequence, not stored bytes: the backward pass draws it again,
//! and every device draws the same.

pub(crate) mod philox;

use super::storage::{for_rows, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use philox::draws;
use rand::RngCore;
use rand_chacha::ChaCha8Rng;

/// Source of dropout masks for one forward pass.
#[derive(Debug)]
pub struct Dropout {
    key: Option<[u32; 2]>,
    /// Counters used up.
    offset: u64,
}

/// Which elements are kept, as a function of their place; kept ones are multiplied by `scale`.
///
/// Element `i` takes 16-bit part `i % 8` of Philox counter `offset + i / 8` and is dropped when it is below `threshold`.
/// Attention probabilities have counters of their own: `Mask::key_factors`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mask {
    /// Key of the generator.
    pub(crate) key: [u32; 2],
    /// First counter.
    pub(crate) offset: u64,
    /// Probability to be dropped, in 1/65536.
    pub(crate) threshold: u32,
    /// 1 / (probability to be kept).
    pub(crate) scale: f32,
}

impl Dropout {
    /// No dropout: evaluation mode.
    pub fn off() -> Self {
        Self { key: None, offset: 0 }
    }

    /// Training mode; the key of all masks is drawn from `rng`.
    pub fn on(mut rng: ChaCha8Rng) -> Self {
        Self { key: Some([rng.next_u32(), rng.next_u32()]), offset: 0 }
    }

    /// A mask for `len` elements, dropped with probability `p` (rounded to 1/65536); `None` when nothing is dropped.
    pub fn mask(&mut self, p: f64, len: usize) -> Option<Mask> {
        let key = self.key?;
        let threshold = (p * 65536.0).round() as u32;
        if threshold == 0 {
            return None;
        }
        let mask = Mask { key, offset: self.offset, threshold, scale: (65536.0 / f64::from(65536 - threshold)) as f32 };
        // Attention takes four counters for each 32 keys begun, which the extra ones cover.
        self.offset += len.div_ceil(8) as u64 + 4;
        Some(mask)
    }
}

impl Mask {
    #[inline(always)]
    fn factor(&self, word: u32, part: usize) -> f32 {
        let bits = (word >> (16 * part)) & 0xffff;
        if bits >= self.threshold { self.scale } else { 0.0 }
    }

    /// Factors (0 or `scale`) of the elements from number `first`, a multiple of 8.
    #[inline(always)]
    fn fill(&self, first: usize, factors: &mut [f32]) {
        const N: usize = 16;
        for (i, block) in factors.chunks_mut(8 * N).enumerate() {
            let words = draws::<N>(self.key, self.offset + (first / 8 + i * N) as u64, 0, 0);
            let mut all = [0.0; 8 * N];
            for (lane, eight) in all.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                for (e, f) in eight.iter_mut().enumerate() {
                    *f = self.factor(words[e / 2][lane], e % 2);
                }
            }
            block.copy_from_slice(&all[..block.len()]);
        }
    }

    /// Factors of the attention probabilities of one query, number `row` of the batch, for the keys of its sequence in order.
    ///
    /// Key `k` takes 16-bit part `k % 2` of word `k % 32 / 8` of the counter `(offset + k / 32 * 4 + k % 8 / 2, row, head)`.
    #[inline(always)]
    pub(super) fn key_factors(&self, row: usize, head: usize, factors: &mut [f32]) {
        for (i, block) in factors.chunks_mut(32).enumerate() {
            block.copy_from_slice(&self.key_factors_of(i, row, head)[..block.len()]);
        }
    }

    /// The factors of 32 keys.
    #[inline(always)]
    fn key_factors_of(&self, block: usize, row: usize, head: usize) -> [f32; 32] {
        let words = draws::<4>(self.key, self.offset + 4 * block as u64, row as u32, head as u32);
        let mut all = [0.0; 32];
        for (k, f) in all.iter_mut().enumerate() {
            *f = self.factor(words[k / 8][k % 8 / 2], k % 2);
        }
        all
    }

    /// Multiplies the probabilities of one query by their factors: see [`Mask::key_factors`].
    #[inline(always)]
    pub(crate) fn apply_to_keys(&self, row: usize, head: usize, probabilities: &mut [f32]) {
        for (i, block) in probabilities.chunks_mut(32).enumerate() {
            self.key_factors_of(i, row, head).iter().zip(block).for_each(|(f, p)| *p *= f);
        }
    }

    /// The factors as a tensor shaped and typed like `x`.
    fn factors(&self, x: &Tensor) -> Result<Tensor> {
        let mut values = vec![0.0; x.elem_count()];
        self.fill(0, &mut values);
        Tensor::from_vec(values, x.shape(), x.device())?.to_dtype(x.dtype())
    }

    /// Multiplies `values` by the factors in place.
    fn apply(&self, values: &mut [f32]) {
        for_rows(
            values,
            WIDTH,
            #[inline(always)]
            |first, block| {
                let mut factors = [0.0; WIDTH];
                for (i, row) in block.chunks_mut(WIDTH).enumerate() {
                    self.fill((first + i) * WIDTH, &mut factors[..row.len()]);
                    for (v, f) in row.iter_mut().zip(&factors) {
                        *v *= f;
                    }
                }
            },
        );
    }
}

/// Elements to a row of the parallel loop.
const WIDTH: usize = 256;

/// `x` with dropout.
pub fn dropout_rows(x: &Tensor, mask: Option<Mask>) -> Result<Tensor> {
    if let Some(mask) = &mask {
        super::trace::dropout(x, None, mask)?;
        #[cfg(feature = "cuda")]
        if x.device().is_cuda() {
            return super::gpu::dropout(x, None, *mask);
        }
    }
    match mask {
        None => Ok(x.clone()),
        Some(mask) if super::fused(x) => x.contiguous()?.apply_op1(Rows(mask)),
        Some(mask) => x * mask.factors(x)?,
    }
}

/// `residual + dropout(x)`.
pub fn dropout_add(x: &Tensor, residual: &Tensor, mask: Option<Mask>) -> Result<Tensor> {
    if let Some(mask) = &mask {
        super::trace::dropout(x, Some(residual), mask)?;
        #[cfg(feature = "cuda")]
        if x.device().is_cuda() {
            return super::gpu::dropout(x, Some(residual), *mask);
        }
    }
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
                let mut factors = [0.0; WIDTH];
                for (i, row) in block.chunks_mut(WIDTH).enumerate() {
                    let start = (first + i) * WIDTH;
                    self.0.fill(start, &mut factors[..row.len()]);
                    for ((v, x), f) in row.iter_mut().zip(&x[start..]).zip(&factors) {
                        *v += x * f;
                    }
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
        let mut factors = vec![0.0; 100_000];
        mask.fill(0, &mut factors);
        let kept = factors.iter().filter(|&&f| f > 0.0).count();
        assert!((kept as f64 / 100_000.0 - 0.9).abs() < 0.004, "{kept}");
        assert!((mask.scale - 1.0 / 0.9).abs() < 1e-4);
        // Of any two rows of attention, about 82% agree; shifted copies of one another would show.
        let mut rows = [[0.0f32; 4096]; 2];
        for (i, row) in rows.iter_mut().enumerate() {
            mask.key_factors(7 + i, 3, row);
            let kept = row.iter().filter(|&&f| f > 0.0).count();
            assert!((kept as f64 / 4096.0 - 0.9).abs() < 0.02, "{kept}");
        }
        assert_ne!(rows[0], rows[1]);
        assert!(Dropout::off().mask(0.1, 10).is_none());
    }

    #[test]
    fn a_part_of_a_mask_is_drawn_alone() {
        let mask = mask(1000);
        let (mut whole, mut part) = (vec![0.0; 1000], vec![0.0; 300]);
        mask.fill(0, &mut whole);
        mask.fill(200, &mut part);
        assert_eq!(whole[200..500], part);
    }

    #[test]
    fn masks_of_one_pass_do_not_overlap() {
        let mut dropout = Dropout::on(stream(3, Purpose::Dropout, 0));
        let (a, b) = (dropout.mask(0.1, 17).unwrap(), dropout.mask(0.1, 17).unwrap());
        assert!(b.offset >= a.offset + 17_u64.div_ceil(8));
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
            let y = dropout_add(&v[0], &v[1], Some(mask))?;
            (dropout_rows(&y, Some(mask))? * &weights)?.sum_all()
        });
    }
}

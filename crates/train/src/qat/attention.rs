//! Self-attention as the runtime computes it with integers, in float32 over rounded values.
//!
//! For each head, the query, key and value of every token are rounded like any other row. A row of probabilities takes on
//! the scales of the values it is multiplied with and is rounded then: `e_j = exp(score_j - largest)`, `w_j = e_j scale_j`,
//! `r_j = round(w_j 127 / max w)`; value j counts `r_j max w / (127 sum(e) scale_j)`.

use super::activations::{round_row, round_rows};
use super::int8::{ROUND, largest};
use crate::ops::math::exp;
use crate::ops::{Mask, Sequences, dot, fused, max, slice, sum_by, vectorized, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// As [`crate::ops::attention`], of rounded queries, keys and values. Probabilities are rounded on the CPU in float32 only;
/// elsewhere they stay as they are.
pub fn attention(qkv: &Tensor, sequences: &Arc<Sequences>, heads: usize, mask: Option<Mask>) -> Result<Tensor> {
    let h = qkv.dims2()?.1 / 3;
    if !fused(qkv) {
        return crate::ops::attention(&round_rows(qkv, h / heads)?, sequences, heads, mask);
    }
    let op = Attention { sequences: sequences.clone(), heads, h, mask };
    qkv.contiguous()?.apply_op1(op)
}

struct Attention {
    sequences: Arc<Sequences>,
    heads: usize,
    h: usize,
    mask: Option<Mask>,
}

/// One head of one sequence of `n` tokens; `d` numbers a token in each of query, key and value.
struct Head<'a> {
    n: usize,
    d: usize,
    /// `[3][n][d]`, rounded.
    rounded: Vec<f32>,
    /// `[n]`: the scales of the values.
    scales: Vec<f32>,
    /// The dropout mask.
    mask: Option<&'a Mask>,
    /// First row of the sequence in the batch, and the head's number: where dropout is drawn.
    row: usize,
    number: usize,
}

const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;

/// Scratch memory for a row of probabilities: before rounding, rounded, and gradients.
struct Rows {
    exact: Vec<f32>,
    rounded: Vec<f32>,
    gradient: Vec<f32>,
}

impl Rows {
    fn new(n: usize) -> Self {
        Self { exact: vec![0.0; n], rounded: vec![0.0; n], gradient: vec![0.0; n] }
    }
}

impl Head<'_> {
    #[inline(always)]
    fn at(&self, part: usize, token: usize) -> &[f32] {
        &self.rounded[(part * self.n + token) * self.d..][..self.d]
    }

    /// Probabilities of query `i`: before dropout and rounding to `exact`, with which share each value counts to `rounded`.
    #[inline(always)]
    fn probabilities(&self, i: usize, rows: &mut Rows) {
        let Rows { exact, rounded, .. } = rows;
        let scale = 1.0 / (self.d as f32).sqrt();
        for (j, score) in exact.iter_mut().enumerate() {
            *score = dot(self.at(QUERY, i), self.at(KEY, j)) * scale;
        }
        let most = max(exact);
        for score in exact.iter_mut() {
            *score = exp(*score - most);
        }
        let sum = sum_by(exact, |e| e);
        rounded.copy_from_slice(exact);
        self.drop(i, rounded);
        for (w, scale) in rounded.iter_mut().zip(&self.scales) {
            *w *= scale;
        }
        let most = largest(rounded);
        let (inverse, step) = if most > 0.0 { (127.0 / most, most / (127.0 * sum)) } else { (0.0, 0.0) };
        for (w, &scale) in rounded.iter_mut().zip(&self.scales) {
            // A value of zeros has the scale 0 and adds nothing whatever its share.
            let scale = if scale > 0.0 { scale } else { 1.0 };
            *w = ((*w * inverse + ROUND) - ROUND) * step / scale;
        }
        let inverse = 1.0 / sum;
        for e in exact.iter_mut() {
            *e *= inverse;
        }
    }

    /// Multiplies row `i` by its dropout factors.
    #[inline(always)]
    fn drop(&self, i: usize, row: &mut [f32]) {
        if let Some(mask) = self.mask {
            mask.apply_to_keys(self.row + i, self.number, row);
        }
    }

    /// Adds the weighted values into columns `column..` of `out [n, h]`.
    #[inline(always)]
    fn forward(&self, out: &mut [f32], h: usize, column: usize, rows: &mut Rows) {
        for i in 0..self.n {
            self.probabilities(i, rows);
            let out = &mut out[i * h + column..][..self.d];
            for (j, &share) in rows.rounded.iter().enumerate() {
                axpy(share, self.at(VALUE, j), out);
            }
        }
    }

    /// The gradient `[3][n][d]` of queries, keys and values, given that of the result `grad [n, h]`. Straight through every
    /// rounding: the gradient of float attention at the rounded values.
    #[inline(always)]
    fn backward(&self, grad: &[f32], h: usize, column: usize, rows: &mut Rows, out: &mut [f32]) {
        let scale = 1.0 / (self.d as f32).sqrt();
        let (n, d) = (self.n, self.d);
        for i in 0..n {
            let grad = &grad[i * h + column..][..d];
            self.probabilities(i, rows);
            for (j, &share) in rows.rounded.iter().enumerate() {
                axpy(share, grad, &mut out[(VALUE * n + j) * d..][..d]);
                rows.gradient[j] = dot(grad, self.at(VALUE, j));
            }
            self.drop(i, &mut rows.gradient);
            let mean = dot(&rows.exact, &rows.gradient);
            for (j, (p, dp)) in rows.exact.iter().zip(&rows.gradient).enumerate() {
                let ds = p * (dp - mean) * scale;
                axpy(ds, self.at(KEY, j), &mut out[(QUERY * n + i) * d..][..d]);
                axpy(ds, self.at(QUERY, i), &mut out[(KEY * n + j) * d..][..d]);
            }
        }
    }
}

#[inline(always)]
fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

impl Attention {
    /// The rounded form of one head of the sequence `qkv [n, 3 h]`.
    #[inline(always)]
    fn head<'a>(&'a self, qkv: &[f32], number: usize, row: usize) -> Head<'a> {
        let (h, d) = (self.h, self.h / self.heads);
        let n = qkv.len() / (3 * h);
        let (mut rounded, mut scales) = (vec![0.0; 3 * n * d], vec![0.0; n]);
        for part in [QUERY, KEY, VALUE] {
            for token in 0..n {
                let numbers = &mut rounded[(part * n + token) * d..][..d];
                numbers.copy_from_slice(&qkv[token * 3 * h + part * h + number * d..][..d]);
                // The values' scales are the ones that stay.
                scales[token] = round_row(numbers);
            }
        }
        Head { n, d, rounded, scales, mask: self.mask.as_ref(), row, number }
    }

    /// Calls `f(qkv, first row, rows of out)` for each sequence, in parallel.
    fn each(&self, qkv: &[f32], out: &mut [f32], width: usize, f: impl Fn(&[f32], usize, &mut [f32]) + Sync) {
        let mut tasks = Vec::with_capacity(self.sequences.count());
        let (mut rest, mut row) = (out, 0);
        for n in self.sequences.lengths() {
            let (mine, others) = rest.split_at_mut(n * width);
            tasks.push((&qkv[row * 3 * self.h..][..n * 3 * self.h], row, mine));
            (rest, row) = (others, row + n);
        }
        tasks.into_par_iter().for_each(|(qkv, row, out)| {
            vectorized(
                #[inline(always)]
                || f(qkv, row, out),
            )
        });
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "rounded-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows = self.sequences.rows();
        let (h, d) = (self.h, self.h / self.heads);
        let mut out = vec![0.0; rows * h];
        self.each(
            slice(qkv, layout)?,
            &mut out,
            h,
            #[inline(always)]
            |qkv, row, out| {
                let mut rows = Rows::new(qkv.len() / (3 * h));
                for head in 0..self.heads {
                    self.head(qkv, head, row).forward(out, h, head * d, &mut rows);
                }
            },
        );
        Ok((CpuStorage::F32(out), (rows, h).into()))
    }

    fn bwd(&self, qkv: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (h, d) = (self.h, self.h / self.heads);
        let out = with_slice(qkv, |qkv| {
            with_slice(grad, |grad| {
                let mut out = vec![0.0; qkv.len()];
                self.each(
                    qkv,
                    &mut out,
                    3 * h,
                    #[inline(always)]
                    |qkv, row, out| {
                        let n = qkv.len() / (3 * h);
                        let (mut rows, grad) = (Rows::new(n), &grad[row * h..][..n * h]);
                        for head in 0..self.heads {
                            let mut mine = vec![0.0; 3 * n * d];
                            self.head(qkv, head, row).backward(grad, h, head * d, &mut rows, &mut mine);
                            for (at, mine) in mine.chunks_exact(d).enumerate() {
                                let (part, token) = (at / n, at % n);
                                out[token * 3 * h + part * h + head * d..][..d].copy_from_slice(mine);
                            }
                        }
                    },
                );
                Ok(out)
            })
        })?;
        Ok(Some(Tensor::from_vec(out, qkv.shape(), qkv.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{distance, random};
    use crate::ops::{self, Dropout};
    use crate::rng::{Purpose, stream};
    use candle_core::{DType, Var};

    fn case() -> (Arc<Sequences>, Mask) {
        let sequences = Arc::new(Sequences::new([3, 7, 1, 20]));
        let mut dropout = Dropout::on(stream(3, Purpose::Dropout, 0));
        let mask = dropout.mask(0.3, 2 * sequences.pairs()).unwrap();
        (sequences, mask)
    }

    /// Without the rounding of probabilities it is attention over rounded rows, gradients included; that rounding moves a
    /// result by less than a step for each of up to 20 keys.
    #[test]
    fn it_is_attention_over_rounded_rows_but_for_the_rounded_probabilities() {
        let (sequences, mask) = case();
        let weights = random(&[31, 16], 2);
        for mask in [None, Some(mask)] {
            let run = |attention: &dyn Fn(&Tensor) -> Result<Tensor>| {
                let qkv = Var::from_tensor(&random(&[31, 48], 1)).unwrap();
                let y = attention(&qkv).unwrap();
                let grads = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
                (y.detach(), grads.get(&qkv).unwrap().clone())
            };
            let (y, gradient) = run(&|qkv| attention(qkv, &sequences, 2, mask));
            let float = run(&|qkv| ops::attention(&round_rows(qkv, 8)?, &sequences, 2, mask));
            let (moved, turned) = (distance(&y, &float.0), distance(&gradient, &float.1));
            assert!(moved > 1e-5 && moved < 0.04, "{moved}");
            assert!(turned > 1e-5 && turned < 0.04, "{turned}");
        }
    }

    /// Against the formula, written out with candle's operations for one head of one sequence.
    #[test]
    fn probabilities_take_on_the_scales_of_the_values() {
        let (n, d) = (9, 8);
        let sequences = Arc::new(Sequences::new([n]));
        let qkv = random(&[n, 3 * d], 7);
        let y = attention(&qkv, &sequences, 1, None).unwrap();
        let part = |i| round_rows(&qkv.narrow(1, i * d, d).unwrap().contiguous().unwrap(), d).unwrap();
        let (q, k, v) = (part(0), part(1), part(2));
        let scores = (q.matmul(&k.t().unwrap()).unwrap() / (d as f64).sqrt()).unwrap();
        let e = scores.broadcast_sub(&scores.max_keepdim(1).unwrap()).unwrap().exp().unwrap();
        let raw = qkv.narrow(1, 2 * d, d).unwrap();
        let scales = (raw.abs().unwrap().max_keepdim(1).unwrap() / 127.0).unwrap().t().unwrap();
        let w = e.broadcast_mul(&scales).unwrap();
        let shares = round_rows(&w.contiguous().unwrap(), n).unwrap().broadcast_div(&scales).unwrap();
        let shares = shares.broadcast_div(&e.sum_keepdim(1).unwrap()).unwrap();
        assert!(distance(&y, &shares.matmul(&v).unwrap()) < 2e-6);
    }

    #[test]
    fn other_types_and_values_of_zeros() {
        let (sequences, _) = case();
        let qkv = random(&[31, 48], 1);
        let fused = attention(&qkv, &sequences, 2, None).unwrap();
        let double = attention(&qkv.to_dtype(DType::F64).unwrap(), &sequences, 2, None).unwrap();
        assert!(distance(&fused, &double.to_dtype(DType::F32).unwrap()) < 0.04);
        let nothing = Tensor::zeros((31, 48), DType::F32, qkv.device()).unwrap();
        assert_eq!(
            distance(&attention(&nothing, &sequences, 2, None).unwrap(), &nothing.narrow(1, 0, 16).unwrap()),
            0.0
        );
    }
}

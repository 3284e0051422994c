//! Self-attention over packed sequences: rows of all sequences stand one after another and no row is padding.

use super::Mask;
use super::math::exp;
use super::storage::{dot, max, slice, sum_by, vectorized, with_slice};
use candle_core::{CpuStorage, CustomOp1, D, DType, Device, IndexOp, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::Arc;

/// Where each sequence of a packed batch starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequences {
    /// First row of each sequence, then the total number of rows.
    starts: Vec<usize>,
}

impl Sequences {
    /// Sequences of the given lengths, in order.
    pub fn new(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut starts = vec![0];
        for length in lengths {
            starts.push(starts[starts.len() - 1] + length);
        }
        Self { starts }
    }

    /// First row of each sequence, then the total number of rows.
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Number of sequences.
    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of rows (tokens) of all sequences.
    pub fn rows(&self) -> usize {
        self.starts[self.count()]
    }

    /// Lengths in order.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts.windows(2).map(|w| w[1] - w[0])
    }

    /// Number of (query, key) pairs: the sum of the squared lengths.
    pub fn pairs(&self) -> usize {
        self.lengths().map(|n| n * n).sum()
    }
}

/// `softmax(Q K^T / sqrt(d)) V` per sequence and head.
///
/// `qkv [rows, 3 h]` holds queries, keys and values side by side; the result is `[rows, h]`. `mask` drops attention
/// probabilities, drawn by (query, head, key).
pub fn attention(qkv: &Tensor, sequences: &Arc<Sequences>, heads: usize, mask: Option<Mask>) -> Result<Tensor> {
    let (rows, width) = qkv.dims2()?;
    if rows != sequences.rows() || width % (3 * heads) != 0 {
        bail!("attention over {rows} rows of {width} numbers, {} tokens, {heads} heads", sequences.rows())
    }
    super::trace::attention(qkv, sequences, heads, mask)?;
    #[cfg(feature = "cuda")]
    if qkv.device().is_cuda() {
        return super::gpu::attention(qkv, sequences, heads, mask);
    }
    if super::fused(qkv) {
        let op = Attention { sequences: sequences.clone(), heads, h: width / 3, mask };
        qkv.contiguous()?.apply_op1(op)
    } else {
        composed(qkv, sequences, heads, mask)
    }
}

struct Attention {
    sequences: Arc<Sequences>,
    heads: usize,
    h: usize,
    mask: Option<Mask>,
}

/// One head of one sequence.
struct Head<'a> {
    /// `[length, 3 h]`.
    qkv: &'a [f32],
    h: usize,
    /// First column of the head within queries, keys or values.
    column: usize,
    d: usize,
    mask: Option<Mask>,
    /// First row of the sequence in the batch, and the head's number: where its dropout is drawn.
    row: usize,
    number: usize,
}

const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;

impl Head<'_> {
    #[inline(always)]
    fn at(&self, row: usize, part: usize) -> std::ops::Range<usize> {
        let start = row * 3 * self.h + part * self.h + self.column;
        start..start + self.d
    }

    /// Tokens of the sequence.
    #[inline(always)]
    fn length(&self) -> usize {
        self.qkv.len() / (3 * self.h)
    }

    /// A row of probabilities, with room up to full vectors.
    fn buffer(&self) -> Vec<f32> {
        vec![0.0; self.length().next_multiple_of(16)]
    }

    /// Attention probabilities of query `i` (before dropout); those of padding vanish.
    #[inline(always)]
    fn probabilities(&self, i: usize, p: &mut [f32]) {
        let query = &self.qkv[self.at(i, QUERY)];
        let scale = 1.0 / (self.d as f32).sqrt();
        let (scores, padding) = p.split_at_mut(self.length());
        padding.fill(f32::NEG_INFINITY);
        for (j, p) in scores.iter_mut().enumerate() {
            *p = dot(query, &self.qkv[self.at(j, KEY)]) * scale;
        }
        let largest = max(p);
        for p in p.iter_mut() {
            *p = exp(*p - largest);
        }
        let inverse = 1.0 / sum_by(p, |v| v);
        for p in p {
            *p *= inverse;
        }
    }

    /// The dropout factors of row `i`.
    #[inline(always)]
    fn factors(&self, i: usize, factors: &mut [f32]) {
        match &self.mask {
            Some(mask) => mask.key_factors(self.row + i, self.number, &mut factors[..self.length()]),
            None => factors.fill(1.0),
        }
    }

    /// Adds the weighted values into `out [length, h]`.
    #[inline(always)]
    fn forward(&self, out: &mut [f32], p: &mut [f32], factors: &mut [f32]) {
        let length = self.length();
        for i in 0..length {
            self.probabilities(i, p);
            if self.mask.is_some() {
                self.factors(i, factors);
                multiply(p, factors);
            }
            let out = &mut out[i * self.h + self.column..][..self.d];
            for (j, &p) in p[..length].iter().enumerate() {
                axpy(p, &self.qkv[self.at(j, VALUE)], out);
            }
        }
    }

    /// Adds the gradient of `qkv` into `out [length, 3 h]`, given the gradient of the result.
    #[inline(always)]
    fn backward(&self, grad: &[f32], out: &mut [f32], [p, dp, factors]: [&mut [f32]; 3]) {
        let scale = 1.0 / (self.d as f32).sqrt();
        let length = self.length();
        for i in 0..length {
            let grad = &grad[i * self.h + self.column..][..self.d];
            self.probabilities(i, p);
            self.factors(i, factors);
            dp.copy_from_slice(p);
            multiply(dp, factors);
            for (j, &dropped) in dp[..length].iter().enumerate() {
                axpy(dropped, grad, &mut out[self.at(j, VALUE)]);
            }
            let (scores, padding) = dp.split_at_mut(length);
            padding.fill(0.0);
            for (j, dp) in scores.iter_mut().enumerate() {
                *dp = dot(grad, &self.qkv[self.at(j, VALUE)]);
            }
            multiply(dp, factors);
            let mean = dot(p, dp);
            for (j, (p, dp)) in p.iter().zip(dp.iter()).take(length).enumerate() {
                let ds = p * (dp - mean) * scale;
                axpy(ds, &self.qkv[self.at(j, KEY)], &mut out[self.at(i, QUERY)]);
                axpy(ds, &self.qkv[self.at(i, QUERY)], &mut out[self.at(j, KEY)]);
            }
        }
    }
}

#[inline(always)]
fn multiply(values: &mut [f32], factors: &[f32]) {
    for (v, f) in values.iter_mut().zip(factors) {
        *v *= f;
    }
}

#[inline(always)]
fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
    let (y16, y_rest) = y.as_chunks_mut::<16>();
    let (x16, x_rest) = x.as_chunks::<16>();
    for (y, x) in y16.iter_mut().zip(x16) {
        // By value: the compiler need not prove that the slices are apart.
        let mut sum = *y;
        for (sum, x) in sum.iter_mut().zip(x) {
            *sum += a * x;
        }
        *y = sum;
    }
    for (y, x) in y_rest.iter_mut().zip(x_rest) {
        *y += a * x;
    }
}

impl Attention {
    /// Calls `f(head, first row, rows of out)` for every sequence and head, sequences in parallel.
    fn each(&self, qkv: &[f32], out: &mut [f32], width: usize, f: impl Fn(&Head, usize, &mut [f32]) + Sync) {
        let (d, h) = (self.h / self.heads, self.h);
        let mut tasks = Vec::with_capacity(self.sequences.count());
        let (mut rest, mut row) = (out, 0);
        for length in self.sequences.lengths() {
            let (mine, others) = rest.split_at_mut(length * width);
            tasks.push((row, length, mine));
            (rest, row) = (others, row + length);
        }
        tasks.into_par_iter().for_each(|(row, length, out)| {
            vectorized(
                #[inline(always)]
                || {
                    for head in 0..self.heads {
                        let qkv = &qkv[row * 3 * h..][..length * 3 * h];
                        f(&Head { qkv, h, column: head * d, d, mask: self.mask, row, number: head }, row, out);
                    }
                },
            );
        });
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows = self.sequences.rows();
        let mut out = vec![0.0; rows * self.h];
        self.each(
            slice(qkv, layout)?,
            &mut out,
            self.h,
            #[inline(always)]
            |head, _, out| {
                let (mut p, mut factors) = (head.buffer(), head.buffer());
                head.forward(out, &mut p, &mut factors);
            },
        );
        Ok((CpuStorage::F32(out), (rows, self.h).into()))
    }

    fn bwd(&self, qkv: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let h = self.h;
        let out = with_slice(qkv, |qkv| {
            with_slice(grad, |grad| {
                let mut out = vec![0.0; qkv.len()];
                self.each(
                    qkv,
                    &mut out,
                    3 * h,
                    #[inline(always)]
                    |head, row, out| {
                        let length = head.length();
                        let [mut p, mut dp, mut factors] = [(); 3].map(|()| head.buffer());
                        head.backward(&grad[row * h..][..length * h], out, [&mut p, &mut dp, &mut factors]);
                    },
                );
                Ok(out)
            })
        })?;
        Ok(Some(Tensor::from_vec(out, qkv.shape(), qkv.device())?))
    }
}

/// The same with candle's operations: sequences are padded to the longest one for the batched products.
fn composed(qkv: &Tensor, sequences: &Sequences, heads: usize, mask: Option<Mask>) -> Result<Tensor> {
    let (rows, width) = qkv.dims2()?;
    let (h, d) = (width / 3, width / 3 / heads);
    let (count, longest) = (sequences.count(), sequences.lengths().max().unwrap_or(0));
    let device = qkv.device();
    // Row `rows` of the extended matrix is zero and stands for padding.
    let mut gather = vec![rows as u32; count * longest];
    let mut back = Vec::with_capacity(rows);
    let mut bias = vec![f32::MIN / 2.0; count * longest];
    let mut row = 0;
    for (i, length) in sequences.lengths().enumerate() {
        for j in 0..length {
            gather[i * longest + j] = row;
            bias[i * longest + j] = 0.0;
            back.push((i * longest + j) as u32);
            row += 1;
        }
    }
    let gather = Tensor::from_vec(gather, count * longest, device)?;
    let bias = Tensor::from_vec(bias, (count, 1, 1, longest), device)?;
    let padded = Tensor::cat(&[qkv, &Tensor::zeros((1, width), qkv.dtype(), device)?], 0)?
        .index_select(&gather, 0)?
        .reshape((count, longest, 3, heads, d))?
        .permute((2, 0, 3, 1, 4))?;
    let part = |i: usize| padded.i(i)?.contiguous();
    let scores = part(QUERY)?.matmul(&part(KEY)?.transpose(D::Minus1, D::Minus2)?.contiguous()?)?;
    let scores = (scores.to_dtype(DType::F32)? / (d as f64).sqrt())?.broadcast_add(&bias)?;
    let mut p = candle_nn::ops::softmax(&scores, D::Minus1)?;
    if let Some(mask) = mask {
        p = (p * padded_mask(&mask, sequences, heads, longest, device)?)?;
    }
    p.to_dtype(qkv.dtype())?
        .matmul(&part(VALUE)?)?
        .transpose(1, 2)?
        .reshape((count * longest, h))?
        .index_select(&Tensor::from_vec(back, rows, device)?, 0)
}

/// Dropout factors as `[sequences, heads, longest, longest]`.
fn padded_mask(mask: &Mask, sequences: &Sequences, heads: usize, longest: usize, device: &Device) -> Result<Tensor> {
    let mut factors = vec![0.0f32; sequences.count() * heads * longest * longest];
    let mut row = 0;
    for (i, length) in sequences.lengths().enumerate() {
        for head in 0..heads {
            for query in 0..length {
                let start = ((i * heads + head) * longest + query) * longest;
                mask.key_factors(row + query, head, &mut factors[start..start + length]);
            }
        }
        row += length;
    }
    Tensor::from_vec(factors, (sequences.count(), heads, longest, longest), device)
}

#[cfg(test)]
mod tests;

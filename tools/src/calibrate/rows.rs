//! The runtime's arithmetic on rows of activations, as calibration needs it: float sums in any order, but everything
//! rounded where the runtime rounds it.

use distil_kernels::Kernels;
use distil_kernels::host_gemm::Product;
use rayon::prelude::*;

use super::algebra::times_transposed;
use crate::hf::Tensor;
use crate::sequence::Sequence;

/// Texts as the model reads them; all rows of activations one after the other.
pub(super) struct Texts<'a> {
    /// Token ids and segments of each text.
    pub(super) sequences: &'a [Sequence],
}

/// Shape of attention.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Width of the rows.
    pub(super) width: usize,
    /// Width of a head.
    pub(super) head: usize,
}

/// Whether activations are rounded to int8, as with integer weights.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Activations {
    Float,
    Int8,
}

/// `x W^T + b` for every row.
pub(super) fn linear(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut out = times_transposed(x, weight, weight.len() / bias.len());
    out.par_chunks_exact_mut(bias.len()).for_each(|row| add(row, bias));
    out
}

pub(super) fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// `a + b`, of any shape.
pub(super) fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Rounds each row of `width` values to int8 and back.
pub(super) fn rounded(x: &[f32], width: usize) -> Vec<f32> {
    let mut out = x.to_vec();
    out.par_chunks_exact_mut(width).for_each(|row| {
        let scale = integers(row);
        row.iter_mut().for_each(|x| *x *= scale);
    });
    out
}

/// Turns a row into integers of -127 to 127; returns their scale.
fn integers(row: &mut [f32]) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds what is small against it.
    const ROUND: f32 = 12_582_912.0;
    let most = row.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    if most < 1e-30 {
        row.fill(0.0);
        return 0.0;
    }
    let inverse = 127.0 / most;
    row.iter_mut().for_each(|x| *x = (*x * inverse + ROUND) - ROUND);
    most / 127.0
}

/// Each row less its mean, over its standard deviation: normalization before weight and bias.
pub(super) fn standardized(kernels: Kernels, mut x: Vec<f32>, width: usize, eps: f32) -> Vec<f32> {
    let (ones, zeros) = (vec![1.0; width], vec![0.0; width]);
    x.par_chunks_exact_mut(width).for_each(|row| kernels.layer_norm(row, &ones, &zeros, eps));
    x
}

/// `x * weight + bias` by column.
pub(super) fn scaled(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut out = x.to_vec();
    out.par_chunks_exact_mut(weight.len()).for_each(|row| {
        row.iter_mut().zip(weight.iter().zip(bias)).for_each(|(x, (weight, bias))| *x = *x * weight + bias);
    });
    out
}

pub(super) fn gelu(kernels: Kernels, mut x: Vec<f32>) -> Vec<f32> {
    x.par_chunks_mut(4096).for_each(|part| kernels.gelu(part));
    x
}

impl Texts<'_> {
    /// Tokens of all texts.
    pub(super) fn tokens(&self) -> usize {
        self.sequences.iter().map(Sequence::len).sum()
    }

    /// Rows of three tables, `[entries][width]`, summed up for every token.
    pub(super) fn embedded(&self, word: &[f32], position: &[f32], kinds: Option<&Tensor>, width: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.tokens() * width);
        for Sequence { ids, types, .. } in self.sequences {
            for (place, (&id, &kind)) in ids.iter().zip(types).enumerate() {
                let start = out.len();
                out.extend_from_slice(&word[id as usize * width..][..width]);
                add(&mut out[start..], &position[place * width..][..width]);
                if let Some(kinds) = kinds {
                    add(&mut out[start..], &kinds.data[usize::from(kind) * width..][..width]);
                }
            }
        }
        out
    }

    /// `softmax(Q K^T / sqrt(d)) V` of each text and head; rows of all texts one after the other.
    pub(super) fn attention(
        &self,
        kernels: Kernels,
        shape: Shape,
        activations: Activations,
        [q, k, v]: [&[f32]; 3],
    ) -> Vec<f32> {
        let mut first = 0;
        let starts = self.sequences.iter().map(|sequence| {
            let range = first * shape.width..(first + sequence.len()) * shape.width;
            first += sequence.len();
            range
        });
        let ranges: Vec<_> = starts.collect();
        let texts = ranges.into_par_iter().map(|range| {
            let [q, k, v] = [q, k, v].map(|x| &x[range.clone()]);
            answers(kernels, shape, activations, [q, k, v])
        });
        texts.collect::<Vec<_>>().concat()
    }
}

/// Attention of one text.
fn answers(kernels: Kernels, shape: Shape, activations: Activations, inputs: [&[f32]; 3]) -> Vec<f32> {
    let Shape { width, head } = shape;
    let n = inputs[0].len() / width;
    let int8 = activations == Activations::Int8;
    let mut out = vec![0.0; n * width];
    let mut scores = vec![0.0; n * n];
    for offset in (0..width).step_by(head) {
        let mut scales = [const { Vec::new() }; 3];
        let mut parts = inputs.map(|x| x.chunks_exact(width).flat_map(|row| &row[offset..][..head]).copied().collect());
        for (part, scales) in parts.iter_mut().zip(&mut scales) {
            let part: &mut Vec<f32> = part;
            *scales = part.chunks_exact_mut(head).map(|row| if int8 { integers(row) } else { 1.0 }).collect();
        }
        let ([q, k, v], [q_scales, k_scales, v_scales]) = (&parts, &scales);
        let keys = Product { a: q, a_stride: head, b: k, b_row: 1, b_col: head, rows: n, inner: head, cols: n };
        keys.write(&mut scores, n);
        let mut factors = Vec::with_capacity(n);
        for (row, q_scale) in scores.chunks_exact_mut(n).zip(q_scales) {
            let scale = q_scale / (head as f32).sqrt();
            row.iter_mut().zip(k_scales).for_each(|(x, k_scale)| *x *= scale * k_scale);
            kernels.softmax(row);
            row.iter_mut().zip(v_scales).for_each(|(x, v_scale)| *x *= v_scale);
            factors.push(if int8 { integers(row) } else { 1.0 });
        }
        let product = Product { a: &scores, a_stride: n, b: v, b_row: head, b_col: 1, rows: n, inner: n, cols: head };
        product.write(&mut out[offset..], width);
        for (row, factor) in out.chunks_exact_mut(width).zip(factors) {
            row[offset..][..head].iter_mut().for_each(|x| *x *= factor);
        }
    }
    out
}

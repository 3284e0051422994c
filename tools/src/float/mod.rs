//! The model in floating point, written from the formulas and sharing nothing with the packed path: the yardstick
//! of `verify` and `eval`. Products in float32 (the `gemm` crate); normalization, softmax, GELU and tanh in float64.

mod answers;
mod heads;
mod points;

pub use points::Point;

use crate::hf::{Layer, Linear, Model, Norm};
use distil_kernels::host_gemm::Product;

pub use answers::{Bounds, Found, Piece};

/// A float model ready to compute.
#[derive(Clone, Copy)]
pub struct Encoder<'a> {
    model: &'a Model,
}

impl<'a> Encoder<'a> {
    /// Wraps a model that was read and checked.
    pub fn new(model: &'a Model) -> Self {
        Self { model }
    }

    /// The hidden states after the last layer, `[ids.len()][hidden]`. `types` has one token type per id (DistilBERT
    /// ignores them).
    ///
    /// # Panics
    ///
    /// If an id, a type or the length is outside the model's tables.
    pub fn hidden(&self, ids: &[u32], types: &[u32]) -> Vec<f32> {
        self.observe(ids, types, |_, _| {})
    }

    /// [`Encoder::hidden`], showing `observe` the hidden states on their way: with 0 those of the embeddings, with `i`
    /// those after `i` layers.
    ///
    /// # Panics
    ///
    /// As [`Encoder::hidden`].
    pub fn observe(&self, ids: &[u32], types: &[u32], mut observe: impl FnMut(usize, &[f32])) -> Vec<f32> {
        let config = &self.model.config;
        assert!(ids.len() == types.len() && ids.len() <= config.positions, "too many tokens");
        let mut x = self.embed(ids, types);
        observe(0, &x);
        for (index, layer) in self.model.weights.layers.iter().enumerate() {
            self.layer(layer, &mut x);
            observe(index + 1, &x);
        }
        x
    }

    fn embed(&self, ids: &[u32], types: &[u32]) -> Vec<f32> {
        let weights = &self.model.weights;
        let width = self.model.config.hidden;
        let row = |table: &'a [f32], index: usize| &table[index * width..(index + 1) * width];
        let mut x = Vec::with_capacity(ids.len() * width);
        for (position, (&id, &kind)) in ids.iter().zip(types).enumerate() {
            x.extend_from_slice(row(&weights.word.data, id as usize));
            let sum = &mut x[position * width..];
            add(sum, row(&weights.position.data, position));
            if let Some(table) = &weights.token_type {
                add(sum, row(&table.data, kind as usize));
            }
        }
        self.normalize(&weights.norm, &mut x);
        x
    }

    fn layer(&self, layer: &Layer, x: &mut [f32]) {
        let context = self.attention(layer, x);
        add(x, &linear(&context, &layer.attention_output));
        self.normalize(&layer.attention_norm, x);
        let mut inner = linear(x, &layer.feed_forward_in);
        inner.iter_mut().for_each(|value| *value = gelu(*value));
        add(x, &linear(&inner, &layer.feed_forward_out));
        self.normalize(&layer.output_norm, x);
    }

    /// `softmax(Q K^T / sqrt(d)) V` for each head.
    fn attention(&self, layer: &Layer, x: &[f32]) -> Vec<f32> {
        let config = &self.model.config;
        let (width, head) = (config.hidden, config.hidden / config.heads);
        let n = x.len() / width;
        let [q, k, v] = [&layer.query, &layer.key, &layer.value].map(|projection| linear(x, projection));
        let mut context = vec![0.0; x.len()];
        let mut scores = vec![0.0; n * n];
        for offset in (0..width).step_by(head) {
            let keys = Product {
                a: &q[offset..],
                a_stride: width,
                b: &k[offset..],
                b_row: 1,
                b_col: width,
                rows: n,
                inner: head,
                cols: n,
            };
            keys.write(&mut scores, n);
            for row in scores.chunks_exact_mut(n) {
                softmax(row, 1.0 / (head as f64).sqrt());
            }
            let values = Product {
                a: &scores,
                a_stride: n,
                b: &v[offset..],
                b_row: width,
                b_col: 1,
                rows: n,
                inner: n,
                cols: head,
            };
            values.write(&mut context[offset..], width);
        }
        context
    }

    fn normalize(&self, norm: &Norm, x: &mut [f32]) {
        let eps = f64::from(self.model.config.layer_norm_eps);
        for row in x.chunks_exact_mut(self.model.config.hidden) {
            let count = row.len() as f64;
            let mean = row.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
            let variance = row.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
            let factor = 1.0 / (variance + eps).sqrt();
            for ((value, &weight), &bias) in row.iter_mut().zip(&norm.weight.data).zip(&norm.bias.data) {
                *value = ((f64::from(*value) - mean) * factor * f64::from(weight) + f64::from(bias)) as f32;
            }
        }
    }
}

/// `x W^T + b` for every row of `x`.
fn linear(x: &[f32], layer: &Linear) -> Vec<f32> {
    let (outputs, inputs) = (layer.weight.rows, layer.weight.cols);
    let rows = x.len() / inputs;
    let mut out = vec![0.0; rows * outputs];
    let product = Product {
        a: x,
        a_stride: inputs,
        b: &layer.weight.data,
        b_row: 1,
        b_col: inputs,
        rows,
        inner: inputs,
        cols: outputs,
    };
    product.write(&mut out, outputs);
    for row in out.chunks_exact_mut(outputs) {
        add(row, &layer.bias.data);
    }
    out
}

fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// `exp(scale x) / sum`, in float64.
fn softmax(row: &mut [f32], scale: f64) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = row.iter().map(|&value| (f64::from(value - most) * scale).exp()).collect();
    let sum: f64 = powers.iter().sum();
    for (value, power) in row.iter_mut().zip(powers) {
        *value = (power / sum) as f32;
    }
}

/// `x/2 (1 + erf(x / sqrt 2))`, in float64: the exact GELU of BERT.
fn gelu(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)) as f32
}

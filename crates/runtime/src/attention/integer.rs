//! Attention with int8 products: queries, keys and values are quantized for each token.
//!
//! The scale of a key and 1 / sqrt(d) go into the scores; the scale of a value goes into the
//! probability it is multiplied with, before the row of probabilities is quantized.

use distil_kernels::layout::{pack_keys, pack_values, packed_len_int8};
use distil_kernels::{Epilogue, Matrix, Scales, quantized_stride, rsqrt};

use super::Attention;
use crate::buffers::{Quantized, piece, shared_piece};
use crate::linear::{Linear, Rows};
use crate::plan::{KEY_ROWS, SCORE_ROWS};

impl Attention<'_> {
    pub(super) fn integer_keys_and_values(&self, head: usize, rows: &Rows, memory: &mut [u8], scratch: &mut [u8]) {
        let (n, d) = (self.n, self.d);
        let (keys, memory) = piece(memory, self.keys_len());
        let (key_scales, memory) = piece(memory, n);
        let (values, memory) = piece(memory, self.values_len());
        let (value_scales, _) = piece(memory, n);
        let (layer, layout) = (self.layer, self.kernels.layout());
        self.project(&layer.key, head, rows, scratch, key_scales, rsqrt(d as f32), |first, rows| {
            pack_keys(rows, quantized_stride(d), first, n, d, layout, keys);
        });
        self.project(&layer.value, head, rows, scratch, value_scales, 1.0, |first, rows| {
            pack_values(rows, quantized_stride(d), first, n, d, layout, values);
        });
    }

    /// Projects all rows to a head and quantizes them, some at a time; `pack` takes the number of
    /// the first and the int8 rows.
    #[expect(clippy::too_many_arguments, reason = "one projection: what, of what, in which memory, and where to")]
    fn project(
        &self,
        linear: &Linear,
        head: usize,
        rows: &Rows,
        scratch: &mut [u8],
        scales: &mut [f32],
        factor: f32,
        mut pack: impl FnMut(usize, &[i8]),
    ) {
        let (kernels, n, d) = (self.kernels, self.n, self.d);
        let (float, scratch) = piece::<f32>(scratch, n.min(KEY_ROWS) * d);
        let (quantized, _) = Quantized::carve(scratch, n.min(KEY_ROWS), d);
        for first in (0..n).step_by(KEY_ROWS) {
            let count = KEY_ROWS.min(n - first);
            let float = &mut float[..count * d];
            let channels = head * d..(head + 1) * d;
            rows.part(first..first + count).apply(kernels, linear, channels, Epilogue::Store, float, d);
            let values = &mut quantized.values[..count * quantized_stride(d)];
            kernels.quantize_rows(float, d, values, &mut quantized.scales[..count]);
            pack(first, values);
            for (scale, row) in scales[first..].iter_mut().zip(&quantized.scales[..count]) {
                *scale = row.scale * factor;
            }
        }
    }

    pub(super) fn integer_answer(
        &self,
        head: usize,
        rows: &Rows,
        memory: &[u8],
        context: &mut [f32],
        stride: usize,
        scratch: &mut [u8],
    ) {
        let (kernels, n, d, layout) = (self.kernels, self.n, self.d, self.kernels.layout());
        let (keys, memory) = shared_piece::<i8>(memory, self.keys_len());
        let (key_scales, memory) = shared_piece::<f32>(memory, n);
        let (values, memory) = shared_piece::<i8>(memory, self.values_len());
        let (value_scales, _) = shared_piece::<f32>(memory, n);
        let shape = "the memory of a head has the shape of its keys and values";
        let keys = Matrix::int8(keys, Scales::F32(key_scales), n, d, layout).expect(shape);
        let values = Matrix::int8(values, Scales::One, d, n, layout).expect(shape);

        let (float, scratch) = piece::<f32>(scratch, rows.len() * d);
        let (mut queries, scratch) = Quantized::carve(scratch, rows.len(), d);
        let (scores, scratch) = piece::<f32>(scratch, rows.len().min(SCORE_ROWS) * n);
        let (weights, _) = Quantized::carve(scratch, rows.len().min(SCORE_ROWS), n);
        rows.apply(kernels, &self.layer.query, head * d..(head + 1) * d, Epilogue::Store, float, d);
        let queries = Rows::quantize(kernels, float, d, &mut queries, &[&self.layer.query]);
        for first in (0..rows.len()).step_by(SCORE_ROWS) {
            let count = SCORE_ROWS.min(rows.len() - first);
            let scores = &mut scores[..count * n];
            queries.part(first..first + count).multiply(kernels, &keys, scores, n);
            let weight_rows = weights.values.chunks_exact_mut(quantized_stride(n)).zip(&mut *weights.scales);
            for (scores, (values, scale)) in scores.chunks_exact_mut(n).zip(weight_rows) {
                *scale = kernels.attention_weights(scores, value_scales, values);
            }
            Rows::new(scores, n, &weights).multiply(kernels, &values, &mut context[first * stride..], stride);
        }
    }

    fn keys_len(&self) -> usize {
        packed_len_int8(self.n, self.d, self.kernels.layout()).expect("the plan has counted it")
    }

    fn values_len(&self) -> usize {
        packed_len_int8(self.d, self.n, self.kernels.layout()).expect("the plan has counted it")
    }
}

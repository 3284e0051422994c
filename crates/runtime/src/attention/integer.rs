//! Attention with int8 products: queries, keys and values are quantized for each token and head.
//!
//! The scale of a key and 1 / sqrt(d) go into the scores; the scale of a value goes into the
//! probability it is multiplied with, before the row of probabilities is quantized.

use core::ops::Range;

use distil_kernels::layout::{pack_keys, pack_values, packed_len_int8};
use distil_kernels::{Epilogue, Matrix, Scales, quantized_stride, rsqrt};

use super::Attention;
use crate::buffers::{Quantized, piece, shared_piece};
use crate::linear::{Linear, Rows};
use crate::operation::{Operation, Watch};
use crate::parts::Heads;
use crate::plan::SCORE_ROWS;

impl Attention<'_> {
    pub(super) fn integer_keys_and_values(&self, heads: Heads, rows: &Rows, watch: &impl Watch) {
        let (n, d, layer, layout) = (self.n, self.d, self.layer, self.kernels.layout());
        let stride = quantized_stride(d);
        let range = heads.range();
        let (memory, len, scratch) = heads.into_memory();
        let keys_made = || watch(Operation::Keys);
        self.project(&layer.key, range.clone(), rows, scratch, keys_made, |head, first, quantized| {
            let (keys, memory) = piece(&mut memory[head * len..][..len], self.keys_len());
            let (scales, _) = piece::<f32>(memory, n);
            pack_keys(quantized.values, stride, first, n, d, layout, keys);
            let scales = scales[first..].iter_mut().zip(&*quantized.scales);
            scales.for_each(|(scale, row)| *scale = row.scale * rsqrt(d as f32));
            watch(Operation::Pack);
        });
        let values_made = || watch(Operation::Values);
        self.project(&layer.value, range, rows, scratch, values_made, |head, first, quantized| {
            let (_, memory) = piece::<i8>(&mut memory[head * len..][..len], self.keys_len());
            let (_, memory) = piece::<f32>(memory, n);
            let (values, memory) = piece(memory, self.values_len());
            let (scales, _) = piece::<f32>(memory, n);
            pack_values(quantized.values, stride, first, n, d, layout, values);
            let scales = scales[first..].iter_mut().zip(&*quantized.scales);
            scales.for_each(|(scale, row)| *scale = row.scale);
            watch(Operation::Pack);
        });
    }

    /// Projects all rows to some heads, a few rows at a time, and says so with `made`; `pack` takes the number of a
    /// head among them, the number of the first row, and the quantized rows.
    fn project(
        &self,
        linear: &Linear,
        heads: Range<usize>,
        rows: &Rows,
        scratch: &mut [u8],
        made: impl Fn(),
        mut pack: impl FnMut(usize, usize, &Quantized),
    ) {
        let (n, d) = (self.n, self.d);
        let width = heads.len() * d;
        let (float, scratch) = piece::<f32>(scratch, n.min(self.key_rows) * width);
        for first in (0..n).step_by(self.key_rows) {
            let count = self.key_rows.min(n - first);
            let float = &mut float[..count * width];
            let channels = heads.start * d..heads.end * d;
            rows.part(first..first + count).apply(self.kernels, linear, channels, Epilogue::Store, float, width);
            made();
            for head in 0..heads.len() {
                let (mut quantized, _) = Quantized::carve(scratch, count, d);
                let Quantized { values, scales } = &mut quantized;
                self.kernels.quantize_columns(&float[head * d..], width, d, values, scales);
                pack(head, first, &quantized);
            }
        }
    }

    pub(super) fn integer_answer(
        &self,
        rows: &Rows,
        memory: &[u8],
        context: &mut [f32],
        scratch: &mut [u8],
        watch: &impl Watch,
    ) {
        let (kernels, n, d, width) = (self.kernels, self.n, self.d, context.len() / rows.len());
        let (float, scratch) = piece::<f32>(scratch, rows.len() * width);
        let (queries, scratch) = Quantized::carve(scratch, rows.len(), d);
        let (scores, scratch) = piece::<f32>(scratch, rows.len().min(SCORE_ROWS) * n);
        let (mut weights, _) = Quantized::carve(scratch, rows.len().min(SCORE_ROWS), n);
        rows.apply(kernels, &self.layer.query, 0..width, Epilogue::Store, float, width);
        watch(Operation::Queries);
        let heads = self.heads(width);
        for (head, memory) in memory.chunks_exact(memory.len() / heads).enumerate() {
            let (keys, values, value_scales) = self.matrices(memory);
            kernels.quantize_columns(&float[head * d..], width, d, queries.values, queries.scales);
            watch(Operation::Pack);
            for first in (0..rows.len()).step_by(SCORE_ROWS) {
                let count = SCORE_ROWS.min(rows.len() - first);
                let scores = &mut scores[..count * n];
                queries.part(first..first + count, d).multiply(kernels, &keys, scores, n);
                watch(Operation::Scores);
                for (scores, (values, scale)) in scores.chunks_exact_mut(n).zip(weights.rows(n)) {
                    *scale = kernels.attention_weights(scores, value_scales, values);
                }
                watch(Operation::Softmax);
                let context = &mut context[first * width + head * d..];
                weights.part(0..count, n).multiply(kernels, &values, context, width);
                watch(Operation::Context);
            }
        }
    }

    /// The keys and values in the memory of a head, and the scales of the values.
    fn matrices<'m>(&self, memory: &'m [u8]) -> (Matrix<'m>, Matrix<'m>, &'m [f32]) {
        let (n, d, layout) = (self.n, self.d, self.kernels.layout());
        let (keys, memory) = shared_piece::<i8>(memory, self.keys_len());
        let (key_scales, memory) = shared_piece::<f32>(memory, n);
        let (values, memory) = shared_piece::<i8>(memory, self.values_len());
        let (value_scales, _) = shared_piece::<f32>(memory, n);
        let shape = "the memory of a head has the shape of its keys and values";
        let keys = Matrix::int8(keys, Scales::F32(key_scales), n, d, layout).expect(shape);
        let values = Matrix::int8(values, Scales::One, d, n, layout).expect(shape);
        (keys, values, value_scales)
    }

    fn keys_len(&self) -> usize {
        packed_len_int8(self.n, self.d, self.kernels.layout()).expect("the plan has counted it")
    }

    fn values_len(&self) -> usize {
        packed_len_int8(self.d, self.n, self.kernels.layout()).expect("the plan has counted it")
    }
}

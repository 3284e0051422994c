//! Attention in float32, for files with float weights.

use distil_kernels::{Epilogue, rsqrt};

use super::Attention;
use crate::buffers::{piece, shared_piece};
use crate::linear::Rows;
use crate::plan::SCORE_ROWS;

impl Attention<'_> {
    /// Keys `[d][n]`, values `[n][d]`.
    pub(super) fn float_keys_and_values(&self, head: usize, rows: &Rows, memory: &mut [u8]) {
        let (kernels, n, d) = (self.kernels, self.n, self.d);
        let (keys, memory) = piece(memory, n * d);
        let (values, _) = piece(memory, n * d);
        let channels = head * d..(head + 1) * d;
        // The values' memory holds the keys until they are transposed.
        rows.apply(kernels, &self.layer.key, channels.clone(), Epilogue::Store, values, d);
        transpose(values, d, keys);
        rows.apply(kernels, &self.layer.value, channels, Epilogue::Store, values, d);
    }

    pub(super) fn float_answer(
        &self,
        head: usize,
        rows: &Rows,
        memory: &[u8],
        context: &mut [f32],
        stride: usize,
        scratch: &mut [u8],
    ) {
        let (kernels, n, d) = (self.kernels, self.n, self.d);
        let (keys, memory) = shared_piece::<f32>(memory, n * d);
        let (values, _) = shared_piece::<f32>(memory, n * d);
        let (queries, scratch) = piece::<f32>(scratch, rows.len() * d);
        let (scores, _) = piece::<f32>(scratch, rows.len().min(SCORE_ROWS) * n);
        rows.apply(kernels, &self.layer.query, head * d..(head + 1) * d, Epilogue::Store, queries, d);
        for first in (0..rows.len()).step_by(SCORE_ROWS) {
            let count = SCORE_ROWS.min(rows.len() - first);
            let scores = &mut scores[..count * n];
            kernels.gemm_f32(&queries[first * d..], d, count, keys, n, d, n, rsqrt(d as f32), scores, n);
            for row in scores.chunks_exact_mut(n) {
                kernels.softmax(row);
            }
            kernels.gemm_f32(scores, n, count, values, d, n, d, 1.0, &mut context[first * stride..], stride);
        }
    }
}

/// `rows` is `[n][d]`, `columns` becomes `[d][n]`.
fn transpose(rows: &[f32], d: usize, columns: &mut [f32]) {
    let n = rows.len() / d;
    for (i, row) in rows.chunks_exact(d).enumerate() {
        for (j, &value) in row.iter().enumerate() {
            columns[j * n + i] = value;
        }
    }
}

//! Attention in float32, for files with float weights.

use distil_kernels::{Epilogue, rsqrt};

use super::Attention;
use crate::buffers::{piece, shared_piece};
use crate::linear::Rows;
use crate::operation::{Operation, Watch};
use crate::parts::Heads;
use crate::plan::SCORE_ROWS;

impl Attention<'_> {
    /// Keys `[d][n]`, values `[n][d]`.
    pub(super) fn float_keys_and_values(&self, heads: Heads, rows: &Rows, watch: &impl Watch) {
        let (kernels, n, d) = (self.kernels, self.n, self.d);
        let range = heads.range();
        let (memory, len, _) = heads.into_memory();
        for (head, memory) in range.zip(memory.chunks_exact_mut(len)) {
            let (keys, memory) = piece(memory, n * d);
            let (values, _) = piece(memory, n * d);
            let channels = head * d..(head + 1) * d;
            // The values' memory holds the keys until they are transposed.
            rows.apply(kernels, &self.layer.key, channels.clone(), Epilogue::Store, values, d);
            watch(Operation::Keys);
            transpose(values, d, keys);
            watch(Operation::Pack);
            rows.apply(kernels, &self.layer.value, channels, Epilogue::Store, values, d);
            watch(Operation::Values);
        }
    }

    pub(super) fn float_answer(
        &self,
        rows: &Rows,
        memory: &[u8],
        context: &mut [f32],
        scratch: &mut [u8],
        watch: &impl Watch,
    ) {
        let (kernels, n, d, width) = (self.kernels, self.n, self.d, context.len() / rows.len());
        let (queries, scratch) = piece::<f32>(scratch, rows.len() * width);
        let (scores, _) = piece::<f32>(scratch, rows.len().min(SCORE_ROWS) * n);
        rows.apply(kernels, &self.layer.query, 0..width, Epilogue::Store, queries, width);
        watch(Operation::Queries);
        let heads = self.heads(width);
        for (head, memory) in memory.chunks_exact(memory.len() / heads).enumerate() {
            let (keys, memory) = shared_piece::<f32>(memory, n * d);
            let (values, _) = shared_piece::<f32>(memory, n * d);
            for first in (0..rows.len()).step_by(SCORE_ROWS) {
                let count = SCORE_ROWS.min(rows.len() - first);
                let (scores, start) = (&mut scores[..count * n], first * width + head * d);
                let (queries, scale) = (&queries[start..], rsqrt(d as f32));
                kernels.gemm_f32(queries, width, count, keys, n, d, n, scale, scores, n);
                watch(Operation::Scores);
                for row in scores.chunks_exact_mut(n) {
                    kernels.softmax(row);
                }
                watch(Operation::Softmax);
                kernels.gemm_f32(scores, n, count, values, d, n, d, 1.0, &mut context[start..], width);
                watch(Operation::Context);
            }
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

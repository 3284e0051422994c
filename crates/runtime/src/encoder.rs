//! The forward pass: embeddings, then for each layer self-attention and the feed-forward block,
//! each followed by a residual sum and a layer normalization (Devlin et al. 2019; Vaswani et al. 2017).
//!
//! Shapes: `n` tokens, `h` hidden, `d` = `h` / heads. Every operation has one order of additions,
//! so every instruction set gives the same bits.

use distil_format::Config;
use distil_kernels::{Epilogue, Kernels, bf16_to_f32, rsqrt};

use crate::buffers::{AttentionWork, Buffers, FeedForwardWork, SCORE_ROWS, feed_forward_block};
use crate::error::ModelError;
use crate::linear::Rows;
use crate::model::{Embeddings, Layer, Model, Norm, Table};

/// Encodes the first `n` tokens of `buffers.ids`; the last hidden states are then in `buffers.x[..n * h]`.
pub(crate) fn encode(model: &Model, n: usize, buffers: &mut Buffers) -> Result<(), ModelError> {
    embed(model.kernels(), model.config(), &model.embeddings()?, n, buffers);
    for i in 0..model.config().layers {
        let layer = model.layer(i)?;
        self_attention(model.kernels(), model.config(), &layer, n, buffers);
        feed_forward(model.kernels(), model.config(), &layer, n, buffers);
    }
    Ok(())
}

/// x = norm(word + position + token type)
fn embed(kernels: Kernels, config: &Config, tables: &Embeddings, n: usize, buffers: &mut Buffers) {
    let h = config.hidden as usize;
    let tokens = buffers.ids.iter().zip(&*buffers.types).take(n);
    for (position, (row, (&id, &segment))) in buffers.x.chunks_exact_mut(h).zip(tokens).enumerate() {
        row.fill(0.0);
        add_entry(kernels, &tables.word, id as usize, row);
        add_entry(kernels, &tables.position, position, row);
        if let Some(token_type) = &tables.token_type {
            add_entry(kernels, token_type, usize::from(segment), row);
        }
    }
    norm_rows(kernels, config, &tables.norm, &mut buffers.x[..n * h]);
}

fn add_entry(kernels: Kernels, table: &Table, entry: usize, row: &mut [f32]) {
    let range = entry * row.len()..(entry + 1) * row.len();
    match table {
        Table::Float { rows } => kernels.add(&rows[range], row),
        Table::Int8 { rows, scales } => kernels.add_dequantized(&rows[range], bf16_to_f32(scales[entry]), row),
    }
}

/// x = norm(x + W_o [head_1; ...; head_m] + b_o), head = softmax(Q K^T / sqrt(d)) V
fn self_attention(kernels: Kernels, config: &Config, layer: &Layer, n: usize, buffers: &mut Buffers) {
    let h = config.hidden as usize;
    let d = h / config.heads as usize;
    let x = &mut buffers.x[..n * h];
    let work = AttentionWork::new(buffers.work, n, h, d);

    let rows =
        Rows::new(kernels, x, h, buffers.values, &mut buffers.scales[..n], &[&layer.query, &layer.key, &layer.value]);
    for head in (0..h).step_by(d) {
        let channels = head..head + d;
        rows.apply(kernels, &layer.query, channels.clone(), Epilogue::Store, work.query, d);
        rows.apply(kernels, &layer.key, channels.clone(), Epilogue::Store, work.key, d);
        rows.apply(kernels, &layer.value, channels.clone(), Epilogue::Store, work.value, d);
        transpose(work.key, d, work.key_transposed);
        for first in (0..n).step_by(SCORE_ROWS) {
            let count = SCORE_ROWS.min(n - first);
            let scores = &mut work.scores[..count * n];
            let query = &work.query[first * d..(first + count) * d];
            kernels.gemm_f32(query, d, count, work.key_transposed, n, d, n, rsqrt(d as f32), scores, n);
            for row in scores.chunks_exact_mut(n) {
                kernels.softmax(row);
            }
            let context = &mut work.context[first * h + head..];
            kernels.gemm_f32(scores, n, count, work.value, d, n, d, 1.0, context, h);
        }
    }

    let output = &layer.attention_output;
    Rows::new(kernels, work.context, h, buffers.values, &mut buffers.scales[..n], &[output]).apply(
        kernels,
        output,
        0..h,
        Epilogue::Add,
        x,
        h,
    );
    norm_rows(kernels, config, &layer.attention_norm, x);
}

/// x = norm(x + W_2 gelu(W_1 x + b_1) + b_2), a block of rows at a time
fn feed_forward(kernels: Kernels, config: &Config, layer: &Layer, n: usize, buffers: &mut Buffers) {
    let (h, wide) = (config.hidden as usize, config.intermediate as usize);
    let (first, second) = (&layer.feed_forward_in, &layer.feed_forward_out);
    let block = feed_forward_block(config, n);
    let work = FeedForwardWork::new(buffers.work, block, wide);
    for x in buffers.x[..n * h].chunks_mut(block * h) {
        let count = x.len() / h;
        let inner = &mut work.inner[..count * wide];
        let rows = Rows::new(kernels, x, h, buffers.values, &mut buffers.scales[..count], &[first]);
        rows.apply(kernels, first, 0..wide, Epilogue::Gelu, inner, wide);
        let rows = Rows::new(kernels, inner, wide, work.values, &mut work.scales[..count], &[second]);
        rows.apply(kernels, second, 0..h, Epilogue::Add, x, h);
        norm_rows(kernels, config, &layer.output_norm, x);
    }
}

fn norm_rows(kernels: Kernels, config: &Config, norm: &Norm, x: &mut [f32]) {
    for row in x.chunks_exact_mut(config.hidden as usize) {
        kernels.layer_norm(row, norm.weight, norm.bias, config.layer_norm_eps);
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

//! The forward pass: embeddings, then for each layer self-attention and the feed-forward block,
//! each followed by a residual sum and a layer normalization (Devlin et al. 2019; Vaswani et al. 2017).
//!
//! Shapes: `n` tokens, `h` hidden, `d` = `h` / heads. Every operation has one order of additions,
//! so every instruction set, plan and number of threads gives the same bits.

use distil_format::Config;
use distil_kernels::{Epilogue, Kernels};

use crate::attention::Attention;
use crate::buffers::{Buffers, Quantized, piece};
use crate::error::ModelError;
use crate::executor::{Executor, distribute};
use crate::linear::Rows;
use crate::model::{Embeddings, Layer, Model, Norm};
use crate::operation::{Operation, Watch, unwatched};
use crate::parts::{Blocks, Heads};
use crate::plan::Plan;

/// Encodes the first `n` tokens of `buffers.ids`; the first `wanted` of the last hidden states are then in
/// `buffers.x[..wanted * h]`.
///
/// `observe` sees the hidden states on their way, `[n][h]`: with 0 those of the embeddings, with `i` those after `i`
/// layers. It is compiled in, so that one that does nothing costs nothing. `run` does the work of a layer:
/// [`Step::run`], or [`Step::run_watched`].
pub(crate) fn encode(
    model: &Model,
    plan: Plan,
    executor: &dyn Executor,
    (n, wanted): (usize, usize),
    buffers: &mut Buffers,
    mut observe: impl FnMut(u32, &[f32]),
    run: impl Fn(&Step, Plan, &dyn Executor, &mut Buffers),
) -> Result<(), ModelError> {
    let (kernels, config) = (model.kernels(), model.config());
    let h = config.hidden as usize;
    embed(kernels, config, &model.embeddings()?, n, buffers);
    observe(0, &buffers.x[..n * h]);
    for i in 0..config.layers {
        let layer = model.layer(i)?;
        // Other rows of the last layer nobody reads: they have given it their keys and values.
        let rows = if i + 1 == config.layers { wanted } else { n };
        let step = Step { kernels, config, layer: &layer, n, rows };
        run(&step, plan, executor, buffers);
        observe(i + 1, &buffers.x[..rows * h]);
    }
    Ok(())
}

/// x = norm(word + position + token type)
fn embed(kernels: Kernels, config: &Config, tables: &Embeddings, n: usize, buffers: &mut Buffers) {
    let h = config.hidden as usize;
    let tokens = buffers.ids.iter().zip(&*buffers.types).take(n);
    for (position, (row, (&id, &segment))) in buffers.x.chunks_exact_mut(h).zip(tokens).enumerate() {
        row.fill(0.0);
        kernels.add_row(&tables.word, id as usize, row);
        kernels.add_row(&tables.position, position, row);
        if let Some(token_type) = &tables.token_type {
            kernels.add_row(token_type, usize::from(segment), row);
        }
        kernels.layer_norm(row, tables.norm.weight, tables.norm.bias, config.layer_norm_eps);
    }
}

/// One transformer layer over `n` tokens, of which the first `rows` go on.
pub(crate) struct Step<'a> {
    kernels: Kernels,
    config: &'a Config,
    layer: &'a Layer<'a>,
    n: usize,
    rows: usize,
}

impl Step<'_> {
    /// The layer's work.
    pub(crate) fn run(&self, plan: Plan, executor: &dyn Executor, buffers: &mut Buffers) {
        self.keys_and_values(plan, executor, buffers, &unwatched);
        self.rows(plan, executor, buffers, &unwatched);
    }

    /// The same, telling `watch` of each operation. A function of its own, which programs that watch nothing do not contain.
    pub(crate) fn run_watched(
        &self,
        plan: Plan,
        executor: &dyn Executor,
        buffers: &mut Buffers,
        watch: &(dyn Fn(Operation) + Sync),
    ) {
        self.keys_and_values(plan, executor, buffers, &watch);
        self.rows(plan, executor, buffers, &watch);
    }

    /// The keys and values of all heads, which every row needs; the heads are shared among the threads.
    fn keys_and_values(&self, plan: Plan, executor: &dyn Executor, buffers: &mut Buffers, watch: &impl Watch) {
        let (kernels, layer, h) = (self.kernels, self.layer, self.config.hidden as usize);
        let x = &buffers.x[..self.n * h];
        let (mut room, scratch) = Quantized::carve(buffers.work, self.n, h);
        let rows = Rows::quantize(kernels, x, h, &mut room, &[&layer.key, &layer.value]);
        watch(Operation::Quantize);
        let attention = self.attention(plan);
        let heads = Heads::new(buffers.heads, self.config.heads as usize, scratch, plan.threads());
        distribute(executor, plan.threads(), heads, &|heads| attention.keys_and_values(heads, &rows, watch));
    }

    /// Everything else, in blocks of rows; the rows are shared among the threads.
    fn rows(&self, plan: Plan, executor: &dyn Executor, buffers: &mut Buffers, watch: &impl Watch) {
        let h = self.config.hidden as usize;
        let (attention, heads): (_, &[u8]) = (self.attention(plan), buffers.heads);
        let blocks = Blocks::new(&mut buffers.x[..self.rows * h], h, buffers.work, plan);
        distribute(executor, plan.threads(), blocks, &|blocks: Blocks| {
            let (blocks, scratch) = blocks.into_parts();
            blocks.for_each(|x| {
                let (mut quantized, scratch) = Quantized::carve(scratch, x.len() / h, h);
                self.self_attention(attention, x, heads, &mut quantized, scratch, watch);
                self.feed_forward(x, &mut quantized, scratch, watch);
            });
        });
    }

    /// x = norm(x + W_o [head_1; ...; head_m] + b_o); leaves the rows quantized, too.
    fn self_attention(
        &self,
        attention: Attention,
        x: &mut [f32],
        heads: &[u8],
        quantized: &mut Quantized,
        scratch: &mut [u8],
        watch: &impl Watch,
    ) {
        let (kernels, layer, h) = (self.kernels, self.layer, self.config.hidden as usize);
        let (context, scratch) = piece::<f32>(scratch, x.len());
        let rows = Rows::quantize(kernels, x, h, quantized, &[&layer.query]);
        watch(Operation::Quantize);
        attention.answer(&rows, heads, context, scratch, watch);
        let rows = Rows::quantize(kernels, context, h, quantized, &[&layer.attention_output]);
        watch(Operation::Quantize);
        rows.apply(kernels, &layer.attention_output, 0..h, Epilogue::Add, x, h);
        watch(Operation::Output);
        let Norm { weight, bias } = layer.attention_norm;
        let rows = x.chunks_exact_mut(h).zip(quantized.rows(h));
        rows.for_each(|(row, (values, scale))| {
            *scale = kernels.norm_quantize(row, weight, bias, self.config.layer_norm_eps, values);
        });
        watch(Operation::Norm);
    }

    /// x = norm(x + W_2 gelu(W_1 x + b_1) + b_2), of rows that are quantized already.
    fn feed_forward(&self, x: &mut [f32], quantized: &mut Quantized, scratch: &mut [u8], watch: &impl Watch) {
        let (kernels, h, wide) = (self.kernels, self.config.hidden as usize, self.config.intermediate as usize);
        let (first, second) = (&self.layer.feed_forward_in, &self.layer.feed_forward_out);
        let (inner, scratch) = piece::<f32>(scratch, x.len() / h * wide);
        let (mut inner_room, _) = Quantized::carve(scratch, x.len() / h, wide);
        Rows::new(x, h, quantized).apply(kernels, first, 0..wide, Epilogue::Gelu, inner, wide);
        watch(Operation::FeedForwardIn);
        let rows = Rows::quantize(kernels, inner, wide, &mut inner_room, &[second]);
        watch(Operation::Quantize);
        rows.apply(kernels, second, 0..h, Epilogue::Add, x, h);
        watch(Operation::FeedForwardOut);
        let Norm { weight, bias } = self.layer.output_norm;
        x.chunks_exact_mut(h).for_each(|row| kernels.layer_norm(row, weight, bias, self.config.layer_norm_eps));
        watch(Operation::Norm);
    }

    fn attention(&self, plan: Plan) -> Attention<'_> {
        let d = (self.config.hidden / self.config.heads) as usize;
        Attention { kernels: self.kernels, layer: self.layer, n: self.n, d, key_rows: plan.key_rows() }
    }
}

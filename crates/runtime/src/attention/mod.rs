//! Self-attention: head = softmax(Q K^T / sqrt(d)) V, for all heads of a layer.
//!
//! Keys and values are made for all tokens, then queries are answered block by block. Where the
//! projections have integer weights, both products of a head are integer too.

mod float;
mod integer;

use distil_kernels::Kernels;

use crate::linear::Rows;
use crate::model::Layer;
use crate::operation::Watch;
use crate::parts::Heads;

/// The attention of one layer over `n` tokens with heads of width `d`.
#[derive(Clone, Copy)]
pub(crate) struct Attention<'a> {
    pub(crate) kernels: Kernels,
    pub(crate) layer: &'a Layer<'a>,
    pub(crate) n: usize,
    pub(crate) d: usize,
    /// Rows whose keys and values are made at a time.
    pub(crate) key_rows: usize,
}

impl Attention<'_> {
    /// Whether queries, keys and values are quantized.
    fn is_integer(&self) -> bool {
        [&self.layer.query, &self.layer.key, &self.layer.value].iter().all(|linear| linear.weight.is_integer())
    }

    /// Makes the keys and values of some heads from all `rows`, into the memory of each head.
    pub(crate) fn keys_and_values(&self, heads: Heads, rows: &Rows, watch: &impl Watch) {
        if self.is_integer() {
            self.integer_keys_and_values(heads, rows, watch);
        } else {
            self.float_keys_and_values(heads, rows, watch);
        }
    }

    /// Writes what all heads answer to `rows`, side by side, to `context`; `memory` has an equal part
    /// for each head.
    pub(crate) fn answer(
        &self,
        rows: &Rows,
        memory: &[u8],
        context: &mut [f32],
        scratch: &mut [u8],
        watch: &impl Watch,
    ) {
        if self.is_integer() {
            self.integer_answer(rows, memory, context, scratch, watch);
        } else {
            self.float_answer(rows, memory, context, scratch, watch);
        }
    }

    /// The number of heads of rows that are `width` wide.
    fn heads(&self, width: usize) -> usize {
        width / self.d
    }
}

//! Self-attention, one head at a time: head = softmax(Q K^T / sqrt(d)) V.
//!
//! Keys and values of a head are made for all tokens, then queries are answered row by row. Where
//! the projections have integer weights, both products are integer too.

mod float;
mod integer;

use distil_kernels::Kernels;

use crate::linear::Rows;
use crate::model::Layer;

/// The attention of one layer over `n` tokens with heads of width `d`.
#[derive(Clone, Copy)]
pub(crate) struct Attention<'a> {
    pub(crate) kernels: Kernels,
    pub(crate) layer: &'a Layer<'a>,
    pub(crate) n: usize,
    pub(crate) d: usize,
}

impl Attention<'_> {
    /// Whether queries, keys and values are quantized.
    fn is_integer(&self) -> bool {
        [&self.layer.query, &self.layer.key, &self.layer.value].iter().all(|linear| linear.weight.is_integer())
    }

    /// Makes the keys and values of head number `head` from all `rows`, into that head's `memory`.
    pub(crate) fn keys_and_values(&self, head: usize, rows: &Rows, memory: &mut [u8], scratch: &mut [u8]) {
        if self.is_integer() {
            self.integer_keys_and_values(head, rows, memory, scratch);
        } else {
            self.float_keys_and_values(head, rows, memory);
        }
    }

    /// Writes what head number `head` answers to `rows` into its columns of `context`, rows
    /// `stride` apart.
    pub(crate) fn answer(
        &self,
        head: usize,
        rows: &Rows,
        memory: &[u8],
        context: &mut [f32],
        stride: usize,
        scratch: &mut [u8],
    ) {
        let context = &mut context[head * self.d..];
        if self.is_integer() {
            self.integer_answer(head, rows, memory, context, stride, scratch);
        } else {
            self.float_answer(head, rows, memory, context, stride, scratch);
        }
    }
}

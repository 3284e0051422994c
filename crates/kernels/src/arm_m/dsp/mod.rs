//! The DSP instructions: two products of 16-bit halves at a time. Floats have no vectors;
//! what is made for every token takes some elements side by side.

mod int8;
mod output;
mod quantize;
mod rows;

use super::panel::{PIECE, RUN};
use super::product::{self, Inner, Quad, Quads};
use crate::isa::Isa;
use crate::layout::Layout;
use crate::layout::int3::piece;
use crate::operations::{Int8Product, Operations};
use crate::reference;

/// The operations of this instruction set.
pub(super) static OPERATIONS: Operations = Operations {
    isa: Isa::ArmDsp,
    layout: Layout::Tile4,
    quantize_rows: quantize::quantize_rows,
    matmul_int8: product::matmul::<Dsp>,
    softmax: rows::softmax,
    layer_norm: rows::layer_norm,
    norm_quantize: rows::norm_quantize,
    attention_weights: rows::attention_weights,
    gelu: output::gelu,
    // Float products are for float models, the rest is for a few rows of each text.
    ..reference::OPERATIONS
};

/// The inner loops of the int8 product. Every function of this module runs where the instructions
/// exist: only `operations` hands them out.
struct Dsp;

impl Inner for Dsp {
    const INPUTS: usize = int8::INPUTS;
    type Room = [u32; int8::WORDS];
    const ROOM: Self::Room = [0; int8::WORDS];

    fn multiply(values: &[i8], stride: usize, weights: &[i8], sums: &mut Quads, room: &mut Self::Room) {
        int8::multiply(values, stride, weights, sums, room);
    }

    fn unpack<const U: usize>(unit: &[u8; U], scales: &[u8], out: &mut [i8; 2 * PIECE]) {
        let (nibbles, (low, high)) = (piece(unit), out.split_at_mut(PIECE));
        let runs = low.chunks_exact_mut(RUN).zip(high.chunks_exact_mut(RUN));
        for ((nibbles, (low, high)), &scale) in nibbles.chunks_exact(RUN).zip(runs).zip(scales) {
            for ((&byte, low), high) in nibbles.iter().zip(low).zip(high) {
                *low = ((byte << 4) as i8 >> 4).wrapping_mul(scale as i8);
                *high = (byte as i8 >> 4).wrapping_mul(scale as i8);
            }
        }
    }

    fn finish(p: &Int8Product<'_>, quad: &Quad, row: usize, sums: &mut Quads, out: &mut [f32]) {
        output::finish(p, quad, row, sums, out);
    }
}

//! Helium, the vectors of Cortex-M: 16 virtual lanes are four registers, and loops over elements
//! leave out lanes beyond the end by themselves.
//!
//! Its float arithmetic takes denormals for zeros, which the operations never meet for inputs of a
//! model's magnitude.

mod asm;
mod elementwise;
mod float;
mod gelu;
mod int3;
mod int4;
mod int8;
mod output;
mod quantize;
mod rows;
mod sums;

use super::panel::{INPUTS, PIECE};
use super::product::{self, Inner, Quad, Quads};
use crate::isa::Isa;
use crate::layout::Layout;
use crate::operations::{Int8Product, Operations};
use crate::reference;

/// The operations of this instruction set.
pub(super) static OPERATIONS: Operations = Operations {
    isa: Isa::Helium,
    layout: Layout::Tile4,
    quantize_rows: quantize::quantize_rows,
    matmul_int8: product::matmul::<Helium>,
    matmul_f32: float::matmul,
    gemm_f32: float::gemm,
    softmax: rows::softmax,
    layer_norm: rows::layer_norm,
    norm_quantize: rows::norm_quantize,
    attention_weights: rows::attention_weights,
    add_dequantized: elementwise::add_dequantized,
    add: elementwise::add,
    scale: elementwise::scale,
    gelu: gelu::gelu,
    // A handful of rows for each text: 4-bit tables, and the squares of a last row.
    ..reference::OPERATIONS
};

/// The inner loops of the int8 product. Every function of this module runs where Helium exists:
/// only `operations` hands them out.
struct Helium;

impl Inner for Helium {
    const INPUTS: usize = INPUTS;
    type Room = ();
    const ROOM: () = ();

    fn multiply(values: &[i8], stride: usize, weights: &[i8], sums: &mut Quads, _room: &mut ()) {
        int8::multiply(values, stride, weights, sums);
    }

    fn unpack<const U: usize>(unit: &[u8; U], scales: &[u8], out: &mut [i8; 2 * PIECE]) {
        match (unit.first_chunk(), unit.first_chunk()) {
            (Some(nibbles), _) => int4::unpack(nibbles, scales, out),
            (None, Some(stored)) => int3::unpack(stored, scales, out),
            (None, None) => unreachable!("a unit is 64 or 48 bytes"),
        }
    }

    fn finish(p: &Int8Product<'_>, quad: &Quad, row: usize, sums: &mut Quads, out: &mut [f32]) {
        output::finish(p, quad, row, sums, out);
    }
}

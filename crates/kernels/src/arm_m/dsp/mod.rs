//! The DSP instructions: two products of 16-bit halves at a time. Floats are the portable code's.

mod int8;
mod output;

use super::product::{self, Inner, Quad, Quads};
use crate::isa::Isa;
use crate::layout::Layout;
use crate::operations::{Int8Product, Operations};
use crate::reference;

/// The operations of this instruction set.
pub(super) static OPERATIONS: Operations = Operations {
    isa: Isa::ArmDsp,
    layout: Layout::Tile4,
    matmul_int8: product::matmul::<Dsp>,
    gelu: output::gelu,
    ..reference::OPERATIONS
};

/// The inner loops of the int8 product. Every function of this module runs where the instructions
/// exist: only `operations` hands them out.
struct Dsp;

impl Inner for Dsp {
    fn multiply(values: &[i8], stride: usize, weights: &[i8], sums: &mut Quads) {
        int8::multiply(values, stride, weights, sums);
    }

    fn finish(p: &Int8Product<'_>, quad: &Quad, row: usize, sums: &mut Quads, out: &mut [f32]) {
        output::finish(p, quad, row, sums, out);
    }
}

//! NEON with the dot product.

use core::arch::aarch64::*;
use core::arch::asm;

use super::product::{self, Multiply, Rows};
use super::sdot;
use super::simd::{Neon, run};
use crate::isa::Isa;
use crate::layout::{Layout, TILE};
use crate::matrix::RowScale;
use crate::operations::{FloatProduct, Gemm, GroupedRow, Int8Product, Operations};
use crate::vector::{self, Int8};

vector::instantiate!(Isa::NeonDotprod, Neon<Dotprod>, "neon,dotprod", 4 x 1);

/// `sdot` exists.
#[derive(Clone, Copy)]
pub(super) struct Dotprod(());

impl Neon<Dotprod> {
    /// The proof.
    #[target_feature(enable = "neon,dotprod")]
    #[inline]
    fn new() -> Self {
        Neon(Dotprod(()))
    }
}

impl Int8 for Neon<Dotprod> {
    const OFFSET: i32 = 0;
    const TILES: usize = 1;
    const BY_TILES: bool = true;
    const LAYOUT: Layout = Layout::Tile16;

    #[inline(always)]
    fn tiles(self, p: &Int8Product<'_>, out: &mut [f32]) {
        product::by_rows(self, p, out);
    }

    #[inline(always)]
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let mut lanes = [run!(self, vdupq_n_s32(0)); 4];
        for (i, a) in a.as_chunks::<16>().0.iter().enumerate() {
            let a = run!(self, vld1q_s8(a.as_ptr()));
            for (lanes, w) in lanes.iter_mut().zip(w) {
                let w = &w.as_chunks::<16>().0[i];
                *lanes = self.sdot(*lanes, a, run!(self, vld1q_s8(w.as_ptr())));
            }
        }
        lanes.map(
            #[inline(always)]
            |lanes| run!(self, vaddvq_s32(lanes)),
        )
    }
}

impl Neon<Dotprod> {
    /// Adds four products to each sum.
    #[inline(always)]
    fn sdot(self, mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // SAFETY: the instruction exists where a `Dotprod` does.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sums, in(vreg) a, in(vreg) b,
                options(pure, nomem, nostack, preserves_flags),
            )
        };
        sums
    }
}

impl Multiply for Neon<Dotprod> {
    #[inline(always)]
    fn multiply(self, rows: Rows<'_>, weights: &[i8], sums: &mut [[i32; TILE]], more: bool) {
        const ZEROS: [[i32; TILE]; 5] = [[0; TILE]; 5];
        let inputs = weights.len() / TILE;
        assert!(inputs.is_multiple_of(16) && inputs <= rows.inputs() && sums.len() == rows.count());
        let mut row = 0;
        while row < rows.count() {
            let (a, stride) = (rows.row(row), rows.stride());
            macro_rules! take {
                ($kernel:ident, $rows:literal) => {{
                    let to: &mut [[i32; TILE]; $rows] = sums[row..].first_chunk_mut().expect("so many rows are left");
                    let to = core::ptr::from_mut(to);
                    let from = if more { to.cast_const() } else { core::ptr::from_ref(&ZEROS).cast() };
                    // SAFETY: `sdot` exists; so many rows are left, each with `inputs` values (`Rows`);
                    // there are 16 times that many weights.
                    unsafe { sdot::$kernel(a, stride, weights.as_ptr(), inputs, from, to) };
                    row += $rows;
                }};
            }
            match rows.count() - row {
                1 => take!(one, 1),
                2 | 3 => take!(two, 2),
                4 | 6 | 8 => take!(four, 4),
                _ => take!(five, 5),
            }
        }
    }
}

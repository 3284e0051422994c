//! Baseline NEON.

use core::arch::aarch64::*;

use super::panel::{Factors, PANEL};
use super::product::{self, Multiply, Rows};
use super::simd::{Neon, run};
use super::{chain, smlal};
use crate::isa::Isa;
use crate::layout::{Group, Layout, TILE};
use crate::matrix::RowScale;
use crate::operations::{FloatProduct, Gemm, GroupedRow, Int8Product, Operations};
use crate::vector::{self, Int8};

vector::instantiate!(Isa::Neon, Neon<Baseline>, "neon", 4 x 1);

/// No more than NEON, which every processor of this architecture has.
#[derive(Clone, Copy)]
pub(super) struct Baseline(());

impl Neon<Baseline> {
    /// The proof.
    #[target_feature(enable = "neon")]
    #[inline]
    pub(super) fn new() -> Self {
        Neon(Baseline(()))
    }
}

impl Int8 for Neon<Baseline> {
    const OFFSET: i32 = 0;
    const TILES: usize = 1;
    const BY_TILES: bool = true;
    const LAYOUT: Layout = Layout::Tile4;

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
                *lanes = run!(self, {
                    let w = vld1q_s8(w.as_ptr());
                    let products = vmull_s8(vget_low_s8(w), vget_low_s8(a));
                    vpadalq_s16(*lanes, vmlal_high_s8(products, w, a))
                });
            }
        }
        lanes.map(
            #[inline(always)]
            |lanes| run!(self, vaddvq_s32(lanes)),
        )
    }
}

impl Multiply for Neon<Baseline> {
    const GROUPS: bool = true;

    #[inline(always)]
    fn multiply(self, rows: Rows<'_>, weights: &[i8], sums: &mut [[i32; TILE]], more: bool) {
        let inputs = weights.len() / TILE;
        assert!(inputs.is_multiple_of(16) && inputs <= rows.inputs() && sums.len() == rows.count());
        let mut row = 0;
        while row < rows.count() {
            let (a, stride, mut w) = (rows.row(row), rows.stride(), weights.as_ptr());
            macro_rules! take {
                ($kernel:ident, $rows:literal) => {{
                    for quad in 0..4 {
                        // SAFETY: NEON exists; so many rows are left, each with `inputs` values
                        // (`Rows`); four times that many weights are read each time.
                        let new = unsafe { smlal::$kernel(a, stride, &mut w, inputs) };
                        for (new, sums) in new.into_iter().zip(&mut sums[row..row + $rows]) {
                            store(self, new, &mut sums.as_chunks_mut::<4>().0[quad], more);
                        }
                    }
                    row += $rows;
                }};
            }
            match rows.count() - row {
                4.. => take!(four, 4),
                2.. => take!(two, 2),
                _ => take!(one, 1),
            }
        }
    }

    #[inline(always)]
    fn multiply_groups(
        self,
        rows: Rows<'_>,
        weights: &[i8],
        factors: &Factors,
        group: Group,
        sums: &mut [[i32; TILE]],
        more: bool,
    ) {
        let inputs = weights.len() / TILE;
        assert!(inputs.is_multiple_of(group.inputs()) && inputs <= rows.inputs() && sums.len() == rows.count());
        assert!(inputs <= PANEL);
        let mut row = 0;
        while row < rows.count() {
            // Beyond the last row it is repeated; its sums are not stored.
            let last = rows.count() - 1;
            let a = [0, 1, 2, 3].map(|i| rows.row(last.min(row + i)));
            let (mut w, mut g) = (weights.as_ptr(), factors.as_ptr());
            for quad in 0..4 {
                let mut four = [run!(self, vdupq_n_s32(0)); 4];
                let lines = &mut sums[row..rows.count().min(row + 4)];
                if more {
                    for (four, sums) in four.iter_mut().zip(&*lines) {
                        *four = run!(self, vld1q_s32(sums.as_chunks::<4>().0[quad].as_ptr()));
                    }
                }
                // SAFETY: NEON exists; all four rows have `inputs` values (`Rows`), and `inputs` is a
                // multiple of the group; four times that many weights are read each time, and 16
                // bytes of factors for each group.
                let four = unsafe {
                    match group {
                        Group::Of32 => chain::groups_of_32(a, &mut w, &mut g, inputs, four),
                        Group::Of64 => chain::groups_of_64(a, &mut w, &mut g, inputs, four),
                    }
                };
                for (four, sums) in four.into_iter().zip(lines) {
                    run!(self, vst1q_s32(sums.as_chunks_mut::<4>().0[quad].as_mut_ptr(), four));
                }
            }
            row += 4;
        }
    }
}

/// Stores sums of four channels, or adds them to those from before.
#[inline(always)]
fn store<P: Copy>(s: Neon<P>, new: int32x4_t, sums: &mut [i32; 4], more: bool) {
    run!(s, {
        let sum = if more { vaddq_s32(vld1q_s32(sums.as_ptr()), new) } else { new };
        vst1q_s32(sums.as_mut_ptr(), sum);
    });
}

//! NEON with the 8-bit integer matrix instructions.

use core::arch::aarch64::*;
use core::arch::asm;
use core::mem::MaybeUninit;

use super::product::{self, Multiply, ROWS, Rows};
use super::simd::{Neon, run};
use super::smmla::{self, SIX};
use crate::isa::Isa;
use crate::layout::{Layout, TILE};
use crate::matrix::{Integers, RowScale, quantized_stride};
use crate::operations::{FloatProduct, Gemm, GroupedRow, Int8Product, Operations};
use crate::vector::{self, Int8};

vector::instantiate!(Isa::NeonI8mm, Neon<I8mm>, "neon,i8mm", 4 x 1);

/// `smmla` exists.
#[derive(Clone, Copy)]
pub(super) struct I8mm(());

impl Neon<I8mm> {
    /// The proof.
    #[target_feature(enable = "neon,i8mm")]
    #[inline]
    fn new() -> Self {
        Neon(I8mm(()))
    }
}

/// Room for interleaved rows, on the stack.
#[repr(align(64))]
struct Interleaved(MaybeUninit<[i8; 65_536]>);

impl Int8 for Neon<I8mm> {
    const OFFSET: i32 = 0;
    const TILES: usize = 1;
    const BY_TILES: bool = true;
    const LAYOUT: Layout = Layout::Tile8;

    /// As many rows as there is room for are interleaved and go through all tiles.
    #[inline(always)]
    fn tiles(self, p: &Int8Product<'_>, out: &mut [f32]) {
        let stride = quantized_stride(p.k);
        let inputs = match p.weights {
            Integers::Int8(_) => p.k.next_multiple_of(16),
            Integers::Grouped { group, .. } => p.k.next_multiple_of(group.inputs()),
        };
        let room = (size_of::<Interleaved>() / (SIX * inputs) * SIX).min(ROWS);
        if room == 0 {
            // Rows of more than 10,000 inputs: none of this is worth its room there.
            return product::by_rows(self.baseline(), p, out);
        }
        // All parts equally large: a small last one would read all weights for a few rows.
        let parts = p.scales.len().div_ceil(room);
        let part = p.scales.len().div_ceil(parts).next_multiple_of(SIX);
        let mut interleaved = Interleaved(MaybeUninit::uninit());
        for first in (0..p.scales.len()).step_by(part) {
            let count = part.min(p.scales.len() - first);
            let values =
                self.interleave(&p.values[first * stride..][..count * stride], stride, inputs, &mut interleaved);
            product::by_tiles(self, p, Rows::new(values, inputs, count, SIX), first, out);
        }
    }

    #[inline(always)]
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let [w0, w1, w2, w3] = w;
        let mut sums = [run!(self, vdupq_n_s32(0)); 2];
        for (i, a) in a.as_chunks::<16>().0.iter().enumerate() {
            run!(self, {
                let a = vreinterpretq_s64_s8(vld1q_s8(a.as_ptr()));
                let a = [vzip1q_s64(a, a), vzip2q_s64(a, a)];
                for (sums, pair) in sums.iter_mut().zip([[w0, w1], [w2, w3]]) {
                    let [even, odd] = pair.map(|w| vreinterpretq_s64_s8(vld1q_s8(w.as_chunks::<16>().0[i].as_ptr())));
                    *sums = self.smmla(*sums, a[0], vzip1q_s64(even, odd));
                    *sums = self.smmla(*sums, a[1], vzip2q_s64(even, odd));
                }
            });
        }
        let mut four = [0; 4];
        run!(
            self,
            vst1q_s32(
                four.as_mut_ptr(),
                vreinterpretq_s32_s64(vzip1q_s64(vreinterpretq_s64_s32(sums[0]), vreinterpretq_s64_s32(sums[1]),))
            )
        );
        four
    }
}

impl Neon<I8mm> {
    /// Interleaves the rows of `values`, filled up with zeros to a multiple of six.
    #[inline(always)]
    fn interleave<'a>(self, values: &[i8], stride: usize, inputs: usize, to: &'a mut Interleaved) -> &'a [i8] {
        let count = values.len() / stride;
        let len = count.next_multiple_of(SIX) * inputs;
        assert!(inputs <= stride && len <= size_of::<Interleaved>());
        let to = to.0.as_mut_ptr().cast::<i8>();
        for first in (0..count).step_by(SIX) {
            // Beyond the last row it is repeated; its sums are not stored.
            let rows = [0, 1, 2, 3, 4, 5].map(
                #[inline(always)]
                |i| values[(count - 1).min(first + i) * stride..].as_ptr(),
            );
            // SAFETY: NEON exists; each row has `stride` values, no fewer than `inputs`; `to` has room
            // for `len`, of which this is a part.
            unsafe { smmla::interleave(rows, inputs, to.add(first * inputs)) };
        }
        // SAFETY: the loop has written as many; they live as long as what `to` borrows.
        unsafe { core::slice::from_raw_parts(to, len) }
    }

    /// Adds the products of two rows of 8 with two others.
    #[inline(always)]
    fn smmla(self, mut sums: int32x4_t, a: int64x2_t, b: int64x2_t) -> int32x4_t {
        // SAFETY: the instruction exists where an `I8mm` does.
        unsafe {
            asm!(
                ".arch_extension i8mm",
                "smmla {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sums, in(vreg) a, in(vreg) b,
                options(pure, nomem, nostack, preserves_flags),
            )
        };
        sums
    }
}

impl Multiply for Neon<I8mm> {
    #[inline(always)]
    fn multiply(self, rows: Rows<'_>, weights: &[i8], sums: &mut [[i32; TILE]], more: bool) {
        let inputs = weights.len() / TILE;
        assert!(inputs.is_multiple_of(16) && inputs <= rows.inputs() && sums.len() == rows.count());
        for (block, sums) in sums.chunks_mut(SIX).enumerate() {
            let a = rows.row(block * SIX);
            macro_rules! take {
                ($kernel:ident, $to:expr) => {
                    // SAFETY: `smmla` exists; of the interleaved rows as many as `to` has are
                    // multiplied, of `inputs` values (`Rows`); there are 16 times that many weights.
                    unsafe { smmla::$kernel(a, weights.as_ptr(), inputs, $to) }
                };
            }
            match (sums.first_chunk_mut::<SIX>(), more) {
                (Some(sums), false) => take!(six, sums),
                _ => {
                    let mut new = [[0; TILE]; SIX];
                    match sums.len() {
                        1 | 2 => take!(two, new.first_chunk_mut().expect("two of six")),
                        3 | 4 => take!(four, new.first_chunk_mut().expect("four of six")),
                        _ => take!(six, &mut new),
                    }
                    for (sum, new) in sums.as_flattened_mut().iter_mut().zip(new.as_flattened()) {
                        *sum = if more { *sum + new } else { *new };
                    }
                }
            }
        }
    }
}

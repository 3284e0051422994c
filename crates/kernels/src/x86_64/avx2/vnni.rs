//! AVX-VNNI: `vpdpbusd` in 256-bit registers, for processors without AVX-512.
//!
//! The weights are the unsigned operand: flipping the sign bit adds 128 to each.

use core::arch::x86_64::*;

use super::{Avx2, run};
use crate::isa::Isa;
use crate::layout::Layout;
use crate::matrix::RowScale;
use crate::native::opaque;
use crate::operations::{FloatProduct, Gemm, GroupedRow, Int8Product, Operations};
use crate::vector::{self, Block, Int8, NibbleBlock, RUN, Simd, Sums};

vector::instantiate!(Isa::AvxVnni, Avx2<true>, "avx2,avxvnni", 4 x 1);

/// Most rows of a block: 12 sums, two halves of a piece of weights, a value and the sign bits.
const ROWS: usize = 6;

impl Avx2<true> {
    /// Only a function that has these features can call it without `unsafe`.
    #[target_feature(enable = "avx2,avxvnni")]
    #[inline]
    fn new() -> Self {
        Avx2(())
    }

    /// `R` rows by one tile, the sums in registers.
    #[inline(always)]
    fn rows<const R: usize>(self, block: Block<'_>, sums: &mut Sums) -> usize {
        debug_assert!(block.rows() >= R && block.tiles() == 1);
        let (stride, ahead) = (block.stride(), block.ahead());
        let (mut weights, mut next) = (block.weights(), ahead.line);
        // One address for every three rows: the second and the third are one and two strides away,
        // which an instruction adds by itself.
        let mut values = [block.values(), block.values().wrapping_add(3 * stride)];
        let flip = run!(self, _mm256_set1_epi8(-128));
        let mut lanes = [self.splat_i32(0); R];
        for _ in 0..block.inputs() / 4 {
            // SAFETY: this is one of the first `inputs / 4` pieces, and all its 64 bytes are inside
            // the weights (`Block`).
            let w =
                unsafe { [_mm256_loadu_si256(weights.cast()), _mm256_loadu_si256(weights.wrapping_add(32).cast())] };
            let w = run!(self, [_mm256_xor_si256(w[0], flip), _mm256_xor_si256(w[1], flip)]);
            run!(self, _mm_prefetch::<_MM_HINT_T1>(next.cast()));
            for (r, lanes) in lanes.iter_mut().enumerate() {
                let a = values[r / 3].wrapping_add(r % 3 * stride).cast::<i32>();
                // SAFETY: these are four of the first `inputs` values of row `r < R <= rows`, so
                // inside the row (`Block`).
                let a = unsafe { a.read_unaligned() };
                let a = run!(self, _mm256_set1_epi32(a));
                *lanes = run!(self, {
                    [_mm256_dpbusd_avx_epi32(lanes[0], w[0], a), _mm256_dpbusd_avx_epi32(lanes[1], w[1], a)]
                });
            }
            (weights, next) = (weights.wrapping_add(64), next.wrapping_add(ahead.piece));
            values = [opaque(values[0].wrapping_add(4)), opaque(values[1].wrapping_add(4))];
        }
        for (&lanes, sums) in lanes.iter().zip(&mut sums.0) {
            self.store_i32(lanes, sums);
        }
        R
    }
}

impl Int8 for Avx2<true> {
    const OFFSET: i32 = 128;
    const TILES: usize = 1;
    const LAYOUT: Layout = Layout::Tile16;
    const NIBBLE_ROWS: usize = 4;
    const DEPTH: usize = 768;
    const NIBBLE_OFFSET: i32 = 0;

    #[inline(always)]
    fn block(self, block: Block<'_>, sums: &mut Sums) -> usize {
        match block.rows().div_ceil(block.rows().div_ceil(ROWS)) {
            1 => self.rows::<1>(block, sums),
            2 => self.rows::<2>(block, sums),
            3 => self.rows::<3>(block, sums),
            4 => self.rows::<4>(block, sums),
            5 => self.rows::<5>(block, sums),
            6 => self.rows::<6>(block, sums),
            _ => unreachable!("a block has 1 to 6 rows"),
        }
    }

    #[inline(always)]
    fn nibbles(self, block: NibbleBlock<'_>, sums: &mut Sums) -> usize {
        self.nibble_block(block, sums)
    }

    #[inline(always)]
    fn unpack<const U: usize>(self, units: &[[u8; U]], scales: &[u8], panel: &mut [[i8; 64]]) {
        self.unpack_group(units, scales, panel);
    }

    /// Inputs of a run, times eight and negative: `q + 8` counts them eight times too often.
    #[inline(always)]
    fn start(self, values: &[i8; RUN]) -> i32 {
        run!(self, {
            // Sums of unsigned bytes: each value counts 128 too much.
            let flipped = _mm256_xor_si256(_mm256_loadu_si256(values.as_ptr().cast()), _mm256_set1_epi8(-128));
            let sums = _mm256_sad_epu8(flipped, _mm256_setzero_si256());
            let sums = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
            let sum = _mm_cvtsi128_si32(sums) + _mm_extract_epi32::<2>(sums);
            8 * (128 * RUN as i32 - sum)
        })
    }

    #[inline(always)]
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let flip = run!(self, _mm256_set1_epi8(-128));
        let mut lanes = run!(self, [_mm256_setzero_si256(); 4]);
        for (i, a) in a.as_chunks::<32>().0.iter().enumerate() {
            let a = run!(self, _mm256_loadu_si256(a.as_ptr().cast()));
            for (lanes, w) in lanes.iter_mut().zip(w) {
                let w = &w.as_chunks::<32>().0[i];
                let w = run!(self, _mm256_xor_si256(_mm256_loadu_si256(w.as_ptr().cast()), flip));
                *lanes = run!(self, _mm256_dpbusd_avx_epi32(*lanes, w, a));
            }
        }
        self.sums(lanes)
    }
}

//! Int8 products without dot-product instructions: bytes are widened to 16 bits and multiplied in pairs
//! by `vpmaddwd`, which is exact for every byte.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::{Avx2, run};
use crate::isa::Isa;
use crate::layout::Layout;
use crate::matrix::RowScale;
use crate::operations::{FloatProduct, Gemm, GroupedRow, Int8Product, Operations};
use crate::vector::{self, Block, Int8, NibbleBlock, RUN, Simd, Sums};

vector::instantiate!(Isa::Avx2, Avx2<false>, "avx2", 4 x 1);

/// Most rows of a block: with half a tile, 12 sums, two pieces of weights, one of values and a
/// product.
const ROWS: usize = 6;
/// Inputs whose values are widened at a time.
const PART: usize = 512;

impl Avx2<false> {
    /// Only a function that has this feature can call it without `unsafe`.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn new() -> Self {
        Avx2(())
    }

    /// One row by one tile, four channels in each register with two sums for each.
    #[inline(always)]
    fn row(self, block: Block<'_>, sums: &mut Sums) -> usize {
        let (mut weights, mut values, ahead) = (block.weights(), block.values(), block.ahead());
        let mut next = ahead.line;
        let mut lanes = run!(self, [_mm256_setzero_si256(); 4]);
        for _ in 0..block.inputs() / 4 {
            // SAFETY: these are four of the first `inputs` values of the row (`Block`).
            let a = unsafe { values.cast::<i32>().read_unaligned() };
            let a = run!(self, _mm256_cvtepi8_epi16(_mm_set1_epi32(a)));
            run!(self, _mm_prefetch::<_MM_HINT_T1>(next.cast()));
            for (quad, lanes) in lanes.iter_mut().enumerate() {
                // SAFETY: this is one of the first `inputs / 4` pieces, and all its 64 bytes are
                // inside the weights (`Block`).
                let w = unsafe { _mm_loadu_si128(weights.wrapping_add(quad * 16).cast()) };
                *lanes = run!(self, _mm256_add_epi32(*lanes, _mm256_madd_epi16(_mm256_cvtepi8_epi16(w), a)));
            }
            (weights, values) = (weights.wrapping_add(64), values.wrapping_add(4));
            next = next.wrapping_add(ahead.piece);
        }
        let halves = [self.neighbours(lanes[0], lanes[1]), self.neighbours(lanes[2], lanes[3])];
        self.store_i32(halves, &mut sums.0[0]);
        1
    }

    /// The sums of neighbouring lanes: eight channels of two quads.
    #[inline(always)]
    fn neighbours(self, low: __m256i, high: __m256i) -> __m256i {
        // Adding neighbours works within each 128-bit half: the middle parts change places.
        run!(self, _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(low, high)))
    }

    /// `R` rows by one tile, half of it after the other, like [`row`](Self::row) but with values that
    /// are widened once.
    #[inline(always)]
    fn rows<const R: usize>(self, block: Block<'_>, sums: &mut Sums) -> usize {
        debug_assert!(block.rows() >= R && block.tiles() == 1);
        let mut wide = [[MaybeUninit::<i16>::uninit(); PART]; R];
        for start in (0..block.inputs()).step_by(PART) {
            let len = PART.min(block.inputs() - start);
            for (r, wide) in wide.iter_mut().enumerate() {
                self.widen(block, r, start, len, wide);
            }
            for half in 0..2 {
                let mut lanes = run!(self, [[_mm256_setzero_si256(); 2]; R]);
                for (step, input) in (start..start + len).step_by(4).enumerate() {
                    let weights = block.weights().wrapping_add(input * 16 + half * 32);
                    // SAFETY: `input + 4 <= inputs`, so these are half of the 64 bytes of a piece
                    // inside the weights (`Block`).
                    let w =
                        unsafe { [_mm_loadu_si128(weights.cast()), _mm_loadu_si128(weights.wrapping_add(16).cast())] };
                    let w = run!(self, [_mm256_cvtepi8_epi16(w[0]), _mm256_cvtepi8_epi16(w[1])]);
                    if half == 0 {
                        let ahead = block.ahead();
                        let line = ahead.line.wrapping_add(input / 4 * ahead.piece);
                        run!(self, _mm_prefetch::<_MM_HINT_T1>(line.cast()));
                    }
                    for (lanes, wide) in lanes.iter_mut().zip(&wide) {
                        // SAFETY: `step < len / 4`, and `widen` has written `len` values.
                        let a = unsafe { wide.as_ptr().cast::<i64>().add(step).read_unaligned() };
                        let a = run!(self, _mm256_set1_epi64x(a));
                        for (lanes, w) in lanes.iter_mut().zip(w) {
                            *lanes = run!(self, _mm256_add_epi32(*lanes, _mm256_madd_epi16(w, a)));
                        }
                    }
                }
                for (lanes, sums) in lanes.iter().zip(&mut sums.0) {
                    let sums = &mut sums.as_chunks_mut::<8>().0[half];
                    let all = self.neighbours(lanes[0], lanes[1]);
                    run!(self, {
                        let before = _mm256_loadu_si256(sums.as_ptr().cast());
                        let all = if start == 0 { all } else { _mm256_add_epi32(before, all) };
                        _mm256_storeu_si256(sums.as_mut_ptr().cast(), all);
                    });
                }
            }
        }
        R
    }

    /// Values of a row as 16 bits, `len` of them, a multiple of 4.
    #[inline(always)]
    fn widen(self, block: Block<'_>, row: usize, start: usize, len: usize, out: &mut [MaybeUninit<i16>; PART]) {
        let values = block.values().wrapping_add(row * block.stride() + start);
        // SAFETY: `row < rows` and `start + len <= inputs`: these values are inside the row
        // (`Block`).
        let values = unsafe { core::slice::from_raw_parts(values, len) };
        let (whole, rest) = values.as_chunks::<16>();
        let (wide, last) = out.as_chunks_mut::<16>().0.split_at_mut(whole.len());
        for (values, wide) in whole.iter().zip(wide) {
            run!(self, {
                let values = _mm256_cvtepi8_epi16(_mm_loadu_si128(values.as_ptr().cast()));
                _mm256_storeu_si256(wide.as_mut_ptr().cast(), values);
            });
        }
        if let Some(last) = last.first_mut() {
            for (wide, &value) in last.iter_mut().zip(rest) {
                *wide = MaybeUninit::new(i16::from(value));
            }
        }
    }
}

impl Int8 for Avx2<false> {
    const OFFSET: i32 = 0;
    const TILES: usize = 1;
    const LAYOUT: Layout = Layout::Tile16;
    const NIBBLE_ROWS: usize = usize::MAX;

    #[inline(always)]
    fn block(self, block: Block<'_>, sums: &mut Sums) -> usize {
        match block.rows().div_ceil(block.rows().div_ceil(ROWS)) {
            1 => self.row(block, sums),
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

    /// Both 16-bit sums of a channel begin with their inputs of the run, times eight and negative:
    /// `q + 8` counts them eight times too often.
    #[inline(always)]
    fn start(self, values: &[i8; RUN]) -> i32 {
        let mut sums = [0_i16; 2];
        for values in values.as_chunks::<4>().0 {
            sums[0] += i16::from(values[0]) + i16::from(values[1]);
            sums[1] += i16::from(values[2]) + i16::from(values[3]);
        }
        i32::from(-8 * sums[1]) << 16 | i32::from(-8 * sums[0]) & 0xffff
    }

    #[inline(always)]
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let mut lanes = run!(self, [_mm256_setzero_si256(); 4]);
        for (i, a) in a.as_chunks::<16>().0.iter().enumerate() {
            let a = run!(self, _mm256_cvtepi8_epi16(_mm_loadu_si128(a.as_ptr().cast())));
            for (lanes, w) in lanes.iter_mut().zip(w) {
                let w = &w.as_chunks::<16>().0[i];
                let w = run!(self, _mm256_cvtepi8_epi16(_mm_loadu_si128(w.as_ptr().cast())));
                *lanes = run!(self, _mm256_add_epi32(*lanes, _mm256_madd_epi16(a, w)));
            }
        }
        self.sums(lanes)
    }
}

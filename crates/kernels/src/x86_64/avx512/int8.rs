//! Int8 products: blocks of up to 12 rows and two tiles, all their sums in registers.

use core::arch::x86_64::*;

use super::{Avx512, run};
use crate::layout::Layout;
use crate::native::opaque;
use crate::vector::{Block, Int8, NibbleBlock, RUN, Simd, Sums};

/// Most rows of a block: with two tiles, 24 sums, two pieces of weights and the sign bits.
const ROWS: usize = 12;

impl Int8 for Avx512<false> {
    const OFFSET: i32 = 128;
    const TILES: usize = 2;
    const LAYOUT: Layout = Layout::Tile16;
    const NIBBLE_ROWS: usize = ROWS;
    const NIBBLE_OFFSET: i32 = 0;
    const IN_PLACE_ROWS: usize = 64;
    const DEPTH: usize = 768;

    #[inline(always)]
    fn block(self, block: Block<'_>, sums: &mut Sums) -> usize {
        // Blocks of nearly the same size: one row alone would wait for each of its sums.
        let rows = block.rows().div_ceil(block.rows().div_ceil(ROWS));
        macro_rules! take {
            ($($rows:literal),*) => {
                match (block.tiles(), rows) {
                    $((2, $rows) if block.panel() => self.rows::<$rows, 2, true>(block, sums),)*
                    $((_, $rows) if block.panel() => self.rows::<$rows, 1, true>(block, sums),)*
                    $((2, $rows) => self.rows::<$rows, 2, false>(block, sums),)*
                    $((_, $rows) => self.rows::<$rows, 1, false>(block, sums),)*
                    _ => unreachable!("a block has 1 to 12 rows"),
                }
            };
        }
        take!(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    }

    /// As many as it takes to have eight independent sums or more.
    #[inline(always)]
    fn nibble_tiles(rows: usize) -> usize {
        match rows {
            1..=2 => 4,
            3..=5 => 2,
            _ => 1,
        }
    }

    #[inline(always)]
    fn nibbles(self, block: NibbleBlock<'_>, sums: &mut Sums) -> usize {
        let rows = block.rows().div_ceil(block.rows().div_ceil(ROWS));
        macro_rules! take {
            ($($rows:literal),*) => {
                match (block.tiles(), rows) {
                    (4, 1) => self.nibble_rows::<1, 4>(block, sums),
                    (4, 2) => self.nibble_rows::<2, 4>(block, sums),
                    (3, 1) => self.nibble_rows::<1, 3>(block, sums),
                    (3, 2) => self.nibble_rows::<2, 3>(block, sums),
                    (2, 1) => self.nibble_rows::<1, 2>(block, sums),
                    (2, 2) => self.nibble_rows::<2, 2>(block, sums),
                    (2, 3) => self.nibble_rows::<3, 2>(block, sums),
                    (2, 4) => self.nibble_rows::<4, 2>(block, sums),
                    (2, 5) => self.nibble_rows::<5, 2>(block, sums),
                    $((1, $rows) => self.nibble_rows::<$rows, 1>(block, sums),)*
                    _ => unreachable!("a block has 1 to 12 rows"),
                }
            };
        }
        take!(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
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

    /// The sign bits are flipped in a panel.
    #[inline(always)]
    fn copy(self, weights: &[i8], panel: &mut [i8]) {
        let flip = run!(self, _mm512_set1_epi8(-128));
        for (w, out) in weights.as_chunks::<64>().0.iter().zip(panel.as_chunks_mut::<64>().0) {
            run!(self, {
                let w = _mm512_xor_si512(_mm512_loadu_si512(w.as_ptr().cast()), flip);
                _mm512_storeu_si512(out.as_mut_ptr().cast(), w);
            });
        }
    }

    #[inline(always)]
    fn unpack<const U: usize>(self, units: &[[u8; U]], scales: &[u8], panel: &mut [[i8; 64]]) {
        self.unpack_group(units, scales, panel);
    }

    #[inline(always)]
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let flip = run!(self, _mm512_set1_epi8(-128));
        let mut lanes = [self.splat_i32(0); 4];
        for (i, a) in a.as_chunks::<64>().0.iter().enumerate() {
            let a = run!(self, _mm512_loadu_si512(a.as_ptr().cast()));
            for (lanes, w) in lanes.iter_mut().zip(w) {
                let w = &w.as_chunks::<64>().0[i];
                let w = run!(self, _mm512_xor_si512(_mm512_loadu_si512(w.as_ptr().cast()), flip));
                *lanes = run!(self, _mm512_dpbusd_epi32(*lanes, w, a));
            }
        }
        run!(self, {
            let mut halves = [_mm256_setzero_si256(); 4];
            for (half, lanes) in halves.iter_mut().zip(lanes) {
                *half = _mm256_add_epi32(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64::<1>(lanes));
            }
            let pairs = [_mm256_hadd_epi32(halves[0], halves[1]), _mm256_hadd_epi32(halves[2], halves[3])];
            let quads = _mm256_hadd_epi32(pairs[0], pairs[1]);
            let sums = _mm_add_epi32(_mm256_castsi256_si128(quads), _mm256_extracti128_si256::<1>(quads));
            let mut out = [0; 4];
            _mm_storeu_si128(out.as_mut_ptr().cast(), sums);
            out
        })
    }
}

impl Avx512<false> {
    /// `R` rows by `C` tiles of a panel or not, the sums in registers.
    #[inline(always)]
    fn rows<const R: usize, const C: usize, const PANEL: bool>(self, block: Block<'_>, sums: &mut Sums) -> usize {
        debug_assert!(block.rows() >= R && block.tiles() >= C);
        let (stride, tile) = (block.stride(), block.inputs() * 16);
        let (mut weights, ahead) = (block.weights(), block.ahead());
        let mut next = ahead.line;
        // One address for every three rows: the second and the third are one and two strides away,
        // which an instruction adds by itself.
        let mut values = [0, 3, 6, 9].map(|r| block.values().wrapping_add(r * stride));
        let flip = run!(self, _mm512_set1_epi8(-128));
        let mut lanes = [[self.splat_i32(0); C]; R];
        for _ in 0..block.inputs() / 4 {
            let mut tiles = [flip; C];
            for (c, piece) in tiles.iter_mut().enumerate() {
                let w = weights.wrapping_add(c * tile);
                // SAFETY: this is one of the first `inputs / 4` pieces of tile `c < C <= tiles`, and
                // all its 64 bytes are inside the weights (`Block`).
                *piece = unsafe { _mm512_loadu_si512(w.cast()) };
                if !PANEL {
                    *piece = run!(self, _mm512_xor_si512(*piece, flip));
                }
                let line = next.wrapping_add(c * ahead.tile);
                run!(self, _mm_prefetch::<_MM_HINT_T1>(line.cast()));
            }
            for (r, lanes) in lanes.iter_mut().enumerate() {
                let a = values[r / 3].wrapping_add(r % 3 * stride).cast::<i32>();
                // SAFETY: these are four of the first `inputs` values of row `r < R <= rows`, so
                // inside the row (`Block`).
                let a = self.splat_i32(unsafe { a.read_unaligned() });
                for (lanes, piece) in lanes.iter_mut().zip(tiles) {
                    *lanes = run!(self, _mm512_dpbusd_epi32(*lanes, piece, a));
                }
            }
            (weights, next) = (weights.wrapping_add(64), next.wrapping_add(ahead.piece));
            values = values.map(|values| opaque(values.wrapping_add(4)));
        }
        for (&lanes, sums) in lanes.as_flattened().iter().zip(&mut sums.0) {
            self.store_i32(lanes, sums);
        }
        R
    }
}

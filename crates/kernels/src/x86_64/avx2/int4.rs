//! 4-bit weights: they never become eight bits.
//!
//! Over 32 inputs the sums of `a * q` fit into 16 bits. So the inputs of a group are summed first (by
//! `vpdpbusd`, or by `vpmaddubsw` in two 16-bit sums for each channel), and then multiplied by the
//! scale of the group. The unsigned operand is `q + 8`; a sum begins with 8 times the activations,
//! negative.

use core::arch::x86_64::*;

use super::{Avx2, run};
use crate::native::opaque;
use crate::vector::{NibbleBlock, RUN, Sums};

/// Most rows of a block: with half a tile, five sums and five of a group, two pieces of weights, a
/// value, a product and the two constants.
const ROWS: usize = 5;

impl<const VNNI: bool> Avx2<VNNI> {
    /// Some rows by one tile.
    #[inline(always)]
    pub(super) fn nibble_block(self, block: NibbleBlock<'_>, sums: &mut Sums) -> usize {
        match block.rows().div_ceil(block.rows().div_ceil(ROWS)) {
            1 => self.nibble_rows::<1>(block, sums),
            2 => self.nibble_rows::<2>(block, sums),
            3 => self.nibble_rows::<3>(block, sums),
            4 => self.nibble_rows::<4>(block, sums),
            5 => self.nibble_rows::<5>(block, sums),
            _ => unreachable!("a block has 1 to 5 rows"),
        }
    }

    /// `R` rows by half a tile after the other, the sums in registers.
    #[inline(always)]
    fn nibble_rows<const R: usize>(self, block: NibbleBlock<'_>, sums: &mut Sums) -> usize {
        debug_assert!(block.rows() >= R && block.tiles() == 1);
        let (stride, runs, ahead) = (block.stride(), block.inputs() / RUN, block.ahead());
        let runs_of_group = block.group().inputs() / RUN;
        let (low, eight) = run!(self, (_mm256_set1_epi8(15), _mm256_set1_epi8(8)));
        for half in 0..2 {
            let mut nibbles = block.nibbles().wrapping_add(half * 32);
            let mut next = ahead.line;
            let mut values = [block.values(), block.values().wrapping_add(3 * stride)];
            let mut totals = run!(self, [_mm256_setzero_si256(); R]);
            for at in 0..runs {
                let mut lanes = totals;
                for (r, lanes) in lanes.iter_mut().enumerate() {
                    // SAFETY: `r < R <= rows`, and each row has one of these for each run of inputs
                    // (`NibbleBlock`).
                    let start = unsafe { *block.starts().wrapping_add(r * runs + at) };
                    *lanes = run!(self, _mm256_set1_epi32(start));
                }
                for _ in 0..RUN / 8 {
                    // SAFETY: this is half of one of the `inputs / 8` pieces, and all its 32 bytes
                    // are inside the nibbles (`NibbleBlock`).
                    let q = unsafe { _mm256_loadu_si256(nibbles.cast()) };
                    if half == 0 {
                        run!(self, _mm_prefetch::<_MM_HINT_T1>(next.cast()));
                    }
                    let pieces = run!(self, {
                        let q = _mm256_xor_si256(q, _mm256_or_si256(eight, _mm256_slli_epi16::<4>(eight)));
                        [_mm256_and_si256(q, low), _mm256_and_si256(_mm256_srli_epi16::<4>(q), low)]
                    });
                    for (i, piece) in pieces.into_iter().enumerate() {
                        for (r, lanes) in lanes.iter_mut().enumerate() {
                            let a = values[r / 3].wrapping_add(r % 3 * stride + i * 4).cast::<i32>();
                            // SAFETY: these are four of the first `inputs` values of row
                            // `r < R <= rows`, so inside the row (`NibbleBlock`).
                            let a = unsafe { a.read_unaligned() };
                            let a = run!(self, _mm256_set1_epi32(a));
                            *lanes = if VNNI {
                                run!(self, _mm256_dpbusd_avx_epi32(*lanes, piece, a))
                            } else {
                                run!(self, _mm256_add_epi16(*lanes, _mm256_maddubs_epi16(piece, a)))
                            };
                        }
                    }
                    (nibbles, next) = (nibbles.wrapping_add(64), next.wrapping_add(2 * ahead.piece));
                    values = [opaque(values[0].wrapping_add(8)), opaque(values[1].wrapping_add(8))];
                }
                let scales = block.groups().wrapping_add(at / runs_of_group * 16 + half * 8);
                // SAFETY: these are half of the scales of a group, and all 8 bytes are inside the
                // group scales (`NibbleBlock`).
                let scales = unsafe { _mm_loadl_epi64(scales.cast()) };
                let scales = run!(self, _mm256_cvtepu8_epi32(scales));
                // Without VNNI there are two sums for a channel, and so two scales.
                let twice = run!(self, _mm256_or_si256(scales, _mm256_slli_epi32::<16>(scales)));
                for (totals, lanes) in totals.iter_mut().zip(lanes) {
                    *totals = if VNNI {
                        run!(self, _mm256_dpwssd_avx_epi32(*totals, lanes, scales))
                    } else {
                        run!(self, _mm256_add_epi32(*totals, _mm256_madd_epi16(lanes, twice)))
                    };
                }
            }
            for (totals, sums) in totals.into_iter().zip(&mut sums.0) {
                let sums = &mut sums.as_chunks_mut::<8>().0[half];
                run!(self, _mm256_storeu_si256(sums.as_mut_ptr().cast(), totals));
            }
        }
        R
    }

    /// Unpacks a group into int8 weights: `q + 8` is 0 to 15, and times a scale at most 225, so one
    /// 16-bit product is two of bytes; 8 times the scale is taken off.
    #[inline(always)]
    pub(super) fn unpack_group<const U: usize>(self, units: &[[u8; U]], scales: &[u8], panel: &mut [[i8; 64]]) {
        let Some(scales) = scales.first_chunk::<16>() else { unreachable!("a tile of this layout has 16 channels") };
        let low = run!(self, _mm256_set1_epi8(15));
        let flip = run!(self, _mm256_set1_epi8(0x88_u8 as i8));
        for half in 0..2 {
            let scales = scales[half * 8..].first_chunk::<8>().unwrap_or(&[0; 8]);
            let (factor, eight) = run!(self, {
                let scales = _mm256_cvtepu8_epi32(_mm_loadl_epi64(scales.as_ptr().cast()));
                let factor = _mm256_or_si256(scales, _mm256_slli_epi32::<16>(scales));
                (factor, _mm256_slli_epi32::<3>(_mm256_or_si256(factor, _mm256_slli_epi32::<8>(factor))))
            });
            for (unit, out) in units.iter().zip(panel.as_chunks_mut::<2>().0) {
                let ([first, second], nibbles) = (out, self.nibbles_of(unit, half));
                let (first, second) =
                    (&mut first.as_chunks_mut::<32>().0[half], &mut second.as_chunks_mut::<32>().0[half]);
                run!(self, {
                    let q = _mm256_xor_si256(nibbles, flip);
                    let (q0, q1) = (_mm256_and_si256(q, low), _mm256_and_si256(_mm256_srli_epi16::<4>(q), low));
                    let w0 = _mm256_sub_epi8(_mm256_mullo_epi16(q0, factor), eight);
                    let w1 = _mm256_sub_epi8(_mm256_mullo_epi16(q1, factor), eight);
                    _mm256_storeu_si256(first.as_mut_ptr().cast(), w0);
                    _mm256_storeu_si256(second.as_mut_ptr().cast(), w1);
                });
            }
        }
    }

    /// Half of 64 bytes of nibbles: of the unit, or of the odd ones that 48 bytes stand for (see
    /// [`layout`](crate::layout)).
    #[inline(always)]
    fn nibbles_of<const U: usize>(self, unit: &[u8; U], half: usize) -> __m256i {
        if let Some(whole) = unit.first_chunk::<64>() {
            return run!(self, _mm256_loadu_si256(whole.as_chunks::<32>().0[half].as_ptr().cast()));
        }
        let Some(stored) = unit.first_chunk::<48>() else { unreachable!("a unit is 64 or 48 bytes") };
        let [a, b, c] = stored.as_chunks::<16>().0 else { unreachable!("48 are three times 16") };
        run!(self, {
            let [a, b, c] = [a, b, c].map(
                #[inline(always)]
                |quarter| _mm_loadu_si128(quarter.as_ptr().cast()),
            );
            let odd = _mm256_set1_epi8(0x11);
            if half == 0 {
                return _mm256_or_si256(_mm256_set_m128i(b, a), odd);
            }
            let a = _mm_and_si128(_mm_slli_epi16::<3>(a), _mm_set1_epi8(0x88_u8 as i8));
            let b = _mm_and_si128(_mm_slli_epi16::<2>(b), _mm_set1_epi8(0x44));
            let last = _mm_and_si128(_mm_slli_epi16::<1>(c), _mm_set1_epi8(0x22));
            let last = _mm_or_si128(_mm_or_si128(a, b), last);
            _mm256_or_si256(_mm256_set_m128i(last, c), odd)
        })
    }
}

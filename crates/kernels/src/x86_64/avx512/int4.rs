//! 4-bit weights for few rows: each is taken from memory once, and never becomes eight bits.
//!
//! The sum of `a * q` over 32 inputs fits into 16 bits: at most `32 * 127 * 8`. So `vpdpbusd` sums the
//! inputs of a group, and `vpdpwssd` multiplies that by the scale of the group and adds it up. The
//! unsigned operand of the former is `q + 8`; a sum begins with 8 times the activations, negative.

use core::arch::x86_64::*;

use super::{Avx512, run};
use crate::native::opaque;
use crate::vector::{NibbleBlock, RUN, Simd, Sums};

impl Avx512<false> {
    /// `R` rows by `C` tiles, the sums in registers.
    #[inline(always)]
    pub(super) fn nibble_rows<const R: usize, const C: usize>(self, block: NibbleBlock<'_>, sums: &mut Sums) -> usize {
        debug_assert!(block.rows() >= R && block.tiles() >= C);
        let (stride, inputs, ahead) = (block.stride(), block.inputs(), block.ahead());
        let (tile, groups_tile) = (inputs * 8, inputs / block.group().inputs() * 16);
        let runs_of_group = block.group().inputs() / RUN;
        let (mut nibbles, mut groups, mut next) = (block.nibbles(), block.groups(), ahead.line);
        let mut values = [0, 3, 6, 9].map(|r| block.values().wrapping_add(r * stride));
        let (low, eight) = run!(self, (_mm512_set1_epi8(15), _mm512_set1_epi8(8)));
        let mut totals = [[self.splat_i32(0); C]; R];
        let mut left = runs_of_group;
        for at in 0..inputs / RUN {
            let mut lanes = [[self.splat_i32(0); C]; R];
            for (r, lanes) in lanes.iter_mut().enumerate() {
                // SAFETY: `r < R <= rows`, and each row has one of these for each run of inputs
                // (`NibbleBlock`).
                *lanes = [self.splat_i32(unsafe { *block.starts().wrapping_add(r * (inputs / RUN) + at) }); C];
            }
            for _ in 0..RUN / 8 {
                let mut pieces = [[low; 2]; C];
                for (c, piece) in pieces.iter_mut().enumerate() {
                    // SAFETY: this is one of the first `inputs / 8` pieces of tile `c < C <= tiles`,
                    // and all its 64 bytes are inside the nibbles (`NibbleBlock`).
                    let q = unsafe { _mm512_loadu_si512(nibbles.wrapping_add(c * tile).cast()) };
                    // The next tiles, into the second cache. Nothing is read.
                    run!(self, _mm_prefetch::<_MM_HINT_T1>(next.wrapping_add(c * ahead.tile).cast()));
                    *piece = run!(self, {
                        let high = _mm512_srli_epi16::<4>(q);
                        let (first, second) = (_mm512_and_si512(q, low), _mm512_and_si512(high, low));
                        [_mm512_xor_si512(first, eight), _mm512_xor_si512(second, eight)]
                    });
                }
                for half in 0..2 {
                    for (r, lanes) in lanes.iter_mut().enumerate() {
                        let a = values[r / 3].wrapping_add(r % 3 * stride + half * 4).cast::<i32>();
                        // SAFETY: these are four of the first `inputs` values of row `r < R <= rows`,
                        // so inside the row (`NibbleBlock`).
                        let a = self.splat_i32(unsafe { a.read_unaligned() });
                        for (lanes, piece) in lanes.iter_mut().zip(pieces) {
                            *lanes = run!(self, _mm512_dpbusd_epi32(*lanes, piece[half], a));
                        }
                    }
                }
                (nibbles, next) = (nibbles.wrapping_add(64), next.wrapping_add(2 * ahead.piece));
                values = values.map(|values| opaque(values.wrapping_add(8)));
            }
            for c in 0..C {
                // SAFETY: this is the line of a group of tile `c < C <= tiles`, and all its 16 bytes
                // are inside the group scales (`NibbleBlock`).
                let scales = unsafe { _mm_loadu_si128(groups.wrapping_add(c * groups_tile).cast()) };
                let scales = run!(self, _mm512_cvtepu8_epi32(scales));
                for (totals, lanes) in totals.iter_mut().zip(&lanes) {
                    // The high half of each lane is the sign of the sum, and that of a scale zero.
                    totals[c] = run!(self, _mm512_dpwssd_epi32(totals[c], lanes[c], scales));
                }
            }
            left -= 1;
            if left == 0 {
                (groups, left) = (groups.wrapping_add(16), runs_of_group);
            }
        }
        for (&lanes, sums) in totals.as_flattened().iter().zip(&mut sums.0) {
            self.store_i32(lanes, sums);
        }
        R
    }
}

impl<const AMX: bool> Avx512<AMX> {
    /// One group of a panel: signed weights for AMX, and for VNNI those plus 128.
    ///
    /// `q + 8` is 0 to 15, and times a scale at most 225: one 16-bit product is two of bytes. The
    /// weight is that minus `8 * scale`.
    #[inline(always)]
    pub(in crate::native) fn unpack_group<const U: usize>(
        self,
        units: &[[u8; U]],
        scales: &[u8],
        panel: &mut [[i8; 64]],
    ) {
        let (Some(scales), low) = (scales.first_chunk::<16>(), run!(self, _mm512_set1_epi8(15))) else {
            unreachable!("a tile of this layout has 16 channels")
        };
        let (factor, offset) = run!(self, {
            let scales = _mm512_cvtepu8_epi32(_mm_loadu_si128(scales.as_ptr().cast()));
            let factor = _mm512_or_si512(scales, _mm512_slli_epi32::<16>(scales));
            let eight = _mm512_slli_epi32::<3>(_mm512_or_si512(factor, _mm512_slli_epi32::<8>(factor)));
            (factor, _mm512_sub_epi8(_mm512_set1_epi8(if AMX { 0 } else { -128 }), eight))
        });
        let flip = run!(self, _mm512_set1_epi8(0x88_u8 as i8));
        for (unit, out) in units.iter().zip(panel.as_chunks_mut::<2>().0) {
            let ([first, second], nibbles) = (out, self.nibbles_of(unit));
            run!(self, {
                let q = _mm512_xor_si512(nibbles, flip);
                let (q0, q1) = (_mm512_and_si512(q, low), _mm512_and_si512(_mm512_srli_epi16::<4>(q), low));
                let w0 = _mm512_add_epi8(_mm512_mullo_epi16(q0, factor), offset);
                let w1 = _mm512_add_epi8(_mm512_mullo_epi16(q1, factor), offset);
                _mm512_storeu_si512(first.as_mut_ptr().cast(), w0);
                _mm512_storeu_si512(second.as_mut_ptr().cast(), w1);
            });
        }
    }

    /// 64 bytes of nibbles: the unit, or the odd ones that 48 bytes stand for (see [`layout`](crate::layout)).
    #[inline(always)]
    fn nibbles_of<const U: usize>(self, unit: &[u8; U]) -> __m512i {
        if let Some(whole) = unit.first_chunk::<64>() {
            return run!(self, _mm512_loadu_si512(whole.as_ptr().cast()));
        }
        let Some(stored) = unit.first_chunk::<48>() else { unreachable!("a unit is 64 or 48 bytes") };
        run!(self, {
            let stored = _mm512_maskz_loadu_epi32(0x0fff, stored.as_ptr().cast());
            let (a, b) = (_mm512_castsi512_si128(stored), _mm512_extracti32x4_epi32::<1>(stored));
            let c = _mm512_extracti32x4_epi32::<2>(stored);
            let a = _mm_and_si128(_mm_slli_epi16::<3>(a), _mm_set1_epi8(0x88_u8 as i8));
            let b = _mm_and_si128(_mm_slli_epi16::<2>(b), _mm_set1_epi8(0x44));
            let c = _mm_and_si128(_mm_slli_epi16::<1>(c), _mm_set1_epi8(0x22));
            let last = _mm_or_si128(_mm_or_si128(a, b), c);
            _mm512_or_si512(_mm512_inserti32x4::<3>(stored, last), _mm512_set1_epi8(0x11))
        })
    }
}

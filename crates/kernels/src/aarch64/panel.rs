//! Panels: a tile of 16 channels and some of its inputs, unpacked from 4 or 3 bits or rearranged
//! from another layout.

use core::arch::aarch64::*;
use core::ops::Range;

use super::simd::{Neon, each, run};
use crate::layout::{Group, Layout, TILE};

/// Most inputs of a panel.
pub(super) const PANEL: usize = 1024;

/// Room for a panel.
#[repr(align(64))]
pub(super) struct Panel([i8; TILE * PANEL]);

impl Panel {
    /// An empty one.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Panel([0; TILE * PANEL])
    }

    /// Inputs of a tile, whose int8 weights are `tile` in the layout `from`, in the layout `to`.
    /// Rounded up to a multiple of 16 with zeros, and beginning at one.
    #[inline(always)]
    pub(super) fn rearrange<P: Copy>(
        &mut self,
        s: Neon<P>,
        tile: &[i8],
        from: Layout,
        to: Layout,
        inputs: Range<usize>,
    ) -> &[i8] {
        let (k, len) = (tile.len() / TILE, inputs.len().next_multiple_of(16));
        let out = &mut self.0[..TILE * len];
        if from == Layout::Tile16 && inputs.end.is_multiple_of(16) {
            // The layout of files for every chip, without looking for the end.
            let (blocks, _) = tile[TILE * inputs.start..TILE * inputs.end].as_chunks::<256>();
            match to {
                Layout::Tile4 => to_tile4(s, blocks, out),
                Layout::Tile8 => to_tile8(s, blocks, out),
                _ => out.copy_from_slice(blocks.as_flattened()),
            }
            return out;
        }
        for input in (0..len).step_by(16) {
            for channel in (0..TILE).step_by(4) {
                let words = read(s, tile, k, channel, inputs.start + input, from);
                write(s, words, out, len, channel, input, to);
            }
        }
        out
    }

    /// Inputs of a tile of 4-bit weights (3-bit ones where two pieces are `U = 48` bytes, not 64) as
    /// int8, in the same layout; times the scales of their groups if those are given. Begins and ends
    /// with a group.
    #[inline(always)]
    pub(super) fn unpack<P: Copy, const U: usize>(
        &mut self,
        s: Neon<P>,
        packed: &[u8],
        layout: Layout,
        inputs: Range<usize>,
        scales: Option<(&[[u8; TILE]], Group)>,
    ) -> &[i8] {
        let (packed, len) = (packed.as_chunks::<U>().0, inputs.len());
        let (k, channels) = (packed.len() * 128 / TILE, 64 / layout.inputs());
        let out = &mut self.0[..TILE * len];
        for (sub, out) in out.chunks_exact_mut(channels * len).enumerate() {
            let units = &packed[(sub * k + inputs.start) * channels / 128..][..channels * len / 128];
            let pairs = out.as_chunks_mut::<128>().0;
            match scales {
                None => {
                    for (out, unit) in pairs.iter_mut().zip(units) {
                        unpack_unit(s, unit, None, out);
                    }
                }
                Some((scales, group)) => {
                    let pieces = channels * group.inputs() / 128;
                    let groups = pairs.chunks_exact_mut(pieces).zip(units.chunks_exact(pieces));
                    for ((out, units), scales) in groups.zip(scales) {
                        let factors = piece_of_scales(s, scales, layout, sub * channels);
                        for (out, unit) in out.iter_mut().zip(units) {
                            unpack_unit(s, unit, Some(factors), out);
                        }
                    }
                }
            }
        }
        out
    }
}

/// The scale of every weight of a piece whose first channel is `first`.
#[inline(always)]
fn piece_of_scales<P: Copy>(s: Neon<P>, scales: &[u8; TILE], layout: Layout, first: usize) -> [int8x16_t; 4] {
    let shift = layout.inputs().trailing_zeros();
    let mut at = [[0_u8; 16]; 4];
    for (i, at) in at.as_flattened_mut().iter_mut().enumerate() {
        *at = (first + (i >> shift)) as u8;
    }
    at.map(
        #[inline(always)]
        |at| run!(s, vreinterpretq_s8_u8(vqtbl1q_u8(vld1q_u8(scales.as_ptr()), vld1q_u8(at.as_ptr())))),
    )
}

/// 64 bytes of nibbles: the unit, or the odd ones that 48 bytes stand for (see
/// [`layout`](crate::layout)).
#[inline(always)]
fn nibbles_of<P: Copy, const U: usize>(s: Neon<P>, unit: &[u8; U]) -> [uint8x16_t; 4] {
    if let Some(whole) = unit.first_chunk::<64>() {
        let uint8x16x4_t(a, b, c, d) = run!(s, vld1q_u8_x4(whole.as_ptr()));
        return [a, b, c, d];
    }
    let Some(stored) = unit.first_chunk::<48>() else { unreachable!("a unit is 64 or 48 bytes") };
    run!(s, {
        let uint8x16x3_t(a, b, c) = vld1q_u8_x3(stored.as_ptr());
        let last = vbslq_u8(vdupq_n_u8(0x44), vshlq_n_u8::<2>(b), vshlq_n_u8::<1>(c));
        let last = vbslq_u8(vdupq_n_u8(0x88), vshlq_n_u8::<3>(a), last);
        let odd = vdupq_n_u8(0x11);
        [vorrq_u8(a, odd), vorrq_u8(b, odd), vorrq_u8(c, odd), vorrq_u8(last, odd)]
    })
}

/// The low nibbles of a unit, then the high ones.
#[inline(always)]
fn unpack_unit<P: Copy, const U: usize>(
    s: Neon<P>,
    unit: &[u8; U],
    factors: Option<[int8x16_t; 4]>,
    out: &mut [i8; 128],
) {
    let (low, high) = out.split_at_mut(64);
    let nibbles = nibbles_of(s, unit);
    run!(s, {
        let bytes = nibbles.map(
            #[inline(always)]
            |n| vreinterpretq_s8_u8(n),
        );
        let mut lows: [int8x16_t; 4] = each!(s, |i| vshrq_n_s8::<4>(vshlq_n_s8::<4>(bytes[i])));
        let mut highs: [int8x16_t; 4] = each!(s, |i| vshrq_n_s8::<4>(bytes[i]));
        if let Some(factors) = factors {
            lows = each!(s, |i| vmulq_s8(lows[i], factors[i]));
            highs = each!(s, |i| vmulq_s8(highs[i], factors[i]));
        }
        vst1q_s8_x4(low.as_mut_ptr(), int8x16x4_t(lows[0], lows[1], lows[2], lows[3]));
        vst1q_s8_x4(high.as_mut_ptr(), int8x16x4_t(highs[0], highs[1], highs[2], highs[3]));
    });
}

/// 16 inputs after 16 inputs of a tile, from [`Layout::Tile16`] to [`Layout::Tile4`].
#[inline(always)]
fn to_tile4<P: Copy>(s: Neon<P>, blocks: &[[i8; 256]], out: &mut [i8]) {
    for (quad, out) in out.chunks_exact_mut(64 * blocks.len()).enumerate() {
        for (block, piece) in blocks.iter().zip(out.as_chunks_mut::<64>().0) {
            let [w0, w1, w2, w3] = [0, 1, 2, 3].map(
                #[inline(always)]
                |i| word(s, block, quad, i),
            );
            run!(s, vst4q_s32(piece.as_mut_ptr().cast(), int32x4x4_t(w0, w1, w2, w3)));
        }
    }
}

/// The same to [`Layout::Tile8`].
#[inline(always)]
fn to_tile8<P: Copy>(s: Neon<P>, blocks: &[[i8; 256]], out: &mut [i8]) {
    for (half, out) in out.chunks_exact_mut(128 * blocks.len()).enumerate() {
        for (block, pieces) in blocks.iter().zip(out.as_chunks_mut::<128>().0) {
            for (i, part) in pieces.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                let (quad, first) = (half * 2 + i % 2, i / 2 * 2);
                let pair = int32x4x2_t(word(s, block, quad, first), word(s, block, quad, first + 1));
                run!(s, vst2q_s32(part.as_mut_ptr().cast(), pair));
            }
        }
    }
}

/// Inputs `4 * at` to `4 * at + 3` of four channels.
#[inline(always)]
fn word<P: Copy>(s: Neon<P>, block: &[i8; 256], quad: usize, at: usize) -> int32x4_t {
    let four = &block.as_chunks::<64>().0[at].as_chunks::<16>().0[quad];
    run!(s, vreinterpretq_s32_s8(vld1q_s8(four.as_ptr())))
}

/// Four channels by 16 inputs of a tile of `k` inputs: register `i` holds inputs `4 * i` to
/// `4 * i + 3` of each channel. Zeros beyond the end.
#[inline(always)]
fn read<P: Copy>(s: Neon<P>, tile: &[i8], k: usize, channel: usize, input: usize, layout: Layout) -> [int32x4_t; 4] {
    let zero = run!(s, vdupq_n_s32(0));
    match layout {
        Layout::Tile4 => {
            let piece: &[i8; 64] = tile[channel * k + input * 4..].first_chunk().expect("a piece");
            let int32x4x4_t(w0, w1, w2, w3) = run!(s, vld4q_s32(piece.as_ptr().cast()));
            [w0, w1, w2, w3]
        }
        Layout::Tile8 => {
            let mut words = [zero; 4];
            for (i, words) in words.as_chunks_mut::<2>().0.iter_mut().enumerate().filter(|(i, _)| input + i * 8 < k) {
                let at = channel / 8 * 8 * k + (input + i * 8) * 8 + channel % 8 * 8;
                let half: &[i8; 32] = tile[at..].first_chunk().expect("half a piece");
                let int32x4x2_t(w0, w1) = run!(s, vld2q_s32(half.as_ptr().cast()));
                *words = [w0, w1];
            }
            words
        }
        _ => {
            let mut words = [zero; 4];
            for (i, word) in words.iter_mut().enumerate().filter(|(i, _)| input + i * 4 < k) {
                let quad: &[i8; 16] = tile[(input + i * 4) * 16 + channel * 4..].first_chunk().expect("four channels");
                *word = run!(s, vreinterpretq_s32_s8(vld1q_s8(quad.as_ptr())));
            }
            words
        }
    }
}

/// Puts what [`read`] gave into a tile of `k` inputs, a multiple of 16.
#[inline(always)]
fn write<P: Copy>(
    s: Neon<P>,
    words: [int32x4_t; 4],
    tile: &mut [i8],
    k: usize,
    channel: usize,
    input: usize,
    layout: Layout,
) {
    let [w0, w1, w2, w3] = words;
    match layout {
        Layout::Tile4 => {
            let piece: &mut [i8; 64] = tile[channel * k + input * 4..].first_chunk_mut().expect("a piece");
            run!(s, vst4q_s32(piece.as_mut_ptr().cast(), int32x4x4_t(w0, w1, w2, w3)));
        }
        Layout::Tile8 => {
            for (i, pair) in [int32x4x2_t(w0, w1), int32x4x2_t(w2, w3)].into_iter().enumerate() {
                let at = channel / 8 * 8 * k + (input + i * 8) * 8 + channel % 8 * 8;
                let half: &mut [i8; 32] = tile[at..].first_chunk_mut().expect("half a piece");
                run!(s, vst2q_s32(half.as_mut_ptr().cast(), pair));
            }
        }
        _ => {
            for (i, word) in words.into_iter().enumerate() {
                let at = (input + i * 4) * 16 + channel * 4;
                let quad: &mut [i8; 16] = tile[at..].first_chunk_mut().expect("four channels");
                run!(s, vst1q_s8(quad.as_mut_ptr(), vreinterpretq_s8_s32(word)));
            }
        }
    }
}

/// Group scales of a panel as [`Multiply::multiply_groups`](super::product::Multiply) wants them:
/// for four channels after the other, 16 bytes for each group. Groups of 64 have four 32-bit
/// numbers, groups of 32 four 16-bit numbers, twice.
#[repr(align(64))]
pub(super) struct Factors([[i16; 8]; 4 * PANEL / 32]);

impl Factors {
    /// None.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Factors([[0; 8]; 4 * PANEL / 32])
    }

    /// Those of these groups.
    #[inline(always)]
    pub(super) fn of<P: Copy>(&mut self, s: Neon<P>, groups: &[[u8; TILE]], group: Group) -> &Self {
        for (at, scales) in groups.iter().enumerate() {
            run!(s, {
                let bytes = vld1q_u8(scales.as_ptr());
                let halves = [vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)].map(
                    #[inline(always)]
                    |half| vreinterpretq_s16_u16(half),
                );
                for quad in 0..4 {
                    let half = halves[quad / 2];
                    let four = if quad % 2 == 0 { vget_low_s16(half) } else { vget_high_s16(half) };
                    let factors = match group {
                        Group::Of32 => vcombine_s16(four, four),
                        Group::Of64 => vreinterpretq_s16_s32(vmovl_s16(four)),
                    };
                    vst1q_s16(self.0[quad * groups.len() + at].as_mut_ptr(), factors);
                }
            });
        }
        self
    }

    /// The first of them; there are as many as the panel has groups and fours of channels.
    #[inline(always)]
    pub(super) fn as_ptr(&self) -> *const i16 {
        self.0.as_ptr().cast()
    }
}

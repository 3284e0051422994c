//! The last steps of the int8 product: from exact sums to outputs.

use super::output::{Group, part, wanted};
use super::{Int8, Simd, functions};
use crate::LANES;
use crate::layout::TILE;
use crate::matrix::{Epilogue, RowScale, Scales};
use crate::operations::Int8Product;
use crate::scalar::bf16_to_f32;

/// What turns 16 exact sums into outputs.
#[derive(Clone, Copy)]
pub(crate) struct Tail<S: Simd> {
    scales: S::F32,
    group: Group<S>,
}

impl<S: Int8> Tail<S> {
    /// The tail of the tile whose first channel is `first`.
    #[inline(always)]
    pub(crate) fn new(s: S, p: &Int8Product<'_>, first: usize) -> Self {
        let group = Group::new(s, &p.output, first);
        let channels = wanted(&p.output, first);
        let lane = channels.start - first;
        let scales = match p.weight_scales {
            Scales::Bf16(scales) => bfloats(part(&scales[channels], lane)),
            Scales::F32(scales) => part(&scales[channels], lane),
            Scales::One => [1.0; LANES],
        };
        Tail { scales: s.load(&scales), group }
    }

    /// The tails of `tiles` tiles, the first of which is tile `tile`; those beyond are copies of the
    /// first.
    #[inline(always)]
    pub(super) fn several(s: S, p: &Int8Product<'_>, tile: usize, tiles: usize) -> [Self; 4] {
        let mut tails = [Self::new(s, p, tile * TILE); 4];
        for (i, tail) in tails.iter_mut().enumerate().take(tiles).skip(1) {
            *tail = Self::new(s, p, (tile + i) * TILE);
        }
        tails
    }

    /// Stores the outputs of one row; its sums hold `offset` times the sum of the row too much.
    #[inline(always)]
    pub(super) fn finish(&self, s: S, sums: &[i32; LANES], offset: i32, row: RowScale, out: &mut [f32]) {
        let sum = s.splat_i32(row.sum.wrapping_mul(offset));
        self.group.finish(s, self.value(s, sums, sum, s.splat(row.scale)), out);
    }

    #[inline(always)]
    fn value(&self, s: S, sums: &[i32; LANES], sum: S::I32, scale: S::F32) -> S::F32 {
        let sums = s.sub_i32(s.load_i32(sums), sum);
        s.mul(s.to_f32(sums), s.mul(scale, self.scales))
    }
}

/// 16 bfloat16, given as bits.
#[inline(always)]
fn bfloats(bits: [u16; LANES]) -> [f32; LANES] {
    let mut floats = [0.0; LANES];
    for (float, bits) in floats.iter_mut().zip(bits) {
        *float = bf16_to_f32(bits);
    }
    floats
}

/// Stores the outputs of neighbouring rows, beginning with row `first`; `sums` has a line for each
/// row and tail, and holds `offset` times the sum of the row too much.
#[inline(always)]
pub(crate) fn finish<S: Int8>(
    s: S,
    p: &Int8Product<'_>,
    tails: &[Tail<S>],
    sums: &[[i32; TILE]],
    offset: i32,
    first: usize,
    out: &mut [f32],
) {
    let start = match (tails[0].group.whole(), tails[tails.len() - 1].group.whole()) {
        (Some(start), Some(_)) => start,
        _ => {
            for (sums, i) in sums.chunks_exact(tails.len()).zip(first..) {
                let out = &mut out[i * p.output.stride..];
                for (tail, sums) in tails.iter().zip(sums) {
                    tail.finish(s, sums, offset, p.scales[i], out);
                }
            }
            return;
        }
    };
    macro_rules! rows {
        (|$old:ident, $value:ident| $result:expr) => {
            for (sums, i) in sums.chunks_exact(tails.len()).zip(first..) {
                let row = p.scales[i];
                let (sum, scale) = (s.splat_i32(row.sum.wrapping_mul(offset)), s.splat(row.scale));
                let out = &mut out[i * p.output.stride + start..][..tails.len() * LANES];
                for ((tail, sums), $old) in tails.iter().zip(sums).zip(out.as_chunks_mut().0) {
                    let $value = s.add(tail.value(s, sums, sum, scale), tail.group.bias());
                    s.store($result, $old);
                }
            }
        };
    }
    match p.output.epilogue {
        Epilogue::Store => rows!(|out, value| value),
        // With its constants and those of the tails there would be too many for the registers.
        Epilogue::Gelu if S::GELU_APART => {
            rows!(|out, value| value);
            for i in 0..tails.len() {
                let out = &mut out[first * p.output.stride + start + i * LANES..];
                s.gelu_rows(out, p.output.stride, sums.len() / tails.len());
            }
        }
        Epilogue::Gelu => rows!(|out, value| functions::gelu(s, value)),
        Epilogue::Relu => rows!(|out, value| s.max(s.splat(0.0), value)),
        Epilogue::Add => rows!(|out, value| s.add(s.load(out), value)),
    }
}

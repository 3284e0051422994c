//! The last steps of a product for a whole tile: from the sums of many rows to outputs.

use super::gelu::gelu_rows;
use super::simd::Neon;
use crate::LANES;
use crate::layout::TILE;
use crate::matrix::{Epilogue, RowScale};
use crate::vector::Simd;

/// Scales and biases of 16 channels, all of which are wanted.
pub(super) struct Whole<P: Copy> {
    pub(super) scales: <Neon<P> as Simd>::F32,
    pub(super) bias: <Neon<P> as Simd>::F32,
}

impl<P: Copy> Whole<P> {
    /// Stores the outputs of rows, `stride` apart in `out`, which begins with the first one.
    #[inline(always)]
    pub(super) fn finish(
        &self,
        s: Neon<P>,
        epilogue: Epilogue,
        sums: &[[i32; TILE]],
        rows: &[RowScale],
        out: &mut [f32],
        stride: usize,
    ) {
        match epilogue {
            Epilogue::Store => self.each(
                s,
                sums,
                rows,
                out,
                stride,
                #[inline(always)]
                |_, value| value,
            ),
            Epilogue::Add => self.each(
                s,
                sums,
                rows,
                out,
                stride,
                #[inline(always)]
                |old, value| s.add(s.load(old), value),
            ),
            Epilogue::Relu => {
                self.each(
                    s,
                    sums,
                    rows,
                    out,
                    stride,
                    #[inline(always)]
                    |_, value| s.max(s.splat(0.0), value),
                );
            }
            // A loop of its own: with these constants there would be too many for the registers.
            Epilogue::Gelu => {
                self.each(
                    s,
                    sums,
                    rows,
                    out,
                    stride,
                    #[inline(always)]
                    |_, value| value,
                );
                gelu_rows(s, out, stride, rows.len());
            }
        }
    }

    #[inline(always)]
    fn each(
        &self,
        s: Neon<P>,
        sums: &[[i32; TILE]],
        rows: &[RowScale],
        out: &mut [f32],
        stride: usize,
        f: impl Fn(&[f32; LANES], <Neon<P> as Simd>::F32) -> <Neon<P> as Simd>::F32,
    ) {
        let Some(before) = rows.len().checked_sub(1) else {
            return;
        };
        assert!(sums.len() == rows.len() && out.len() >= LANES && before <= (out.len() - LANES) / stride.max(1));
        let mut out = out.as_mut_ptr();
        for (sums, row) in sums.iter().zip(rows) {
            // SAFETY: this is row 0 to `before`, and 16 elements fit behind `before * stride`; the
            // reference is gone when the next one is made.
            let line = unsafe { &mut *out.cast::<[f32; LANES]>() };
            let scale = s.mul(s.splat(row.scale), self.scales);
            let value = s.add(s.mul(s.to_f32(s.load_i32(sums)), scale), self.bias);
            s.store(f(line, value), line);
            out = out.wrapping_add(stride);
        }
    }
}

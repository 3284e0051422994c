//! Kernels that work on the values of a row.

use std::hint::black_box;
use std::time::Duration;

use distil_kernels::{Kernels, RowScale, quantized_stride};

use super::measure::{Aligned, fastest};
use super::{Measured, Work};

/// Kernels measured here.
pub(super) const COUNT: u32 = 6;

/// Width of the encoder, of its feed-forward part, and a usual text.
const HIDDEN: usize = 768;
const INNER: usize = 3072;
const TOKENS: usize = 128;
/// Few enough to stay in the smallest data cache, as rows do that come from the kernel before.
const ROWS: usize = 4;

/// Values that every kernel leaves as they are, or leaves normal numbers: the same call can be made again and again.
fn paint(len: usize) -> Aligned<f32> {
    Aligned::new(len, |at| 9.0 + (at % 251) as f32 * 0.04)
}

/// Values a second of the simplest work on a row.
pub(super) fn peak(kernels: Kernels, budget: Duration) -> f64 {
    let mut x = paint(ROWS * HIDDEN);
    let seconds = fastest(budget, || kernels.scale(1.0, black_box(&mut x)));
    x.len() as f64 / seconds
}

pub(super) fn all(kernels: Kernels, budget: Duration) -> Vec<Measured> {
    let kernel = |name, dtype, width, seconds| Measured {
        name,
        dtype,
        rows: ROWS,
        inputs: width,
        outputs: width,
        seconds,
        work: Work::Values,
    };
    let x = paint(ROWS * HIDDEN);
    let (gain, offset, eps) = (Aligned::new(HIDDEN, |_| 1.0), Aligned::zeroed(HIDDEN), 1e-12);
    let stride = quantized_stride(HIDDEN);
    let (mut values, mut scales) = (Aligned::zeroed(ROWS * stride), [RowScale::default(); ROWS]);

    let quantize = fastest(budget, || kernels.quantize_rows(black_box(&x), HIDDEN, &mut values, &mut scales));
    let mut y = paint(ROWS * HIDDEN);
    let norm = fastest(budget, || {
        for row in black_box(&mut y).chunks_exact_mut(HIDDEN) {
            kernels.layer_norm(row, &gain, &offset, eps);
        }
    });
    let mut y = paint(ROWS * HIDDEN);
    let norm_quantize = fastest(budget, || {
        for (row, values) in black_box(&mut y).chunks_exact_mut(HIDDEN).zip(values.chunks_exact_mut(stride)) {
            black_box(kernels.norm_quantize(row, &gain, &offset, eps, values));
        }
    });
    // GELU of 9 and more is the value itself.
    let mut y = paint(ROWS * INNER);
    let gelu = fastest(budget, || kernels.gelu(black_box(&mut y)));
    let mut y = paint(ROWS * TOKENS);
    let softmax = fastest(budget, || black_box(&mut y).chunks_exact_mut(TOKENS).for_each(|row| kernels.softmax(row)));
    let (mut y, token_scales) = (paint(ROWS * TOKENS), Aligned::new(TOKENS, |_| 1.0));
    let mut weights = Aligned::<i8>::zeroed(ROWS * quantized_stride(TOKENS));
    let attention = fastest(budget, || {
        let rows = black_box(&mut y).chunks_exact_mut(TOKENS);
        for (scores, values) in rows.zip(weights.chunks_exact_mut(quantized_stride(TOKENS))) {
            black_box(kernels.attention_weights(scores, &token_scales, values));
        }
    });
    vec![
        kernel("row quantization", "int8", HIDDEN, quantize),
        kernel("layer norm", "f32", HIDDEN, norm),
        kernel("layer norm, quantized", "int8", HIDDEN, norm_quantize),
        kernel("GELU", "f32", INNER, gelu),
        kernel("softmax", "f32", TOKENS, softmax),
        kernel("attention weights", "int8", TOKENS, attention),
    ]
}

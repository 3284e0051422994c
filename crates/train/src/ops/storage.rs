//! Access to the numbers of CPU tensors, and the row-block loops that all fused operations share.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};
use rayon::prelude::*;

/// Rows handled by one task: fixed, so that sums over rows do not depend on the number of threads.
pub(super) const ROWS: usize = 64;

/// The contiguous `f32` numbers behind a custom operation's argument.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else { bail!("the fused operations take f32 tensors") };
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("the fused operations take contiguous tensors"),
    }
}

/// Calls `f` with the numbers of a contiguous CPU tensor.
pub(crate) fn with_slice<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("the fused operations take tensors on the CPU") };
    f(slice(storage, layout)?)
}

/// Runs `f` with the widest vector instructions of this processor. Rust never contracts a multiplication and an
/// addition, so the result has the same bits with any of them.
#[inline]
pub(crate) fn vectorized<T>(f: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(f)
}

/// Calls `f(first row, rows of out)` for blocks of [`ROWS`] rows in parallel.
pub(crate) fn for_rows(out: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    out.par_chunks_mut(ROWS * width).enumerate().for_each(|(block, rows)| {
        vectorized(
            #[inline(always)]
            || f(block * ROWS, rows),
        )
    });
}

/// Sums over blocks of rows: `f(first row, last row + 1, partial sums)` per block, blocks added in order.
pub(super) fn sum_rows(rows: usize, width: usize, f: impl Fn(usize, usize, &mut [f32]) + Sync) -> Vec<f32> {
    let starts: Vec<usize> = (0..rows).step_by(ROWS).collect();
    let partial: Vec<Vec<f32>> = starts
        .par_iter()
        .map(|&start| {
            let mut sums = vec![0.0; width];
            vectorized(
                #[inline(always)]
                || f(start, (start + ROWS).min(rows), &mut sums),
            );
            sums
        })
        .collect();
    let mut total = vec![0.0; width];
    for sums in partial {
        for (t, s) in total.iter_mut().zip(sums) {
            *t += s;
        }
    }
    total
}

/// Dot product in 16 lanes, so that it vectorizes without reassociation by the compiler.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let ((a16, a_rest), (b16, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (x, y) in a16.iter().zip(b16) {
        for i in 0..16 {
            lanes[i] += x[i] * y[i];
        }
    }
    for (lane, (x, y)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += x * y;
    }
    fold(lanes)
}

/// Sum in 16 lanes of `f` over the elements.
#[inline(always)]
pub(crate) fn sum_by(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for i in 0..16 {
            lanes[i] += f(chunk[i]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += f(value);
    }
    fold(lanes)
}

/// Largest element.
#[inline(always)]
pub(crate) fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for i in 0..16 {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
        }
    }
    rest.iter().chain(&lanes).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[inline(always)]
fn fold(mut lanes: [f32; 16]) -> f32 {
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

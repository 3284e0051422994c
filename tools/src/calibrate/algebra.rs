//! The little linear algebra that calibration needs: products, and the Cholesky factor of a Gram matrix.
//!
//! Work is cut into pieces of a fixed size, so no result depends on the number of threads.

use distil_kernels::host_gemm::Product;
use rayon::prelude::*;

/// Rows that one piece of a product has.
const PIECE: usize = 128;
/// Columns that are eliminated together.
const PANEL: usize = 48;
/// Right-hand sides that are solved together, and rows that share each read of the factor.
pub(super) const TOGETHER: usize = 16;

/// `a b^T`: `a` is `[n][inner]`, `b` is `[m][inner]`, the result `[n][m]`.
pub(super) fn times_transposed(a: &[f32], b: &[f32], inner: usize) -> Vec<f32> {
    let (rows, cols) = (a.len() / inner, b.len() / inner);
    let mut out = vec![0.0; rows * cols];
    out.par_chunks_mut(PIECE * cols).zip(a.par_chunks(PIECE * inner)).for_each(|(out, a)| {
        let rows = a.len() / inner;
        Product { a, a_stride: inner, b, b_row: 1, b_col: inner, rows, inner, cols }.write(out, cols);
    });
    out
}

/// `[n][width]` to `[width][n]`.
pub(super) fn transpose(rows: &[f32], width: usize) -> Vec<f32> {
    let n = rows.len() / width;
    let mut out = vec![0.0; rows.len()];
    out.par_chunks_exact_mut(n).enumerate().for_each(|(col, out)| {
        out.iter_mut().zip(rows.chunks_exact(width)).for_each(|(out, row)| *out = row[col]);
    });
    out
}

/// The mean of each column.
pub(super) fn means(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; width];
    for row in rows.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let count = (rows.len() / width).max(1) as f64;
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}

/// Rows less their column means, transposed: `[width][n]`.
pub(super) fn centred(rows: &[f32], means: &[f32]) -> Vec<f32> {
    let mut columns = transpose(rows, means.len());
    let n = rows.len() / means.len();
    columns.par_chunks_exact_mut(n).zip(means).for_each(|(column, mean)| column.iter_mut().for_each(|x| *x -= mean));
    columns
}

/// The lower Cholesky factor of a positive definite matrix `[n][n]`, in place; what lies above the diagonal stays.
pub(super) fn cholesky(a: &mut [f64], n: usize) {
    for first in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - first);
        let rest = &mut a[first * n..];
        let before: Vec<f64> = rest.chunks_exact(n).take(width).flat_map(|row| &row[..first]).copied().collect();
        if first > 0 {
            rest.par_chunks_exact_mut(n).for_each(|row| {
                let (done, row) = row.split_at_mut(first);
                row.iter_mut().zip(before.chunks_exact(first)).for_each(|(x, other)| *x -= dot(done, other));
            });
        }
        let (block, rest) = rest.split_at_mut(width * n);
        for j in 0..width {
            let (above, row) = block.split_at_mut(j * n);
            let row = &mut row[first..first + width];
            for i in 0..j {
                let other = &above[i * n + first..][..=i];
                row[i] = (row[i] - dot(&row[..i], &other[..i])) / other[i];
            }
            let square = row[j] - dot(&row[..j], &row[..j]);
            row[j] = square.max(f64::MIN_POSITIVE).sqrt();
        }
        rest.par_chunks_exact_mut(n).for_each(|row| {
            let row = &mut row[first..first + width];
            for j in 0..width {
                let other = &block[j * n + first..][..=j];
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
        });
    }
}

/// Solves `L L^T x = b` for each row of `right`, in place; `factor` is `L`, `[n][n]`.
pub(super) fn solve(factor: &[f32], n: usize, right: &mut [f32]) {
    right.par_chunks_mut(TOGETHER * n).for_each(|rows| {
        for (i, line) in factor.chunks_exact(n).enumerate() {
            for x in rows.chunks_exact_mut(n) {
                x[i] = (x[i] - dot32(&line[..i], &x[..i])) / line[i];
            }
        }
        for (i, line) in factor.chunks_exact(n).enumerate().rev() {
            for x in rows.chunks_exact_mut(n) {
                x[i] /= line[i];
                let value = x[i];
                x[..i].iter_mut().zip(line).for_each(|(x, l)| *x -= value * l);
            }
        }
    });
}

/// A sum of products in eight lanes, so that the compiler can use vectors.
macro_rules! dot {
    ($name:ident, $float:ty) => {
        pub(super) fn $name(a: &[$float], b: &[$float]) -> $float {
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b[..a.len()].as_chunks::<8>());
            let mut sums = [0.0; 8];
            for (a, b) in a.iter().zip(b) {
                for lane in 0..8 {
                    sums[lane] += a[lane] * b[lane];
                }
            }
            sums.iter().sum::<$float>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<$float>()
        }
    };
}
dot!(dot, f64);
dot!(dot32, f32);

#[cfg(test)]
mod tests {
    use super::*;

    /// A positive definite matrix that fills no panel.
    fn matrix(n: usize) -> Vec<f64> {
        let x: Vec<f64> = (0..n * n).map(|i| ((i * i) as f64 * 0.37).sin()).collect();
        let at = |i: usize, j: usize| dot(&x[i * n..][..n], &x[j * n..][..n]) + if i == j { 1.0 } else { 0.0 };
        (0..n * n).map(|k| at(k / n, k % n)).collect()
    }

    #[test]
    fn the_factor_gives_the_matrix_back_and_solves() {
        for n in [1, 5, 48, 49, 130] {
            let a = matrix(n);
            let mut l = a.clone();
            cholesky(&mut l, n);
            for i in 0..n {
                for j in 0..=i {
                    let product = dot(&l[i * n..][..=j], &l[j * n..][..=j]);
                    assert!((product - a[i * n + j]).abs() < 1e-9 * n as f64, "{n}: {i} {j}");
                }
            }
            let factor: Vec<f32> = l.iter().map(|&x| x as f32).collect();
            let wanted: Vec<f32> = (0..n * 3).map(|i| (i as f32).cos()).collect();
            let line = |x: &[f32], i: usize| (0..n).map(|j| a[i * n + j] as f32 * x[j]).sum::<f32>();
            let mut right: Vec<f32> = wanted.chunks_exact(n).flat_map(|x| (0..n).map(move |i| line(x, i))).collect();
            solve(&factor, n, &mut right);
            assert!(right.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 0.02), "{n}");
        }
    }

    #[test]
    fn columns_lose_their_means() {
        let rows = [1.0, 10.0, 3.0, 30.0];
        assert_eq!(means(&rows, 2), [2.0, 20.0]);
        assert_eq!(centred(&rows, &[2.0, 20.0]), [-1.0, 1.0, -10.0, 10.0]);
        assert_eq!(times_transposed(&rows, &[1.0, 1.0], 2), [11.0, 33.0]);
    }
}

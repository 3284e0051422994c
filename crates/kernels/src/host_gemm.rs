//! Float products of the host at the speed of the `gemm` crate, behind a checked signature.
//!
//! For yardsticks that must share nothing with the packed path: the order of its sums depends on the machine. It is
//! here, behind a feature, because that crate's interface is unsafe and this is the crate where such code is read.

use gemm::Parallelism;

/// `out[i][j] = sum over k of a[i][k] * b(k, j)`, where `b(k, j)` is `b[k * b_row + j * b_col]`.
///
/// `a` has `rows` rows of `inner` values at `a_stride`; the result has `rows` rows of `cols` values at `out_stride`.
///
/// # Panics
///
/// If a slice is shorter than its shape and strides say, or the rows of `out` overlap.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a> {
    /// Left matrix, row-major.
    pub a: &'a [f32],
    /// Values from one of its rows to the next.
    pub a_stride: usize,
    /// Right matrix.
    pub b: &'a [f32],
    /// Values from one of its rows to the next.
    pub b_row: usize,
    /// Values from one of its columns to the next.
    pub b_col: usize,
    /// Rows of the result.
    pub rows: usize,
    /// Terms of each sum.
    pub inner: usize,
    /// Columns of the result.
    pub cols: usize,
}

impl Product<'_> {
    /// Writes the product to `out`.
    pub fn write(self, out: &mut [f32], out_stride: usize) {
        let Self { a, a_stride, b, b_row, b_col, rows, inner, cols } = self;
        if rows == 0 || cols == 0 {
            return;
        }
        assert!(inner > 0 && out_stride >= cols, "empty sum or overlapping rows of the result");
        assert!(last_index(rows, a_stride, inner, 1) < a.len(), "left matrix is too short");
        assert!(last_index(inner, b_row, cols, b_col) < b.len(), "right matrix is too short");
        assert!(last_index(rows, out_stride, cols, 1) < out.len(), "result is too short");
        let stride = |value: usize| isize::try_from(value).expect("stride fits");
        // SAFETY:
        // - every index gemm reads or writes is at most the last index of its matrix, asserted above to be inside;
        // - `out` is borrowed mutably, so it does not overlap `a` or `b`, and its rows do not overlap each other;
        // - `read_dst` is false, and all memory is initialized anyway.
        unsafe {
            gemm::gemm(
                rows,
                cols,
                inner,
                out.as_mut_ptr(),
                1,
                stride(out_stride),
                false,
                a.as_ptr(),
                1,
                stride(a_stride),
                b.as_ptr(),
                stride(b_col),
                stride(b_row),
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

/// The index of the last element of a `rows x cols` matrix with the given strides.
fn last_index(rows: usize, row_stride: usize, cols: usize, col_stride: usize) -> usize {
    let down = (rows - 1).checked_mul(row_stride).expect("matrix size fits");
    let across = (cols - 1).checked_mul(col_stride).expect("matrix size fits");
    down.checked_add(across).expect("matrix size fits")
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn agrees_with_the_definition_for_both_orders_of_b() {
        let (rows, inner, cols) = (3, 5, 4);
        let a: Vec<f32> = (0..rows * 7).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f32> = (0..inner * cols).map(|i| (i as f32 * 0.91).cos()).collect();
        for (b_row, b_col) in [(cols, 1), (1, inner)] {
            let mut out = vec![9.0; rows * 6];
            Product { a: &a, a_stride: 7, b: &b, b_row, b_col, rows, inner, cols }.write(&mut out, 6);
            for i in 0..rows {
                for j in 0..cols {
                    let sum: f32 = (0..inner).map(|k| a[i * 7 + k] * b[k * b_row + j * b_col]).sum();
                    assert!((out[i * 6 + j] - sum).abs() < 1e-6);
                }
                assert_eq!(out[i * 6 + 4..i * 6 + 6], [9.0; 2], "gap between rows");
            }
        }
    }

    #[test]
    #[should_panic(expected = "right matrix is too short")]
    fn short_input_is_refused() {
        let product =
            Product { a: &[1.0; 4], a_stride: 2, b: &[1.0; 3], b_row: 2, b_col: 1, rows: 2, inner: 2, cols: 2 };
        product.write(&mut [0.0; 4], 2);
    }
}

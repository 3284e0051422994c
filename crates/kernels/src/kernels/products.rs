//! The matrix products.

use core::ops::Range;

use super::Kernels;
use crate::matrix::{Epilogue, Matrix, RowScale, Vector, Weights, quantized_stride};
use crate::operations::{FloatProduct, Gemm, Int8Product, Output};

impl Kernels {
    /// Product of quantized rows with some channels of an int8 or 4-bit matrix: `out[row * out_stride + (n -
    /// channels.start)] = epilogue(sum * (row scale * scale of n) + bias[n])`, the sum being exact.
    /// No bias counts as a bias of zero.
    ///
    /// `values` and `scales` are what [`quantize_rows`](Self::quantize_rows) made.
    ///
    /// # Panics
    ///
    /// When `w` is float, `values` is not `[scales.len()][quantized_stride(w.inputs())]`,
    /// `channels` leaves the matrix, `bias` has not one value for each channel of the matrix,
    /// `out_stride` is less than the number of channels made, or `out` is too short.
    #[expect(clippy::too_many_arguments, reason = "a matrix product: two operands, a part of one, and where it goes")]
    pub fn matmul_int8(
        self,
        values: &[i8],
        scales: &[RowScale],
        w: &Matrix<'_>,
        channels: Range<usize>,
        bias: Option<Vector<'_>>,
        epilogue: Epilogue,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let Weights::Integer(weights, weight_scales) = w.weights else {
            panic!("matmul_int8: the matrix is float; use matmul_f32");
        };
        let stride = quantized_stride(w.k);
        assert_eq!(
            Some(values.len()),
            scales.len().checked_mul(stride),
            "matmul_int8: values must be rows * quantized_stride(k) long"
        );
        let output = Output { channels, bias, epilogue, stride: out_stride };
        if !check_output("matmul_int8", w, &output, scales.len(), out.len()) {
            return;
        }
        let product = Int8Product { values, scales, weights, weight_scales, layout: w.layout, k: w.k, output };
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.matmul_int8)(&product, out) }
    }

    /// Product of float rows with some channels of a float matrix: `out[row * out_stride + (n -
    /// channels.start)] = epilogue(sum + bias[n])`. No bias counts as a bias of zero.
    ///
    /// `x` is `[rows][w.inputs()]`. The order of the sum is that of the layout (see the crate's
    /// documentation), so the two layouts of one matrix give results that differ in the last bits.
    ///
    /// # Panics
    ///
    /// When `w` is not float, `x` has another length, or as [`matmul_int8`](Self::matmul_int8) does.
    #[expect(clippy::too_many_arguments, reason = "a matrix product: two operands, a part of one, and where it goes")]
    pub fn matmul_f32(
        self,
        x: &[f32],
        rows: usize,
        w: &Matrix<'_>,
        channels: Range<usize>,
        bias: Option<Vector<'_>>,
        epilogue: Epilogue,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let Weights::Float(weights) = w.weights else {
            panic!("matmul_f32: the weights are integers; use matmul_int8");
        };
        assert_eq!(Some(x.len()), rows.checked_mul(w.k), "matmul_f32: x must be rows * k long");
        let output = Output { channels, bias, epilogue, stride: out_stride };
        if !check_output("matmul_f32", w, &output, rows, out.len()) {
            return;
        }
        let product = FloatProduct { x, rows, weights, layout: w.layout, k: w.k, output };
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.matmul_f32)(&product, out) }
    }

    /// Product of two float matrices with rows of any stride: `out[i][j] = scale * sum of a[i][k] *
    /// b[k][j]`.
    ///
    /// `a` is `[rows][k]`, `b` is `[k][n]`, `out` is `[rows][n]`. With `k` zero the sums are zero.
    ///
    /// # Panics
    ///
    /// When a stride is less than its row, or a slice ends before its last row does.
    #[expect(clippy::too_many_arguments, reason = "the shape of a general matrix product")]
    pub fn gemm_f32(
        self,
        a: &[f32],
        a_stride: usize,
        rows: usize,
        b: &[f32],
        b_stride: usize,
        k: usize,
        n: usize,
        scale: f32,
        out: &mut [f32],
        out_stride: usize,
    ) {
        assert!(holds(a.len(), rows, k, a_stride), "gemm_f32: a must hold rows of k, a_stride apart");
        assert!(holds(b.len(), k, n, b_stride), "gemm_f32: b must hold k rows of n, b_stride apart");
        assert!(holds(out.len(), rows, n, out_stride), "gemm_f32: out must hold rows of n, out_stride apart");
        if rows == 0 || n == 0 {
            return;
        }
        if k == 0 {
            out.chunks_mut(out_stride).take(rows).for_each(|row| row[..n].fill(scale * 0.0));
            return;
        }
        let gemm = Gemm { a, a_stride, rows, b, b_stride, k, n, scale, out_stride };
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.gemm_f32)(&gemm, out) }
    }
}

/// Whether `rows` rows of `width`, `stride` apart, fit into `len`.
pub(super) fn holds(len: usize, rows: usize, width: usize, stride: usize) -> bool {
    let Some(before) = rows.checked_sub(1) else {
        return true;
    };
    stride >= width
        && before.checked_mul(stride).and_then(|start| start.checked_add(width)).is_some_and(|end| end <= len)
}

/// Panics unless the output fits; false when there is nothing to make.
fn check_output(operation: &str, w: &Matrix<'_>, output: &Output<'_>, rows: usize, out_len: usize) -> bool {
    let Range { start, end } = output.channels;
    assert!(start <= end && end <= w.n, "{operation}: the channels must lie inside the matrix");
    if let Some(bias) = output.bias {
        assert_eq!(bias.len(), w.n, "{operation}: the bias must have one value for each channel of the matrix");
    }
    assert!(
        holds(out_len, rows, end - start, output.stride),
        "{operation}: out must hold one row of the channels for each row, out_stride apart"
    );
    rows > 0 && start < end
}

//! The public operations: every argument is checked here, once, for every instruction set.

use core::fmt;
use core::ops::Range;

use crate::isa::{Isa, IsaUnavailable};
use crate::matrix::{Epilogue, Matrix, RowScale, Vector, Weights, quantized_stride};
use crate::native;
use crate::operations::{FloatProduct, Gemm, Int8Product, Operations, Output};
use crate::reference;

/// Proof that an instruction set can run here, and the operations in it.
///
/// # Panics
///
/// Every operation panics when its slices do not have the stated lengths; nothing is written in
/// that case.
#[derive(Clone, Copy)]
pub struct Kernels(&'static Operations);

impl Kernels {
    /// The plain Rust that defines every result.
    pub fn reference() -> Self {
        Kernels(&reference::OPERATIONS)
    }

    /// The fastest instruction set of this machine.
    pub fn detect() -> Self {
        Isa::ALL
            .into_iter()
            .rev()
            .find_map(|isa| Self::with_isa(isa).ok())
            .unwrap_or_else(Self::reference)
    }

    /// This instruction set.
    ///
    /// # Errors
    ///
    /// When the machine, or the operating system, cannot run it.
    pub fn with_isa(isa: Isa) -> Result<Self, IsaUnavailable> {
        match isa {
            Isa::Reference => Ok(Self::reference()),
            isa => native::operations(isa)
                .map(Kernels)
                .ok_or(IsaUnavailable(isa)),
        }
    }

    /// Every instruction set that can run here, the reference first.
    pub fn available() -> impl Iterator<Item = Self> {
        Isa::ALL
            .into_iter()
            .filter_map(|isa| Self::with_isa(isa).ok())
    }

    /// Which instruction set this is.
    pub fn isa(self) -> Isa {
        self.0.isa
    }

    /// Quantizes rows of `k` floats to int8, each with its own scale: `amax / 127`, or 0 with
    /// values 0 when no magnitude reaches 1e-30. Rounds half to even.
    ///
    /// `x` is `[rows][k]` and `values` is `[rows][quantized_stride(k)]` with `rows = scales.len()`;
    /// the padding of each row is set to zero.
    ///
    /// # Panics
    ///
    /// When `x` or `values` has another length, or `k` is zero.
    pub fn quantize_rows(self, x: &[f32], k: usize, values: &mut [i8], scales: &mut [RowScale]) {
        let rows = scales.len();
        assert!(k > 0, "quantize_rows: a row needs at least one value");
        assert_eq!(
            Some(x.len()),
            rows.checked_mul(k),
            "quantize_rows: x must be rows * k long"
        );
        assert_eq!(
            Some(values.len()),
            rows.checked_mul(quantized_stride(k)),
            "quantize_rows: values must be rows * quantized_stride(k) long"
        );
        // SAFETY: this token exists, so its instruction set does.
        unsafe { (self.0.quantize_rows)(x, k, values, scales) }
    }

    /// Product of quantized rows with some channels of an int8 matrix: `out[row * out_stride + (n -
    /// channels.start)] = epilogue(sum * (row scale * scale of n) + bias[n])`, the sum being exact.
    /// No bias counts as a bias of zero.
    ///
    /// `values` and `scales` are what [`quantize_rows`](Self::quantize_rows) made.
    ///
    /// # Panics
    ///
    /// When `w` is not int8, `values` is not `[scales.len()][quantized_stride(w.inputs())]`,
    /// `channels` leaves the matrix, `bias` has not one value for each channel of the matrix,
    /// `out_stride` is less than the number of channels made, or `out` is too short.
    #[expect(
        clippy::too_many_arguments,
        reason = "a matrix product: two operands, a part of one, and where it goes"
    )]
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
        let Weights::Int8 {
            values: weights,
            scales: weight_scales,
        } = w.weights
        else {
            panic!("matmul_int8: the matrix is float; use matmul_f32");
        };
        let stride = quantized_stride(w.k);
        assert_eq!(
            Some(values.len()),
            scales.len().checked_mul(stride),
            "matmul_int8: values must be rows * quantized_stride(k) long"
        );
        let output = Output {
            channels,
            bias,
            epilogue,
            stride: out_stride,
        };
        if !check_output("matmul_int8", w, &output, scales.len(), out.len()) {
            return;
        }
        let product = Int8Product {
            values,
            scales,
            weights,
            weight_scales,
            layout: w.layout,
            k: w.k,
            output,
        };
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
    /// When `w` is int8, `x` has another length, or as [`matmul_int8`](Self::matmul_int8) does.
    #[expect(
        clippy::too_many_arguments,
        reason = "a matrix product: two operands, a part of one, and where it goes"
    )]
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
            panic!("matmul_f32: the matrix is int8; use matmul_int8");
        };
        assert_eq!(
            Some(x.len()),
            rows.checked_mul(w.k),
            "matmul_f32: x must be rows * k long"
        );
        let output = Output {
            channels,
            bias,
            epilogue,
            stride: out_stride,
        };
        if !check_output("matmul_f32", w, &output, rows, out.len()) {
            return;
        }
        let product = FloatProduct {
            x,
            rows,
            weights,
            layout: w.layout,
            k: w.k,
            output,
        };
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
    #[expect(
        clippy::too_many_arguments,
        reason = "the shape of a general matrix product"
    )]
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
        assert!(
            holds(a.len(), rows, k, a_stride),
            "gemm_f32: a must hold rows of k, a_stride apart"
        );
        assert!(
            holds(b.len(), k, n, b_stride),
            "gemm_f32: b must hold k rows of n, b_stride apart"
        );
        assert!(
            holds(out.len(), rows, n, out_stride),
            "gemm_f32: out must hold rows of n, out_stride apart"
        );
        if rows == 0 || n == 0 {
            return;
        }
        if k == 0 {
            out.chunks_mut(out_stride)
                .take(rows)
                .for_each(|row| row[..n].fill(scale * 0.0));
            return;
        }
        let gemm = Gemm {
            a,
            a_stride,
            rows,
            b,
            b_stride,
            k,
            n,
            scale,
            out_stride,
        };
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.gemm_f32)(&gemm, out) }
    }

    /// Softmax of a row. Differences to the largest value below -64 count as -64, so no result is
    /// denormal.
    pub fn softmax(self, row: &mut [f32]) {
        // SAFETY: this token exists, so its instruction set does.
        unsafe { (self.0.softmax)(row) }
    }

    /// Layer normalization of a row: `(x - mean) / sqrt(variance + eps) * gamma + beta`.
    ///
    /// # Panics
    ///
    /// When `gamma` or `beta` is not as long as the row.
    pub fn layer_norm(self, row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
        assert_eq!(
            gamma.len(),
            row.len(),
            "layer_norm: gamma must be as long as the row"
        );
        assert_eq!(
            beta.len(),
            row.len(),
            "layer_norm: beta must be as long as the row"
        );
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.layer_norm)(row, gamma, beta, eps) }
    }

    /// `out += values * scale`: an int8 embedding row onto a float one.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn add_dequantized(self, values: &[i8], scale: f32, out: &mut [f32]) {
        assert_eq!(
            values.len(),
            out.len(),
            "add_dequantized: the lengths must be equal"
        );
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.add_dequantized)(values, scale, out) }
    }

    /// `out += x`.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn add(self, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "add: the lengths must be equal");
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.add)(x, out) }
    }

    /// `x *= factor`.
    pub fn scale(self, factor: f32, x: &mut [f32]) {
        // SAFETY: this token exists, so its instruction set does.
        unsafe { (self.0.scale)(factor, x) }
    }

    /// Sum of the squares.
    pub fn sum_squares(self, x: &[f32]) -> f32 {
        // SAFETY: this token exists, so its instruction set does.
        unsafe { (self.0.sum_squares)(x) }
    }

    /// GELU (the exact one, with erf) of each value. Maximum error 5e-8 + 1.2e-7 of the result's
    /// magnitude.
    pub fn gelu(self, x: &mut [f32]) {
        // SAFETY: this token exists, so its instruction set does.
        unsafe { (self.0.gelu)(x) }
    }
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kernels").field(&self.isa()).finish()
    }
}

/// Whether `rows` rows of `width`, `stride` apart, fit into `len`.
fn holds(len: usize, rows: usize, width: usize, stride: usize) -> bool {
    let Some(before) = rows.checked_sub(1) else {
        return true;
    };
    stride >= width
        && before
            .checked_mul(stride)
            .and_then(|start| start.checked_add(width))
            .is_some_and(|end| end <= len)
}

/// Panics unless the output fits; false when there is nothing to make.
fn check_output(
    operation: &str,
    w: &Matrix<'_>,
    output: &Output<'_>,
    rows: usize,
    out_len: usize,
) -> bool {
    let Range { start, end } = output.channels;
    assert!(
        start <= end && end <= w.n,
        "{operation}: the channels must lie inside the matrix"
    );
    if let Some(bias) = output.bias {
        assert_eq!(
            bias.len(),
            w.n,
            "{operation}: the bias must have one value for each channel of the matrix"
        );
    }
    assert!(
        holds(out_len, rows, end - start, output.stride),
        "{operation}: out must hold one row of the channels for each row, out_stride apart"
    );
    rows > 0 && start < end
}

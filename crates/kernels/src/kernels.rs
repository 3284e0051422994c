//! The public operations: every argument is checked here, once, for every instruction set.

mod products;
mod tables;

use core::fmt;

use crate::isa::{Isa, IsaUnavailable};
use crate::layout::{self, Group, Layout, Width};
use crate::matrix::{RowScale, quantized_stride};
use crate::native;
use crate::operations::{GroupedRow, Operations};
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
        Isa::ALL.into_iter().rev().find_map(|isa| Self::with_isa(isa).ok()).unwrap_or_else(Self::reference)
    }

    /// This instruction set.
    ///
    /// # Errors
    ///
    /// When the machine, or the operating system, cannot run it.
    pub fn with_isa(isa: Isa) -> Result<Self, IsaUnavailable> {
        match isa {
            Isa::Reference => Ok(Self::reference()),
            isa => native::operations(isa).map(Kernels).ok_or(IsaUnavailable(isa)),
        }
    }

    /// Every instruction set that can run here, the reference first.
    pub fn available() -> impl Iterator<Item = Self> {
        Isa::ALL.into_iter().filter_map(|isa| Self::with_isa(isa).ok())
    }

    /// Which instruction set this is.
    pub fn isa(self) -> Isa {
        self.0.isa
    }

    /// The tiled layout that [`matmul_int8`](Self::matmul_int8) reads fastest here; it takes all of
    /// them, with the same bits.
    pub fn layout(self) -> Layout {
        self.0.layout
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
        assert_eq!(Some(x.len()), rows.checked_mul(k), "quantize_rows: x must be rows * k long");
        assert_eq!(
            Some(values.len()),
            rows.checked_mul(quantized_stride(k)),
            "quantize_rows: values must be rows * quantized_stride(k) long"
        );
        // SAFETY: this token exists, so its instruction set does.
        unsafe { (self.0.quantize_rows)(x, k, k, values, scales) }
    }

    /// [`quantize_rows`](Self::quantize_rows) of rows that are `stride` floats apart: some columns of
    /// wider rows.
    ///
    /// # Panics
    ///
    /// When `k` is zero or more than `stride`, `x` ends before the last row does, or `values` is not
    /// `[scales.len()][quantized_stride(k)]`.
    pub fn quantize_columns(self, x: &[f32], stride: usize, k: usize, values: &mut [i8], scales: &mut [RowScale]) {
        let rows = scales.len();
        assert!(k > 0, "quantize_columns: a row needs at least one value");
        assert!(products::holds(x.len(), rows, k, stride), "quantize_columns: x must hold rows of k, stride apart");
        assert_eq!(
            Some(values.len()),
            rows.checked_mul(quantized_stride(k)),
            "quantize_columns: values must be rows * quantized_stride(k) long"
        );
        let x = if rows == 0 { &[] } else { &x[..(rows - 1) * stride + k] };
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.quantize_rows)(x, stride, k, values, scales) }
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
        assert_eq!(gamma.len(), row.len(), "layer_norm: gamma must be as long as the row");
        assert_eq!(beta.len(), row.len(), "layer_norm: beta must be as long as the row");
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.layer_norm)(row, gamma, beta, eps) }
    }

    /// [`layer_norm`](Self::layer_norm) of a row, which is then also quantized, as
    /// [`quantize_rows`](Self::quantize_rows) does it.
    ///
    /// # Panics
    ///
    /// When `gamma` or `beta` is not as long as the row, or `values` not
    /// [`quantized_stride`]`(row.len())`, or the row is empty.
    pub fn norm_quantize(self, row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32, values: &mut [i8]) -> RowScale {
        assert!(!row.is_empty(), "norm_quantize: a row needs at least one value");
        assert_eq!(gamma.len(), row.len(), "norm_quantize: gamma must be as long as the row");
        assert_eq!(beta.len(), row.len(), "norm_quantize: beta must be as long as the row");
        assert_eq!(
            values.len(),
            quantized_stride(row.len()),
            "norm_quantize: values must be quantized_stride(row.len()) long"
        );
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.norm_quantize)(row, gamma, beta, eps, values) }
    }

    /// The softmax of a row of attention scores, ready to be multiplied with quantized values.
    ///
    /// Each probability is multiplied by the scale of its token's value, and the row is quantized:
    /// the product with the int8 values is then the weighted sum of the float ones. The sum of the
    /// exponentials goes into the scale of the row, so nothing is divided by it one by one.
    /// Differences to the largest score below -64 count as -64. `scores` are left with the
    /// exponentials times the token scales.
    ///
    /// # Panics
    ///
    /// When `token_scales` is not as long as `scores`, or `values` not
    /// [`quantized_stride`]`(scores.len())`, or the row is empty.
    pub fn attention_weights(self, scores: &mut [f32], token_scales: &[f32], values: &mut [i8]) -> RowScale {
        assert!(!scores.is_empty(), "attention_weights: a row needs at least one score");
        assert_eq!(token_scales.len(), scores.len(), "attention_weights: every score needs the scale of its token");
        assert_eq!(
            values.len(),
            quantized_stride(scores.len()),
            "attention_weights: values must be quantized_stride(scores.len()) long"
        );
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.attention_weights)(scores, token_scales, values) }
    }

    /// `out += values * scale`: an int8 embedding row onto a float one.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn add_dequantized(self, values: &[i8], scale: f32, out: &mut [f32]) {
        assert_eq!(values.len(), out.len(), "add_dequantized: the lengths must be equal");
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.add_dequantized)(values, scale, out) }
    }

    /// `out += weights * scale`: a 4-bit embedding row onto a float one. `nibbles` and `groups` are
    /// one row of a row-major matrix (see [`layout`]).
    ///
    /// # Panics
    ///
    /// When `nibbles` or `groups` has not the length that `out` needs.
    pub fn add_dequantized_int4(self, nibbles: &[u8], groups: &[u8], group: Group, scale: f32, out: &mut [f32]) {
        self.add_grouped(&GroupedRow { packed: nibbles, width: Width::Four, groups, group, scale }, out);
    }

    /// [`add_dequantized_int4`](Self::add_dequantized_int4) of a 3-bit embedding row, in groups of 32.
    ///
    /// # Panics
    ///
    /// When `packed` or `groups` has not the length that `out` needs.
    pub fn add_dequantized_int3(self, packed: &[u8], groups: &[u8], scale: f32, out: &mut [f32]) {
        self.add_grouped(&GroupedRow { packed, width: Width::Three, groups, group: Group::Of32, scale }, out);
    }

    /// A row of a table with group scales.
    fn add_grouped(self, row: &GroupedRow<'_>, out: &mut [f32]) {
        let rows = Layout::RowMajor;
        assert_eq!(
            Some(row.packed.len()),
            layout::int4::grouped_len(1, out.len(), row.group, rows, row.width),
            "add_dequantized: the weights of a row, padded to a group"
        );
        assert_eq!(
            Some(row.groups.len()),
            layout::group_count(1, out.len(), row.group, rows),
            "add_dequantized: every group needs a scale"
        );
        // SAFETY: this token exists, so its instruction set does; the lengths are checked.
        unsafe { (self.0.add_dequantized_grouped)(row, out) }
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

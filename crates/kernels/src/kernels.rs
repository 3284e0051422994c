//! The public operations: every argument is checked here, once, for every instruction set.

mod products;

use core::fmt;

use crate::isa::{Isa, IsaUnavailable};
use crate::matrix::{RowScale, quantized_stride};
use crate::native;
use crate::operations::Operations;
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
        unsafe { (self.0.quantize_rows)(x, k, values, scales) }
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

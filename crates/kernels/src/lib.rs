//! The arithmetic of a BERT encoder, with the same bits in every result on every instruction set.
//!
//! [`Kernels`] is a proof that an instruction set exists here; its methods are the operations.
//! Nothing is allocated, nothing is started, and no operation keeps state. All memory comes from
//! the caller.
//!
//! # What "the same bits" rests on
//!
//! - Integers are exact: products of int8 and 4-bit weights are summed in `i32`.
//! - Floats are `f32`, each `*` and `+` rounded on its own; a fused multiply-add is never used.
//! - A sum over a row runs in [`LANES`] virtual lanes (element `i` goes to lane `i % 16`, each lane
//!   starts at `+0.0` and takes its elements in ascending order), then in a fixed tree: lanes 8..16
//!   onto 0..8, 4..8 onto 0..4, 2..4 onto 0..2, 1 onto 0.
//! - A product of float matrices sums over `k` in ascending order with one accumulator for each
//!   output, except over a [`Layout::RowMajor`] matrix, where it is such a row sum.
//! - `exp`, `tanh`, `rsqrt` and GELU are this crate's own polynomials; none of them reaches a
//!   denormal.
//!
//! The plain Rust of `reference` is the definition; one test body per operation compares all the
//! others with it. Results for NaN and infinite inputs are memory-safe and unspecified.

#![no_std]
#![allow(unsafe_code, reason = "the only crate of the workspace with instruction sets to prove")]

#[cfg(target_endian = "big")]
compile_error!("packed models are little-endian and are read in place: a big-endian target cannot run them");

pub mod cast;
#[cfg(feature = "gemm")]
pub mod host_gemm;
mod isa;
mod kernels;
pub mod layout;
mod matrix;
mod operations;
mod reference;
mod scalar;

// The one place where a target chooses its instruction sets: every `native` module has the same
// `operations(Isa) -> Option<&'static Operations>`, and those with vectors share `vector`.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[path = "x86_64/mod.rs"]
mod native;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
#[path = "aarch64/mod.rs"]
mod native;
#[cfg(any(m_profile = "7e", m_profile = "8"))]
#[path = "arm_m/mod.rs"]
mod native;
#[cfg(not(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "aarch64", target_feature = "neon"),
    m_profile = "7e",
    m_profile = "8",
)))]
#[path = "portable.rs"]
mod native;
#[cfg(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "aarch64", target_feature = "neon"),
))]
mod vector;

pub use isa::{Isa, IsaUnavailable, UnknownIsa};
pub use kernels::Kernels;
pub use layout::{Group, Layout};
pub use matrix::{Epilogue, Matrix, RowScale, Scales, ShapeError, Vector, quantized_stride};
pub use scalar::{bf16_to_f32, exp, f16_to_f32, rsqrt, tanh};

/// Number of virtual lanes of every float sum over a row, on every instruction set.
pub const LANES: usize = 16;

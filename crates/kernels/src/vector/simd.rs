//! The primitive operations on 16 virtual lanes.

use super::functions;
use crate::LANES;
use crate::scalar::{MAGIC, max};

/// Proof that an instruction set exists, and its operations on 16 virtual lanes in however many
/// registers they take.
///
/// A value of an implementing type can only be made where the instructions exist, so every method
/// is safe. The methods must be `#[inline(always)]`, and bit for bit what the plain Rust in each
/// comment says.
pub(crate) trait Simd: Copy {
    /// 16 floats.
    type F32: Copy;
    /// 16 integers.
    type I32: Copy;

    /// The same number in every lane.
    fn splat(self, x: f32) -> Self::F32;
    /// Lane `i` is element `i`.
    fn load(self, from: &[f32; LANES]) -> Self::F32;
    /// Element `i` is lane `i`.
    fn store(self, x: Self::F32, to: &mut [f32; LANES]);
    /// `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b`.
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `if a > b { a } else { b }`.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `if a < b { a } else { b }`.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The larger one: either zero of two zeros, and anything if there is a NaN.
    #[inline(always)]
    fn larger(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        self.max(a, b)
    }
    /// The smaller one: either zero of two zeros, and anything if there is a NaN.
    #[inline(always)]
    fn smaller(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        self.min(a, b)
    }
    /// The largest lane: either zero, and anything if there is a NaN.
    #[inline(always)]
    fn largest(self, x: Self::F32) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(x, &mut lanes);
        lanes.into_iter().fold(f32::NEG_INFINITY, max)
    }
    /// Clears the sign bit.
    fn abs(self, x: Self::F32) -> Self::F32;
    /// `f32::from_bits(p.to_bits() + (shifted.to_bits() << 23))`.
    fn times_power_of_two(self, p: Self::F32, shifted: Self::F32) -> Self::F32;
    /// Whether GELU has so many constants that it is best a loop of its own, [`gelu_rows`](Self::gelu_rows).
    const GELU_APART: bool = false;

    /// `scalar::gelu` of the first 16 elements of each of `rows` rows, `stride` apart.
    #[inline(always)]
    fn gelu_rows(self, x: &mut [f32], stride: usize, rows: usize) {
        for i in 0..rows {
            let x = x[i * stride..].first_chunk_mut().expect("16 elements in each row");
            self.store(functions::gelu(self, self.load(x)), x);
        }
    }

    /// The same integer in every lane.
    fn splat_i32(self, x: i32) -> Self::I32;
    /// Lane `i` is element `i`.
    fn load_i32(self, from: &[i32; LANES]) -> Self::I32;
    /// Element `i` is lane `i`.
    fn store_i32(self, x: Self::I32, to: &mut [i32; LANES]);
    /// Lane `i` is element `i`, sign-extended.
    fn load_i8(self, from: &[i8; LANES]) -> Self::I32;
    /// Element `i` is the low byte of lane `i`.
    fn store_i8(self, x: Self::I32, to: &mut [i8; LANES]);
    /// `a + b`, wrapping.
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `a - b`, wrapping.
    fn sub_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `x as f32`: rounds to nearest, ties to even.
    fn to_f32(self, x: Self::I32) -> Self::F32;
    /// `i32::from(x.to_bits() as i8)`: the low byte of the bits, sign-extended.
    fn low_byte(self, x: Self::F32) -> Self::I32;

    /// Element `i` is the integer nearest to lane `i`, ties to even, all of them in [-127, 127]. The
    /// lanes of the result add up to those of `sums` and the elements.
    #[inline(always)]
    fn round_i8(self, x: Self::F32, to: &mut [i8; LANES], sums: Self::I32) -> Self::I32 {
        let rounded = self.low_byte(self.add(x, self.splat(MAGIC)));
        self.store_i8(rounded, to);
        self.add_i32(sums, rounded)
    }

    /// The lanes folded in half by addition until one is left.
    fn sum(self, x: Self::F32) -> f32;
}

/// Up to 16 floats; the other lanes are `fill`.
#[inline(always)]
pub(super) fn load_part<S: Simd>(s: S, from: &[f32], fill: f32) -> S::F32 {
    let mut lanes = [fill; LANES];
    lanes[..from.len()].copy_from_slice(from);
    s.load(&lanes)
}

/// The first lanes, as many as `to` has elements.
#[inline(always)]
pub(super) fn store_part<S: Simd>(s: S, x: S::F32, to: &mut [f32]) {
    let mut lanes = [0.0; LANES];
    s.store(x, &mut lanes);
    to.copy_from_slice(&lanes[..to.len()]);
}

//! `exp` and GELU on 16 lanes: line for line what `scalar` does to one number.

use super::Simd;
use crate::scalar::{EXP, EXP2, GELU_HIGH, HALF_ERFC, LN2_HIGH, LN2_LOW, LOG2_E, MAGIC};

#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::F32, coefficients: &[f32; N]) -> S::F32 {
    let mut sum = s.splat(coefficients[N - 1]);
    for &c in coefficients[..N - 1].iter().rev() {
        sum = s.add(s.mul(sum, x), s.splat(c));
    }
    sum
}

#[inline(always)]
fn split_polynomial<S: Simd, const N: usize>(s: S, x: S::F32, coefficients: &[f32; N]) -> S::F32 {
    let square = s.mul(x, x);
    let mut sums = [s.splat(0.0); 2];
    sums[(N - 1) % 2] = s.splat(coefficients[N - 1]);
    sums[N % 2] = s.splat(coefficients[N - 2]);
    for i in (0..N - 2).rev() {
        sums[i % 2] = s.add(s.mul(sums[i % 2], square), s.splat(coefficients[i]));
    }
    s.add(sums[0], s.mul(x, sums[1]))
}

/// `scalar::exp` of each lane, all in [-87, 88]: there its limits change nothing.
#[inline(always)]
pub(super) fn exp_within<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let shifted = s.add(s.mul(x, s.splat(LOG2_E)), s.splat(MAGIC));
    let i = s.sub(shifted, s.splat(MAGIC));
    let f = s.sub(s.sub(x, s.mul(i, s.splat(LN2_HIGH))), s.mul(i, s.splat(LN2_LOW)));
    s.times_power_of_two(polynomial(s, f, &EXP), shifted)
}

/// [`HALF_ERFC`] with the other sign. Rounding does not depend on the sign, and the polynomial is
/// never zero, so its value is the other one's with the other sign, bit for bit.
const MINUS_HALF_ERFC: [f32; HALF_ERFC.len()] = {
    let mut minus = HALF_ERFC;
    let mut i = 0;
    while i < minus.len() {
        minus[i] = -minus[i];
        i += 1;
    }
    minus
};

/// `scalar::gelu` of each lane.
#[inline(always)]
pub(super) fn gelu<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let a = s.smaller(s.splat(GELU_HIGH), s.abs(x));
    let t = split_polynomial(s, a, &MINUS_HALF_ERFC);
    let shifted = s.add(t, s.splat(MAGIC));
    let f = s.sub(t, s.sub(shifted, s.splat(MAGIC)));
    let tail = s.times_power_of_two(split_polynomial(s, f, &EXP2), shifted);
    s.sub(s.max(s.splat(0.0), x), s.mul(a, tail))
}

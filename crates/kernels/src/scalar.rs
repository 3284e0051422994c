//! The functions of one number, and the constants that their vector forms share.
//!
//! The coefficients come from `coefficients.py` beside this crate's manifest: weighted minimax
//! polynomials, rounded to `f32` one after the other. Only `*`, `+`, comparisons and bit operations
//! are used, and a division in [`tanh`].

/// Adding this to `|x| < 2^22` leaves the integer nearest to `x` (ties to even) in the low bits of
/// the sum.
pub(crate) const MAGIC: f32 = 12_582_912.0;
/// log2(e).
pub(crate) const LOG2_E: f32 = core::f32::consts::LOG2_E;
/// ln 2, its upper bits: the product with an integer below 2^9 is exact.
pub(crate) const LN2_HIGH: f32 = 0.693_359_4;
/// ln 2 minus [`LN2_HIGH`].
pub(crate) const LN2_LOW: f32 = -2.121_944_4e-4;
/// Below it, [`exp`] takes it for its argument: the result stays above 2^-126.
pub(crate) const EXP_LOW: f32 = -87.0;
/// Above it, [`exp`] takes it for its argument: the result stays finite.
pub(crate) const EXP_HIGH: f32 = 88.0;
/// A row to quantize whose magnitudes all stay below it is all zeros.
pub(crate) const SMALLEST: f32 = 1e-30;
/// Softmax takes no difference to the largest value below it: e^-64 divided by a row's sum is no
/// denormal.
pub(crate) const SOFTMAX_LOW: f32 = -64.0;

/// e^f on [-ln2/2, ln2/2], from the constant term up; relative error 4.4e-9.
pub(crate) const EXP: [f32; 7] = [1.0, 1.0, 0.5, 0.166_664_88, 0.041_665_55, 0.008_372_286, 0.001_403_607_1];
/// 2^f on [-1/2, 1/2], from the constant term up; relative error 5.3e-9.
pub(crate) const EXP2: [f32; 7] =
    [1.0, 0.693_147_24, 0.240_226_55, 0.055_502_724, 0.009_617_064, 0.001_341_824, 0.000_158_188_53];
/// -log2(erfc(a / sqrt 2) / 2) for a in [0, 6], from the constant term up; 2 to the minus that has
/// the error 1.1e-8 (absolute), or 1.1e-4 (relative) where that is less.
pub(crate) const HALF_ERFC: [f32; 10] = [
    1.0,
    1.151_105_5,
    0.459_205_03,
    0.052_504_674,
    -0.007_068_468_3,
    1.276_875_7e-4,
    2.016_626_1e-4,
    -4.831_31e-5,
    5.115_821e-6,
    -2.154_537_1e-7,
];
/// GELU takes no magnitude above it: erfc(6 / sqrt 2) / 2 is 9.9e-10.
pub(crate) const GELU_HIGH: f32 = 6.0;
/// (tanh x - x) / x^3 on [0, 0.625] in powers of x^2; relative error of tanh 4.6e-9.
const TANH: [f32; 5] = [-0.333_332_8, 0.133_314_06, -0.053_736_515, 0.020_628_167, -0.005_692_296_7];

/// The larger one; the second when they do not compare or are equal. What `maxps` does.
#[inline(always)]
pub(crate) fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The smaller one; the second when they do not compare or are equal. What `minps` does.
#[inline(always)]
pub(crate) fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Clears the sign bit.
#[inline(always)]
pub(crate) fn abs(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0x7fff_ffff)
}

/// The polynomial with these coefficients, constant term first, by Horner's rule.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: &[f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for &c in coefficients[..N - 1].iter().rev() {
        sum = sum * x + c;
    }
    sum
}

/// The same polynomial as one in `x^2` plus `x` times another: half as long a chain of operations.
#[inline(always)]
fn split_polynomial<const N: usize>(x: f32, coefficients: &[f32; N]) -> f32 {
    let square = x * x;
    let mut sums = [0.0; 2];
    sums[(N - 1) % 2] = coefficients[N - 1];
    sums[N % 2] = coefficients[N - 2];
    for i in (0..N - 2).rev() {
        sums[i % 2] = sums[i % 2] * square + coefficients[i];
    }
    sums[0] + x * sums[1]
}

/// `p * 2^i` where `shifted` is `i + MAGIC` and the result is a normal number: adds `i` to the
/// exponent bits.
#[inline(always)]
fn times_power_of_two(p: f32, shifted: f32) -> f32 {
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// e^x, for x taken no lower than -87 and no higher than 88. Maximum error 1.2 ulp over that range.
///
/// x = i ln 2 + f with an integer i and |f| <= ln 2 / 2 (Cody and Waite's two-part ln 2), then a
/// polynomial of degree 6 for e^f and an addition to the exponent bits for 2^i. No result is
/// denormal.
#[inline]
pub fn exp(x: f32) -> f32 {
    let x = min(EXP_HIGH, max(EXP_LOW, x));
    let shifted = x * LOG2_E + MAGIC;
    let i = shifted - MAGIC;
    let f = (x - i * LN2_HIGH) - i * LN2_LOW;
    times_power_of_two(polynomial(f, &EXP), shifted)
}

/// GELU, x Φ(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, with the erfc as 2 to the minus a
/// polynomial.
///
/// Maximum error 5e-8 + 1.2e-7 |result|; relative to the result, 4e-7 above -1 and 1.2e-4 down to
/// -5.5. Below -6 the result stays at -5.9e-9.
#[inline]
pub(crate) fn gelu(x: f32) -> f32 {
    let a = min(GELU_HIGH, abs(x));
    let t = 0.0 - split_polynomial(a, &HALF_ERFC);
    let shifted = t + MAGIC;
    let f = t - (shifted - MAGIC);
    max(0.0, x) - a * times_power_of_two(split_polynomial(f, &EXP2), shifted)
}

/// 1 / sqrt(x) for a positive normal x. Maximum error 1.3 ulp.
///
/// The first guess halves the exponent bits (Lomont's constant); each of four Newton steps
/// y + y (1 - x y y) / 2 squares its error, the last two only settling the rounding.
#[inline]
pub fn rsqrt(x: f32) -> f32 {
    let mut y = f32::from_bits(0x5f37_5a86_u32.wrapping_sub(x.to_bits() >> 1));
    for _ in 0..4 {
        let residual = 1.0 - (x * y) * y;
        y += (0.5 * y) * residual;
    }
    y
}

/// Hyperbolic tangent. Maximum error 1.3 ulp.
///
/// An odd polynomial below 0.625, 1 - 2 / (e^2|x| + 1) above.
#[inline]
pub fn tanh(x: f32) -> f32 {
    let a = abs(x);
    if a < 0.625 {
        let square = x * x;
        return x + (x * square) * polynomial(square, &TANH);
    }
    let magnitude = 1.0 - 2.0 / (exp(2.0 * min(10.0, a)) + 1.0);
    if x < 0.0 { -magnitude } else { magnitude }
}

/// A bfloat16, given as bits.
#[inline]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// An IEEE half, given as bits; denormals, infinities and NaN included.
#[inline]
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff);
    let value = match magnitude {
        // A denormal half is magnitude / 2^24 and a normal float.
        0..0x0400 => {
            return f32::from_bits(sign | (magnitude as f32 * (1.0 / 16_777_216.0)).to_bits());
        }
        0x0400..0x7c00 => (magnitude << 13) + (112 << 23),
        _ => (magnitude << 13) | 0x7f80_0000,
    };
    f32::from_bits(sign | value)
}

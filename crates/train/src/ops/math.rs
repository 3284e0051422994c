//! `exp` and `erf` in plain `f32` arithmetic, written so that loops over them vectorize.

/// e^x. Relative error below 3e-7 on [-87, 88]; arguments outside are clamped to that range.
///
/// Cody-Waite reduction by powers of two and a polynomial of degree 5 (Cephes `expf`).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding and subtracting 1.5 x 2^23 rounds to the nearest integer.
    const MAGIC: f32 = 12_582_912.0;
    // Comparisons instead of `clamp`, which keeps a branch for NaN; a NaN passes through.
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let power = (x * std::f32::consts::LOG2_E + MAGIC) - MAGIC;
    let f = (x - power * 0.693_359_4) - power * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * f + 1.398_199_9e-3;
    p = p * f + 8.333_452e-3;
    p = p * f + 4.166_579_6e-2;
    p = p * f + 1.666_666_5e-1;
    p = p * f + 5e-1;
    let p = (p * f) * f + f + 1.0;
    // 2^power: the integer sits in the low bits of power + MAGIC.
    let bits = (power + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits());
    p * f32::from_bits(bits.wrapping_add(127) << 23)
}

/// The error function. Absolute error below 5e-7.
///
/// Rational approximation x P(x^2) / Q(x^2) on [-4, 4], as used by Eigen and XLA.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let x2 = x * x;
    let mut p = -2.726_142_3e-10;
    p = p * x2 + 2.770_681_4e-8;
    p = p * x2 + -2.101_024e-6;
    p = p * x2 + -5.692_506_4e-5;
    p = p * x2 + -7.349_906_3e-4;
    p = p * x2 + -2.954_599_8e-3;
    p = p * x2 + -1.609_603_3e-2;
    let mut q = -1.456_607_2e-5;
    q = q * x2 + -2.133_740_6e-4;
    q = q * x2 + -1.682_827e-3;
    q = q * x2 + -7.373_329e-3;
    q = q * x2 + -1.426_473_9e-2;
    x * p / q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_its_bound() {
        let mut worst = 0.0f64;
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max(((f64::from(exp(x)) - exact) / exact).abs());
        }
        assert!(worst < 3e-7, "{worst}");
        assert!(exp(f32::NAN).is_nan());
        assert_eq!(exp(-1e30), exp(-87.0));
    }

    #[test]
    fn erf_is_within_its_bound() {
        let mut worst = 0.0f64;
        for i in -60_000..=60_000 {
            let x = i as f32 * 1e-4;
            let exact = candle_core::cpu::erf::erf_f64(f64::from(x));
            worst = worst.max((f64::from(erf(x)) - exact).abs());
        }
        assert!(worst < 5e-7, "{worst}");
        assert!(erf(f32::NAN).is_nan());
    }
}

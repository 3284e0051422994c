//! `exp`, `tanh`, `rsqrt`, GELU and the 16-bit floats against float64, over all or densely over
//! their arguments.

mod common;

use common::ulps;
use distil_kernels::{Kernels, bf16_to_f32, exp, f16_to_f32, rsqrt, tanh};

/// Floats from `low` to `high`, every `step`th of their bit patterns. Both have the same sign.
fn floats(low: f32, high: f32, step: usize) -> impl Iterator<Item = f32> {
    let (a, b) = (low.to_bits(), high.to_bits());
    (a.min(b)..=a.max(b)).step_by(step).map(f32::from_bits)
}

#[test]
fn exp_is_within_its_bound() {
    let mut worst = 0.0_f64;
    for x in floats(-1e-9, -87.0, 31).chain(floats(1e-9, 88.0, 31)) {
        let found = exp(x);
        worst = worst.max(ulps(found, f64::from(x).exp()));
        assert!(found >= f32::MIN_POSITIVE, "{x}: denormal");
    }
    println!("exp: {worst:.3} ulp");
    assert!(worst <= 1.2, "{worst}");
}

#[test]
fn exp_is_clamped() {
    assert_eq!((exp(0.0), exp(-0.0)), (1.0, 1.0));
    assert_eq!(exp(-1e30), exp(-87.0));
    assert_eq!(exp(f32::NEG_INFINITY), exp(-87.0));
    assert_eq!(exp(f32::INFINITY), exp(88.0));
    assert!(exp(-87.0) >= f32::MIN_POSITIVE && exp(88.0).is_finite());
}

#[test]
fn rsqrt_is_within_its_bound() {
    // Two octaves: all others differ from them by a power of two, exactly.
    let mut worst = 0.0_f64;
    for x in floats(1.0, 4.0, 1) {
        worst = worst.max(ulps(rsqrt(x), 1.0 / f64::from(x).sqrt()));
    }
    for x in floats(f32::MIN_POSITIVE, f32::MAX, 4099) {
        worst = worst.max(ulps(rsqrt(x), 1.0 / f64::from(x).sqrt()));
    }
    println!("rsqrt: {worst:.3} ulp");
    assert!(worst <= 1.3, "{worst}");
}

#[test]
fn tanh_is_within_its_bound() {
    let mut worst = 0.0_f64;
    for x in floats(1e-30, 20.0, 61) {
        let found = tanh(x);
        assert_eq!((-found).to_bits(), tanh(-x).to_bits(), "odd at {x}");
        worst = worst.max(ulps(found, f64::from(x).tanh()));
    }
    println!("tanh: {worst:.3} ulp");
    assert!(worst <= 1.3, "{worst}");
    assert_eq!((tanh(0.0), tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)), (0.0, 1.0, -1.0));
}

/// erfc to about 1e-15 relative: the series of erf near zero, the continued fraction of erfc beyond
/// 2.
fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let root_pi = std::f64::consts::PI.sqrt();
    if x < 2.0 {
        // erf x = 2 x / sqrt(pi) e^-x^2 sum of (2 x^2)^n / (1 3 5 ... (2 n + 1)): all terms
        // positive.
        let (mut term, mut sum) = (1.0, 1.0);
        for n in 1..80 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        return 1.0 - 2.0 * x / root_pi * (-x * x).exp() * sum;
    }
    let mut fraction = x;
    for n in (1..200).rev() {
        fraction = x + f64::from(n) / 2.0 / fraction;
    }
    (-x * x).exp() / root_pi / fraction
}

#[test]
fn the_erfc_of_this_test_is_right() {
    // Abramowitz and Stegun, table 7.1, and Wolfram's erfc(5).
    for (x, value) in [
        (0.5, 0.479_500_122_186_953_5),
        (1.0, 0.157_299_207_050_285_1),
        (2.0, 0.004_677_734_981_047_266),
        (5.0, 1.537_459_794_428_035e-12),
    ] {
        assert!((erfc(x) - value).abs() <= 1e-13 * value.max(1e-3) + 1e-14 * value, "{x}: {:e}", erfc(x));
    }
}

#[test]
fn gelu_is_within_its_bound() {
    let exact = |x: f64| x * 0.5 * erfc(-x / std::f64::consts::SQRT_2);
    let (mut absolute, mut relative, mut tail) = (0.0_f64, 0.0_f64, 0.0_f64);
    for x in floats(1e-20, 30.0, 1009).chain(floats(-1e-20, -30.0, 1009)) {
        let mut found = [x];
        Kernels::reference().gelu(&mut found);
        let expected = exact(f64::from(x));
        let error = (f64::from(found[0]) - expected).abs();
        absolute = absolute.max(error - 1.2e-7 * expected.abs());
        if x > -1.0 {
            relative = relative.max(error / expected.abs());
        } else if x > -5.5 {
            tail = tail.max(error / expected.abs());
        }
    }
    println!("gelu: {absolute:.2e} + 1.2e-7 |y|; relative {relative:.2e} above -1, {tail:.2e} down to -5.5");
    assert!(absolute <= 5e-8 && relative <= 4e-7 && tail <= 1.2e-4, "{absolute:e} {relative:e} {tail:e}");
}

#[test]
fn gelu_at_the_ends() {
    let mut x = [0.0, -0.0, 100.0, -100.0, f32::INFINITY];
    Kernels::reference().gelu(&mut x);
    assert_eq!((x[0], x[1], x[2], x[4]), (0.0, 0.0, 100.0, f32::INFINITY));
    assert!(x[3] <= 0.0 && x[3] > -1e-8);
}

#[test]
fn halves_convert_exactly() {
    for bits in 0..=u16::MAX {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let found = f64::from(f16_to_f32(bits));
        match exponent {
            0 => assert_eq!(found, sign * fraction * 2.0_f64.powi(-24)),
            31 if fraction == 0.0 => assert_eq!(found, sign * f64::INFINITY),
            31 => assert!(found.is_nan()),
            _ => assert_eq!(found, sign * (1.0 + fraction / 1024.0) * 2.0_f64.powi(exponent - 15)),
        }
        assert_eq!(found.is_sign_negative(), sign < 0.0);
        assert_eq!(bf16_to_f32(bits).to_bits(), u32::from(bits) << 16);
    }
}

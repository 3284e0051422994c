//! int8 weights and half-precision biases, as a packed file holds them.
//!
//! A row (an output channel or a table entry) has one scale: the smallest bfloat16 at or above `max |x| / 127`, so that
//! storing it in two bytes loses nothing. A weight is `q scale` with `q = round(x / scale)`, ties to even, in -127..=127.
//! A row of zeros has the scale 1.

use crate::ops::vectorized;
use half::{bf16, f16};
use rayon::prelude::*;

/// Scales lie between these powers of two: beyond them the device would meet denormals or overflow.
pub(super) const SCALE_RANGE: (f32, f32) = (1.0 / (1u64 << 60) as f32, (1u64 << 60) as f32);

/// Adding and subtracting 1.5 x 2^23 rounds what is small against it to the nearest integer, ties to even; a zero comes
/// back positive.
pub(super) const ROUND: f32 = 12_582_912.0;

/// Values of `[rows, cols]` as they come back from a packed file.
pub fn round(data: &[f32], cols: usize) -> Vec<f32> {
    let mut values = data.to_vec();
    values.par_chunks_exact_mut(cols).for_each(|row| {
        vectorized(
            #[inline(always)]
            || {
                let scale = scale_for(largest(row)).to_f32();
                for x in row {
                    *x = (((*x / scale).clamp(-127.0, 127.0) + ROUND) - ROUND) * scale;
                }
            },
        );
    });
    values
}

/// The smallest bfloat16 at or above `most / 127`; 1 for a row of zeros.
#[inline(always)]
fn scale_for(most: f32) -> bf16 {
    if most == 0.0 {
        return bf16::ONE;
    }
    let exact = (most / 127.0).clamp(SCALE_RANGE.0, SCALE_RANGE.1);
    let bits = exact.to_bits();
    // The upper half is bfloat16 rounded down; anything below it lost means one step up.
    let up = u32::from(bits & 0xffff != 0);
    bf16::from_bits(((bits >> 16) + up) as u16).min(bf16::from_f32(SCALE_RANGE.1))
}

/// Biases rounded to half precision; as they are when one of them is too large for it.
pub fn round_biases(data: &[f32]) -> Vec<f32> {
    let halves: Vec<f16> = data.iter().map(|&value| f16::from_f32(value)).collect();
    if halves.iter().all(|half| half.is_finite()) {
        halves.into_iter().map(f16::to_f32).collect()
    } else {
        data.to_vec()
    }
}

/// Largest magnitude; 0 for none.
#[inline(always)]
pub(super) fn largest(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            let x = x.abs();
            *lane = if x > *lane { x } else { *lane };
        }
    }
    rest.iter().map(|x| x.abs()).chain(lanes).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_at_most_half_a_step_away_and_stay_there() {
        let data: Vec<f32> = (0..640).map(|i| (i as f32 * 0.7).sin() * (i as f32 / 64.0)).collect();
        let rounded = round(&data, 64);
        for (row, rounded) in data.chunks_exact(64).zip(rounded.chunks_exact(64)) {
            let step = scale_for(largest(row)).to_f32();
            assert!(step * 127.0 >= largest(row) && step * 127.0 <= largest(row) * 1.009);
            for (x, y) in row.iter().zip(rounded) {
                assert!((x - y).abs() <= step * 0.500_01);
            }
        }
        // A row whose largest value came back as 127 steps keeps its scale and every value.
        let exact: Vec<f32> = (-63..=64).map(|q| (q * 2 - 1) as f32 * 0.25).collect();
        assert_eq!(round(&exact, 128), exact);
    }

    #[test]
    fn extreme_rows() {
        let rounded = round(&[0.0, -0.0, 1e-38, -1e-38, f32::MAX, -f32::MAX], 2);
        assert!(rounded[..4].iter().all(|x| x.to_bits() == 0));
        assert_eq!(rounded[4..], [127.0 * SCALE_RANGE.1, -127.0 * SCALE_RANGE.1]);
    }

    #[test]
    fn biases_are_halves_only_where_they_fit() {
        assert_eq!(round_biases(&[0.1, 2.0]), [f16::from_f32(0.1).to_f32(), 2.0]);
        assert_eq!(round_biases(&[0.1, 65536.0]), [0.1, 65536.0]);
    }
}

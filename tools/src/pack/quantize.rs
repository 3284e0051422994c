//! int8 with one bfloat16 scale per row (an output channel or a table entry), and half-precision biases.

use half::{bf16, f16};
use rayon::prelude::*;

use super::rounded::Rounded;

/// Scales outside this range would reach denormals or overflow in the kernels; the format refuses them too.
pub(super) const SCALE_RANGE: (f32, f32) = (1.0 / (1u64 << 60) as f32, (1u64 << 60) as f32);

/// Quantizes each row of `cols` values symmetrically: `scale = max |x| / 127`, rounded up to bfloat16 before the values
/// are rounded to nearest (ties to even), so that storing the scale in two bytes loses nothing.
pub(super) fn quantize_rows(data: &[f32], cols: usize) -> Rounded {
    let mut values = Vec::with_capacity(data.len());
    let mut scales = Vec::with_capacity(data.len() / cols);
    for row in data.chunks_exact(cols) {
        let most = row.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let scale = scale_for(most);
        let width = scale.to_f32();
        values.extend(row.iter().map(|value| (value / width).round_ties_even().clamp(-127.0, 127.0) as i8));
        scales.push(scale);
    }
    Rounded { values, factors: Vec::new(), scales }
}

/// Shares of a row's largest value that its scale may cover; what is larger is cut off.
const REACHES: [f32; 8] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65];

/// [`quantize_rows`] with the scale of each row chosen for the least squared error, which counts at each column by its
/// weight. For calibration: plain packing never cuts anything off.
pub(super) fn search_rows(data: &[f32], cols: usize, weights: &[f32]) -> Rounded {
    let round = |value: f32, width: f32| (value / width).round_ties_even().clamp(-127.0, 127.0);
    let best = |row: &[f32]| {
        let most = row.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let mut least = (f32::INFINITY, bf16::ONE);
        for scale in REACHES.map(|reach| scale_for(most * reach)) {
            let width = scale.to_f32();
            let wrong = row.iter().zip(weights).map(|(&x, weight)| (x - round(x, width) * width).powi(2) * weight);
            let error: f32 = wrong.sum();
            if error < least.0 {
                least = (error, scale);
            }
        }
        least.1
    };
    let scales: Vec<bf16> = data.par_chunks_exact(cols).map(best).collect();
    let rows = data.chunks_exact(cols).zip(&scales);
    let values = rows.flat_map(|(row, scale)| row.iter().map(|&x| round(x, scale.to_f32()) as i8)).collect();
    Rounded { values, factors: Vec::new(), scales }
}

/// The smallest bfloat16 at or above `most / 127`; 1 for a row of zeros.
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

/// The values in half precision, unless one of them is too large for it.
pub(super) fn to_half(data: &[f32]) -> Option<Vec<f16>> {
    let halves: Vec<f16> = data.iter().map(|&value| f16::from_f32(value)).collect();
    halves.iter().all(|half| half.is_finite()).then_some(halves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_covers_the_largest_value_and_is_tight() {
        for most in [1e-15f32, 0.013, 0.5, 1.0, 126.99, 127.0, 3.4e10] {
            let scale = scale_for(most).to_f32();
            assert!(scale * 127.0 >= most * 0.999_999 && scale * 127.0 <= most * 1.009, "{most}: {scale}");
        }
    }

    #[test]
    fn error_is_at_most_half_a_step() {
        let data: Vec<f32> = (0..640).map(|i| (i as f32 * 0.7).sin() * (i as f32 / 64.0)).collect();
        let quantized = quantize_rows(&data, 64);
        for (row, scale) in quantized.scales.iter().enumerate() {
            for (value, x) in quantized.values[row * 64..].iter().zip(&data[row * 64..(row + 1) * 64]) {
                assert!((f32::from(*value) * scale.to_f32() - x).abs() <= scale.to_f32() * 0.500_01);
            }
        }
    }

    #[test]
    fn extreme_rows_stay_in_range() {
        let quantized = quantize_rows(&[0.0, 0.0, 1e-38, -1e-38, f32::MAX, -f32::MAX], 2);
        assert_eq!(quantized.values[..4], [0, 0, 0, 0]);
        assert_eq!(quantized.values[4..], [127, -127]);
        assert_eq!(quantized.scales[0], bf16::ONE);
        assert!(quantized.scales.iter().all(|scale| (SCALE_RANGE.0..=SCALE_RANGE.1).contains(&scale.to_f32())));
    }

    #[test]
    fn halves_only_where_they_fit() {
        assert!(to_half(&[0.1, -65504.0]).is_some());
        assert!(to_half(&[0.1, 65536.0]).is_none());
    }
}

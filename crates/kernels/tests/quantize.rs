//! Row quantization, alone and behind the operations that end in it.

mod common;

use common::*;
use distil_kernels::{Kernels, RowScale, quantized_stride};

/// Quantizes rows into guarded buffers full of rubbish.
fn quantize(kernels: Kernels, x: &[f32], k: usize) -> (Vec<i8>, Vec<RowScale>) {
    let rows = x.len() / k;
    let mut values = Guarded::new(&vec![77; rows * quantized_stride(k)], 99);
    let mut scales = vec![RowScale { scale: f32::NAN, sum: -1 }; rows];
    kernels.quantize_rows(x, k, values.get(), &mut scales);
    (values.checked().to_vec(), scales)
}

#[test]
fn quantized_rows_have_the_bits_of_the_reference() {
    each_isa(|kernels| {
        for &k in &INPUTS {
            for magnitude in [1.0, 0.0, -0.0, 1e-31, 1e-30, 3e-38, 1e30, 1e38, 7.3] {
                let x: Vec<f32> = painted(3 * k, 1).iter().map(|x| x * magnitude).collect();
                assert_eq!(
                    quantize(Kernels::reference(), &x, k),
                    quantize(kernels, &x, k),
                    "{kernels:?} {k} {magnitude}"
                );
            }
        }
    });
}

#[test]
fn quantization_rounds_to_the_nearest_step() {
    for kernels in Kernels::available() {
        for &k in &INPUTS {
            let x = painted(2 * k, 6);
            let (values, scales) = quantize(kernels, &x, k);
            for ((x, values), row) in x.chunks(k).zip(values.chunks(quantized_stride(k))).zip(&scales) {
                let largest = x.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
                assert_eq!(row.scale, largest / 127.0);
                assert_eq!(row.sum, values.iter().map(|&v| i32::from(v)).sum());
                assert!(values[k..].iter().all(|&v| v == 0), "the padding is zero");
                for (&x, &v) in x.iter().zip(values) {
                    let exact = f64::from(x) / f64::from(row.scale);
                    assert!((f64::from(v) - exact).abs() <= 0.500_02, "{v} for {exact}");
                    assert!(v >= -127);
                }
            }
        }
    }
}

#[test]
fn halves_round_to_even_and_zero_rows_stay_zero() {
    for kernels in Kernels::available() {
        let (values, scales) = quantize(kernels, &[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, -127.0], 8);
        assert_eq!(&values[..8], [127, 0, 2, 2, 0, -2, -2, -127]);
        assert_eq!(scales, [RowScale { scale: 1.0, sum: 0 }]);
        assert_eq!(quantize(kernels, &[9e-31, -5e-31, 0.0], 3), (vec![0; 64], vec![RowScale::default()]));
    }
}

#[test]
fn a_normalized_row_is_quantized_as_if_it_were_two_operations() {
    for kernels in Kernels::available() {
        for &k in &INPUTS {
            let (gamma, beta) = (painted(k, 11), painted(k, 12));
            for size in [1.0, -30.0, 0.0, 1e-20] {
                let row: Vec<f32> = painted(k, 3).iter().map(|x| x * size).collect();
                let mut expected = row.clone();
                Kernels::reference().layer_norm(&mut expected, &gamma, &beta, 1e-12);
                let (expected_values, scales) = quantize(Kernels::reference(), &expected, k);
                let (mut found, mut values) =
                    (Guarded::new(&row, 12345.0), Guarded::new(&vec![77; quantized_stride(k)], 99));
                let scale = kernels.norm_quantize(found.get(), &gamma, &beta, 1e-12, values.get());
                assert_bits(&expected, found.checked(), || format!("{kernels:?} {k} {size}"));
                assert_eq!((values.checked(), scale), (&expected_values[..], scales[0]), "{kernels:?} {k} {size}");
            }
        }
    }
}

#[test]
fn attention_weights_have_the_bits_of_the_reference() {
    each_isa(|kernels| {
        for &k in &INPUTS {
            for size in [1.0, 40.0, 0.0, -1e4] {
                let run = |kernels: Kernels| {
                    let scores: Vec<f32> = painted(k, 3).iter().map(|x| x * size).collect();
                    let mut scores = Guarded::new(&scores, 12345.0);
                    let mut values = Guarded::new(&vec![77; quantized_stride(k)], 99);
                    let token_scales: Vec<f32> = painted(k, 5).iter().map(|x| x.abs()).collect();
                    let row = kernels.attention_weights(scores.get(), &token_scales, values.get());
                    let bits: Vec<u32> = scores.checked().iter().map(|x| x.to_bits()).collect();
                    (bits, values.checked().to_vec(), row)
                };
                assert_eq!(run(Kernels::reference()), run(kernels), "{kernels:?} {k} {size}");
            }
        }
    });
}

#[test]
fn attention_weights_are_probabilities_times_token_scales() {
    for kernels in Kernels::available() {
        for &k in &INPUTS {
            let (scores, token_scales) = (painted(k, 3), painted(k, 5).iter().map(|x| x.abs()).collect::<Vec<_>>());
            let mut values = vec![0; quantized_stride(k)];
            let row = kernels.attention_weights(&mut scores.clone(), &token_scales, &mut values);
            let largest = scores.iter().fold(f32::MIN, |largest, &x| largest.max(x));
            let terms: Vec<f64> = scores.iter().map(|x| f64::from(x - largest).exp()).collect();
            let sum: f64 = terms.iter().sum();
            for ((&value, term), &scale) in values.iter().zip(terms).zip(&token_scales) {
                let exact = term / sum * f64::from(scale);
                let found = f64::from(value) * f64::from(row.scale);
                assert!((found - exact).abs() <= f64::from(row.scale) * 0.500_1, "{kernels:?} {k}: {found} {exact}");
            }
            assert_eq!(values.iter().max(), Some(&127));
            assert_eq!(row.sum, values.iter().map(|&v| i32::from(v)).sum::<i32>());
        }
        let mut values = vec![77; 64];
        let row = kernels.attention_weights(&mut [1.0, 2.0], &[0.0, 0.0], &mut values);
        assert_eq!((row, values), (RowScale::default(), vec![0; 64]), "values that are all zero");
    }
}

#[test]
fn columns_are_quantized_as_if_they_were_rows() {
    for kernels in Kernels::available() {
        for (stride, k, first) in [(64, 64, 0), (80, 16, 64), (768, 64, 128), (78, 26, 52), (5, 3, 1), (768, 65, 700)] {
            let k = k.min(stride - first);
            let x = painted(3 * stride, 7);
            let columns: Vec<f32> = x.chunks(stride).flat_map(|row| row[first..first + k].to_vec()).collect();
            let (expected, expected_scales) = quantize(Kernels::reference(), &columns, k);
            let mut values = Guarded::new(&vec![77; 3 * quantized_stride(k)], 99);
            let mut scales = vec![RowScale { scale: f32::NAN, sum: -1 }; 3];
            kernels.quantize_columns(&x[first..], stride, k, values.get(), &mut scales);
            assert_eq!(
                (values.checked(), &scales),
                (&expected[..], &expected_scales),
                "{kernels:?} {stride} {k} {first}"
            );
        }
    }
}

//! Row quantization and the int8 product: every instruction set against the reference, and the
//! reference against plain integers and float64.

mod common;

use std::ops::Range;

use common::product::{EPILOGUES, LAYOUTS, Product, every_part, every_shape};
use common::*;
use distil_kernels::{
    Epilogue, Kernels, Layout, Matrix, RowScale, Vector, bf16_to_f32, f16_to_f32, layout, quantized_stride,
};

/// Operands of a product.
struct Case {
    rows: usize,
    k: usize,
    n: usize,
    layout: Layout,
    values: Vec<i8>,
    row_scales: Vec<RowScale>,
    weights: Vec<i8>,
    packed: Vec<i8>,
    scales: Vec<u16>,
}

impl Case {
    fn new(rows: usize, k: usize, n: usize, layout: Layout, value: impl Fn(usize) -> i8, weights: Vec<i8>) -> Self {
        let stride = quantized_stride(k);
        let mut values = vec![0; rows * stride];
        let mut row_scales = Vec::new();
        for (row, values) in values.chunks_mut(stride).enumerate() {
            (0..k).for_each(|i| values[i] = value(row * k + i));
            let sum = values.iter().map(|&v| i32::from(v)).sum();
            row_scales.push(RowScale { scale: 0.011 + row as f32 * 0.003, sum });
        }
        let mut packed = vec![0; layout::packed_len_int8(n, k, layout).unwrap()];
        layout::pack_int8(&weights, n, k, layout, &mut packed).unwrap();
        Case { rows, k, n, layout, values, row_scales, weights, packed, scales: painted_scales(n, 5) }
    }

    fn painted(rows: usize, k: usize, n: usize, layout: Layout) -> Self {
        let values = painted_bytes(rows * k, 1);
        Self::new(rows, k, n, layout, |i| values[i], painted_bytes(n * k, 2))
    }
}

impl Product for Case {
    fn shape(&self) -> (usize, usize, usize, Layout) {
        (self.rows, self.k, self.n, self.layout)
    }

    fn run(&self, kernels: Kernels, channels: Range<usize>, bias: Option<Vector>, epilogue: Epilogue) -> Vec<f32> {
        let matrix = Matrix::int8(&self.packed, &self.scales, self.n, self.k, self.layout).unwrap();
        let stride = channels.len() + 3;
        let mut out = Guarded::new(&painted(self.rows * stride, 9), 12345.0);
        kernels.matmul_int8(&self.values, &self.row_scales, &matrix, channels, bias, epilogue, out.get(), stride);
        out.checked().to_vec()
    }
}

#[test]
fn every_shape_has_the_bits_of_the_reference() {
    every_shape(2_000_000, 14, Case::painted);
}

#[test]
fn every_part_of_the_channels_has_the_bits_of_the_reference() {
    every_part(Case::painted);
}

#[test]
fn extreme_values_do_not_saturate() {
    let paint = |choice: usize, i: usize| [-128, -127, 127, [127, -127][i % 2]][choice] as i8;
    each_isa(|kernels| {
        for layout in LAYOUTS {
            for (value, weight) in (0..16).map(|i| (i / 4, i % 4)) {
                // Weights of -128 are outside the contract; there only the x86 kernels stay exact.
                if weight == 0 && cfg!(not(target_arch = "x86_64")) {
                    continue;
                }
                let (rows, k, n) = (13, 3072 + 5, 33);
                let weights = (0..n * k).map(|i| paint(weight, i)).collect();
                let case = Case::new(rows, k, n, layout, |i| paint(value, i), weights);
                case.compare(kernels, 0..n, None, Epilogue::Store);
            }
        }
    });
}

#[test]
fn the_reference_is_the_formula() {
    let (rows, k, n) = (3, 65, 26);
    let (floats, halves) = (painted(n, 3), painted_halves(n, 4));
    for layout in LAYOUTS {
        let case = Case::painted(rows, k, n, layout);
        for (epilogue, half) in EPILOGUES.into_iter().flat_map(|e| [(e, false), (e, true)]) {
            let bias = if half { Vector::F16(&halves) } else { Vector::F32(&floats) };
            let out = case.run(Kernels::reference(), 0..n, Some(bias), epilogue);
            let before = painted(out.len(), 9);
            for (i, (&found, &before)) in out.iter().zip(&before).enumerate() {
                let (row, channel) = (i / (n + 3), i % (n + 3));
                if channel >= n {
                    assert_eq!(found, before, "outside the channels");
                    continue;
                }
                let dot: i64 = (0..k)
                    .map(|j| {
                        i64::from(case.values[row * quantized_stride(k) + j]) * i64::from(case.weights[channel * k + j])
                    })
                    .sum();
                let scale = f64::from(case.row_scales[row].scale) * f64::from(bf16_to_f32(case.scales[channel]));
                let bias = f64::from(if half { f16_to_f32(halves[channel]) } else { floats[channel] });
                let value = dot as f64 * scale + bias;
                let expected = match epilogue {
                    Epilogue::Store => value,
                    Epilogue::Relu => value.max(0.0),
                    Epilogue::Add => value + f64::from(before),
                    Epilogue::Gelu => {
                        let mut x = [value as f32];
                        Kernels::reference().gelu(&mut x);
                        f64::from(x[0])
                    }
                };
                let bound = 4e-7 * ((dot as f64 * scale).abs() + bias.abs() + f64::from(before).abs());
                assert!(
                    (f64::from(found) - expected).abs() <= bound,
                    "{epilogue:?} {row} {channel}: {found} {expected}"
                );
            }
        }
    }
}

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

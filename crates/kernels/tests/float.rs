//! Products of float matrices: every instruction set against the reference, and the reference
//! against float64.

mod common;

use std::ops::Range;

use common::product::{Product, every_part, every_shape};
use common::*;
use distil_kernels::{Epilogue, Kernels, Layout, Matrix, Vector, layout};

/// The layouts that floats have.
const LAYOUTS: [Layout; 2] = [Layout::Tile16, Layout::RowMajor];

/// Operands of a product with weights.
struct Case {
    rows: usize,
    k: usize,
    n: usize,
    layout: Layout,
    x: Vec<f32>,
    weights: Vec<f32>,
    packed: Vec<f32>,
}

impl Case {
    fn new(rows: usize, k: usize, n: usize, layout: Layout) -> Self {
        let weights = painted(n * k, 2);
        let mut packed = vec![0.0; layout::packed_len_f32(n, k, layout).unwrap()];
        layout::pack_f32(&weights, n, k, layout, &mut packed).unwrap();
        Case { rows, k, n, layout, x: painted(rows * k, 1), weights, packed }
    }
}

impl Product for Case {
    fn shape(&self) -> (usize, usize, usize, Layout) {
        (self.rows, self.k, self.n, self.layout)
    }

    fn run(&self, kernels: Kernels, channels: Range<usize>, bias: Option<Vector>, epilogue: Epilogue) -> Vec<f32> {
        let matrix = Matrix::float(&self.packed, self.n, self.k, self.layout).unwrap();
        let stride = channels.len() + 2;
        let mut out = Guarded::new(&painted(self.rows * stride, 9), 12345.0);
        kernels.matmul_f32(&self.x, self.rows, &matrix, channels, bias, epilogue, out.get(), stride);
        out.checked().to_vec()
    }
}

#[test]
fn every_shape_has_the_bits_of_the_reference() {
    every_shape(&LAYOUTS, 1_000_000, 9, Case::new);
}

#[test]
fn every_part_of_the_channels_has_the_bits_of_the_reference() {
    every_part(&LAYOUTS, Case::new);
}

#[test]
fn the_reference_is_close_to_float64() {
    let (rows, k, n) = (3, 768, 26);
    let bias = painted(n, 3);
    for layout in LAYOUTS {
        let case = Case::new(rows, k, n, layout);
        let out = case.run(Kernels::reference(), 0..n, Some(Vector::F32(&bias)), Epilogue::Store);
        for (row, out) in out.chunks(n + 2).enumerate() {
            for (channel, &found) in out[..n].iter().enumerate() {
                let terms = (0..k).map(|j| f64::from(case.x[row * k + j]) * f64::from(case.weights[channel * k + j]));
                let (exact, size) = terms.fold((0.0, 0.0), |(sum, size): (f64, f64), t| (sum + t, size + t.abs()));
                let bound = k as f64 * f64::from(f32::EPSILON) / 2.0 * size;
                let error = (f64::from(found) - exact - f64::from(bias[channel])).abs();
                assert!(error <= bound, "{layout:?} {row} {channel}: {error:e} above {bound:e}");
            }
        }
    }
}

/// A general product with rows that are farther apart than they are long, `b` ending with its last
/// row.
fn gemm(kernels: Kernels, rows: usize, k: usize, n: usize, gap: usize) -> Vec<f32> {
    let (a_stride, b_stride, out_stride) = (k + gap, n + gap, n + 2 * gap);
    let a = painted(rows * a_stride - gap, 1);
    let b = painted(k * b_stride - gap, 2);
    let mut out = Guarded::new(&painted(rows * out_stride - 2 * gap, 9), 12345.0);
    kernels.gemm_f32(&a, a_stride, rows, &b, b_stride, k, n, 0.125, out.get(), out_stride);
    out.checked().to_vec()
}

#[test]
fn general_products_have_the_bits_of_the_reference() {
    each_isa(|kernels| {
        for &rows in &ROWS {
            for k in [1, 2, 16, 17, 26, 32, 64, 65, 128] {
                for n in [1, 2, 3, 7, 15, 16, 17, 26, 31, 32, 33, 47, 48, 49, 64, 65, 128] {
                    for gap in [0, 1, 19] {
                        let expected = gemm(Kernels::reference(), rows, k, n, gap);
                        let found = gemm(kernels, rows, k, n, gap);
                        assert_bits(&expected, &found, || format!("{kernels:?} {rows} x {k} x {n}, gap {gap}"));
                    }
                }
            }
        }
    });
}

#[test]
fn general_products_are_close_to_float64() {
    let (rows, k, n, gap) = (5, 128, 33, 2);
    for kernels in Kernels::available() {
        let out = gemm(kernels, rows, k, n, gap);
        let (a, b) = (painted(rows * (k + gap), 1), painted(k * (n + gap), 2));
        for (i, row) in out.chunks(n + 2 * gap).enumerate() {
            for (j, &found) in row[..n].iter().enumerate() {
                let terms = (0..k).map(|l| f64::from(a[i * (k + gap) + l]) * f64::from(b[l * (n + gap) + j]));
                let (exact, size) = terms.fold((0.0, 0.0), |(sum, size): (f64, f64), t| (sum + t, size + t.abs()));
                let bound = k as f64 * f64::from(f32::EPSILON) / 2.0 * size * 0.125;
                assert!((f64::from(found) - exact * 0.125).abs() <= bound, "{i} {j}");
            }
        }
    }
}

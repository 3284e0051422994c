//! Operations on rows of floats: every instruction set against the reference, and all of them
//! against float64.

mod common;

use common::*;
use distil_kernels::{Group, Kernels, LANES, Layout, Matrix, Scales, layout};

const LENGTHS: [usize; 21] = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 128, 312, 768];

/// Rows of several sizes and signs.
fn examples(len: usize) -> impl Iterator<Item = Vec<f32>> {
    [1.0, -3.0, 0.0, -0.0, 1e-20, 40.0, 1e4]
        .into_iter()
        .enumerate()
        .map(move |(seed, size)| painted(len, seed).iter().map(|x| x * size).collect())
}

/// Applies an operation in place to every example on every instruction set, and compares the bits.
fn same_bits(operation: impl Fn(Kernels, &mut [f32])) {
    each_isa(|kernels| {
        for len in LENGTHS {
            for (i, row) in examples(len).enumerate() {
                let mut expected = row.clone();
                operation(Kernels::reference(), &mut expected);
                let mut found = Guarded::new(&row, 12345.0);
                operation(kernels, found.get());
                assert_bits(&expected, found.checked(), || format!("{kernels:?}, length {len}, example {i}"));
            }
        }
    });
}

#[test]
fn softmax() {
    same_bits(|kernels, row| kernels.softmax(row));
    for kernels in Kernels::available() {
        for (len, row) in LENGTHS.into_iter().skip(1).flat_map(|len| examples(len).map(move |row| (len, row))) {
            let mut found = row.clone();
            kernels.softmax(&mut found);
            let largest = row.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(f64::from(x)));
            let terms: Vec<f64> = row.iter().map(|&x| (f64::from(x) - largest).exp()).collect();
            let sum: f64 = terms.iter().sum();
            for ((&found, &term), &x) in found.iter().zip(&terms).zip(&row) {
                // The difference of two floats is rounded before exp, which multiplies that error.
                let relative = 2e-6 + (f64::from(x) - largest).abs() * 6e-8;
                let bound = term / sum * relative + 2e-28;
                assert!((f64::from(found) - term / sum).abs() <= bound, "{kernels:?} {len}: {found} {}", term / sum);
                assert!(found >= f32::MIN_POSITIVE, "denormal");
            }
        }
    }
}

#[test]
fn layer_norm() {
    let (gamma, beta) = (painted(768, 11), painted(768, 12));
    let norm = |kernels: Kernels, row: &mut [f32]| {
        let len = row.len();
        kernels.layer_norm(row, &gamma[..len], &beta[..len], 1e-12);
    };
    same_bits(norm);
    for kernels in Kernels::available() {
        for len in [2, 16, 33, 312, 768] {
            let row = painted(len, 2);
            let mut found = row.clone();
            norm(kernels, &mut found);
            let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / len as f64;
            let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / len as f64;
            for (i, &found) in found.iter().enumerate() {
                let normal = (f64::from(row[i]) - mean) / (variance + 1e-12).sqrt();
                let exact = normal * f64::from(gamma[i]) + f64::from(beta[i]);
                let bound = 2e-6 * (1.0 + exact.abs());
                assert!((f64::from(found) - exact).abs() <= bound, "{kernels:?} {len}: {found} {exact}");
            }
        }
    }
}

#[test]
fn gelu_has_the_bits_of_the_reference() {
    same_bits(|kernels, row| kernels.gelu(row));
}

#[test]
fn add_and_scale() {
    let x = painted(768, 13);
    same_bits(|kernels, row| kernels.add(&x[..row.len()], row));
    same_bits(|kernels, row| kernels.scale(0.3, row));
    for kernels in Kernels::available() {
        let mut row = [1.0, 2.0, -3.0];
        kernels.add(&[0.5, -0.25, 4.0], &mut row);
        kernels.scale(2.0, &mut row);
        assert_eq!(row, [3.0, 3.5, 2.0]);
    }
}

#[test]
fn add_dequantized() {
    let mut values = painted_bytes(768, 3);
    values[5] = -128;
    same_bits(|kernels, row| kernels.add_dequantized(&values[..row.len()], 0.017, row));
    for kernels in Kernels::available() {
        let mut row = vec![0.25; 19];
        kernels.add_dequantized(&values[..19], 0.5, &mut row);
        assert!(row.iter().zip(&values).all(|(&x, &v)| x == 0.25 + f32::from(v) * 0.5));
    }
}

#[test]
fn sum_squares() {
    same_bits(|kernels, row| {
        let sum = kernels.sum_squares(row);
        row.fill(sum);
    });
    for kernels in Kernels::available() {
        for len in LENGTHS {
            let row = painted(len, 4);
            let exact: f64 = row.iter().map(|&x| f64::from(x).powi(2)).sum();
            let steps = (len.div_ceil(LANES) + 5) as f64;
            let bound = exact * steps * f64::from(f32::EPSILON);
            assert!((f64::from(kernels.sum_squares(&row)) - exact).abs() <= bound);
        }
    }
}

#[test]
fn rows_of_4_bit_tables() {
    for (group, len) in Group::ALL.into_iter().flat_map(|group| LENGTHS[1..].iter().map(move |&len| (group, len))) {
        let (q, groups) = (painted_bytes(len, 7), len.div_ceil(group.inputs()));
        let q: Vec<i8> = q.iter().map(|q| q >> 4).collect();
        let s: Vec<u8> = (0..groups).map(|i| (i * 7 % 15 + 1) as u8).collect();
        let mut nibbles = vec![0; layout::packed_len_int4(1, len, group, Layout::RowMajor).unwrap()];
        layout::pack_int4(&q, 1, len, group, Layout::RowMajor, &mut nibbles).unwrap();
        let before = painted(len, 2);
        let weight = |i: usize| f32::from(q[i]) * f32::from(s[i / group.inputs()]);
        let expected: Vec<f32> = before.iter().enumerate().map(|(i, x)| x + weight(i) * 0.013).collect();
        for kernels in Kernels::available() {
            let mut found = Guarded::new(&before, 12345.0);
            kernels.add_dequantized_int4(&nibbles, &s, group, 0.013, found.get());
            assert_bits(&expected, found.checked(), || format!("{kernels:?} {group:?} {len}"));

            let (two_rows, two_groups) = ([&nibbles[..], &nibbles].concat(), [&s[..], &s].concat());
            let scales = Scales::F32(&[0.5, 0.013]);
            let table = Matrix::int4(&two_rows, &two_groups, group, scales, 2, len, Layout::RowMajor).unwrap();
            let mut found = Guarded::new(&before, 12345.0);
            kernels.add_row(&table, 1, found.get());
            assert_bits(&expected, found.checked(), || format!("{kernels:?} {group:?} {len}, the second row"));
        }
    }
}

#[test]
fn rows_of_3_bit_tables() {
    for len in LENGTHS[1..].iter().copied() {
        let q: Vec<i8> = painted_bytes(len, 7).iter().map(|q| q >> 4 | 1).collect();
        let s: Vec<u8> = (0..len.div_ceil(32)).map(|i| (i * 7 % 15 + 1) as u8).collect();
        let mut packed = vec![0; layout::packed_len_int3(1, len, Layout::RowMajor).unwrap()];
        layout::pack_int3(&q, 1, len, Layout::RowMajor, &mut packed).unwrap();
        let before = painted(len, 2);
        let weight = |i: usize| f32::from(q[i]) * f32::from(s[i / 32]);
        let expected: Vec<f32> = before.iter().enumerate().map(|(i, x)| x + weight(i) * 0.013).collect();
        for kernels in Kernels::available() {
            let mut found = Guarded::new(&before, 12345.0);
            kernels.add_dequantized_int3(&packed, &s, 0.013, found.get());
            assert_bits(&expected, found.checked(), || format!("{kernels:?} {len}"));

            let (two_rows, two_groups) = ([&packed[..], &packed].concat(), [&s[..], &s].concat());
            let scales = Scales::F32(&[0.5, 0.013]);
            let table = Matrix::int3(&two_rows, &two_groups, scales, 2, len, Layout::RowMajor).unwrap();
            let mut found = Guarded::new(&before, 12345.0);
            kernels.add_row(&table, 1, found.get());
            assert_bits(&expected, found.checked(), || format!("{kernels:?} {len}, the second row"));
        }
    }
}

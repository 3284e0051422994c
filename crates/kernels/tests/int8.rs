//! The product of int8 rows with int8, 4-bit and 3-bit weights: every instruction set against the reference,
//! and the reference against plain integers and float64.

mod common;

use std::ops::Range;

use common::product::{EPILOGUES, Product, every_part, every_shape};
use common::*;
use distil_kernels::{
    Epilogue, Group, Kernels, Layout, Matrix, RowScale, Scales, Vector, bf16_to_f32, f16_to_f32, layout,
    quantized_stride,
};

/// Packed weights.
enum Packed {
    Int8(Vec<i8>),
    Int4 { nibbles: Vec<u8>, groups: Vec<u8>, group: Group },
    Int3 { packed: Vec<u8>, groups: Vec<u8> },
}

/// Operands of a product.
struct Case {
    rows: usize,
    k: usize,
    n: usize,
    layout: Layout,
    values: Vec<i8>,
    row_scales: Vec<RowScale>,
    /// What the packed weights stand for, `[n][k]`.
    weights: Vec<i8>,
    packed: Packed,
    scales: Vec<u16>,
}

impl Case {
    fn new(rows: usize, k: usize, n: usize, layout: Layout, value: impl Fn(usize) -> i8, weights: Vec<i8>) -> Self {
        let mut packed = vec![0; layout::packed_len_int8(n, k, layout).unwrap()];
        layout::pack_int8(&weights, n, k, layout, &mut packed).unwrap();
        Self::packed(rows, k, n, layout, value, weights, Packed::Int8(packed))
    }

    fn packed(
        rows: usize,
        k: usize,
        n: usize,
        layout: Layout,
        value: impl Fn(usize) -> i8,
        weights: Vec<i8>,
        packed: Packed,
    ) -> Self {
        let stride = quantized_stride(k);
        let mut values = vec![0; rows * stride];
        let mut row_scales = Vec::new();
        for (row, values) in values.chunks_mut(stride).enumerate() {
            (0..k).for_each(|i| values[i] = value(row * k + i));
            let sum = values.iter().map(|&v| i32::from(v)).sum();
            row_scales.push(RowScale { scale: 0.011 + row as f32 * 0.003, sum });
        }
        Case { rows, k, n, layout, values, row_scales, weights, packed, scales: painted_scales(n, 5) }
    }

    fn painted(rows: usize, k: usize, n: usize, layout: Layout) -> Self {
        let values = painted_bytes(rows * k, 1);
        Self::new(rows, k, n, layout, |i| values[i], painted_bytes(n * k, 2))
    }

    /// 4-bit weights `q * s`.
    fn int4(rows: usize, k: usize, n: usize, layout: Layout, group: Group, extreme: bool) -> Self {
        let (values, paint) = (painted_bytes(rows * k, 1), painted_bytes(n * k, 7));
        let groups = k.div_ceil(group.inputs());
        let (q, s): (Vec<i8>, Vec<u8>) = if extreme {
            (vec![-8; n * k], vec![15; n * groups])
        } else {
            (paint.iter().map(|p| p >> 4).collect(), (0..n * groups).map(|i| (i * 7 % 15 + 1) as u8).collect())
        };
        let weights = q.iter().enumerate();
        let weights = weights.map(|(i, q)| q * s[i / k * groups + i % k / group.inputs()] as i8).collect();
        let mut nibbles = vec![0; layout::packed_len_int4(n, k, group, layout).unwrap()];
        layout::pack_int4(&q, n, k, group, layout, &mut nibbles).unwrap();
        let mut packed_groups = vec![0; layout::group_count(n, k, group, layout).unwrap()];
        layout::pack_groups(&s, n, k, group, layout, &mut packed_groups).unwrap();
        let value = |i: usize| if extreme { -127 } else { values[i] };
        Self::packed(rows, k, n, layout, value, weights, Packed::Int4 { nibbles, groups: packed_groups, group })
    }

    /// 3-bit weights `q * s`, `q` odd.
    fn int3(rows: usize, k: usize, n: usize, layout: Layout, extreme: bool) -> Self {
        let (values, paint) = (painted_bytes(rows * k, 1), painted_bytes(n * k, 7));
        let groups = k.div_ceil(32);
        let (q, s): (Vec<i8>, Vec<u8>) = if extreme {
            (vec![-7; n * k], vec![15; n * groups])
        } else {
            (paint.iter().map(|p| p >> 4 | 1).collect(), (0..n * groups).map(|i| (i * 7 % 15 + 1) as u8).collect())
        };
        let weights = q.iter().enumerate().map(|(i, q)| q * s[i / k * groups + i % k / 32] as i8).collect();
        let mut packed = vec![0; layout::packed_len_int3(n, k, layout).unwrap()];
        layout::pack_int3(&q, n, k, layout, &mut packed).unwrap();
        let mut packed_groups = vec![0; layout::group_count(n, k, Group::Of32, layout).unwrap()];
        layout::pack_groups(&s, n, k, Group::Of32, layout, &mut packed_groups).unwrap();
        let value = |i: usize| if extreme { -127 } else { values[i] };
        Self::packed(rows, k, n, layout, value, weights, Packed::Int3 { packed, groups: packed_groups })
    }

    fn matrix(&self) -> Matrix<'_> {
        let scales = Scales::Bf16(&self.scales);
        match &self.packed {
            Packed::Int8(values) => Matrix::int8(values, scales, self.n, self.k, self.layout),
            Packed::Int4 { nibbles, groups, group } => {
                Matrix::int4(nibbles, groups, *group, scales, self.n, self.k, self.layout)
            }
            Packed::Int3 { packed, groups } => Matrix::int3(packed, groups, scales, self.n, self.k, self.layout),
        }
        .unwrap()
    }
}

impl Product for Case {
    fn shape(&self) -> (usize, usize, usize, Layout) {
        (self.rows, self.k, self.n, self.layout)
    }

    fn run(&self, kernels: Kernels, channels: Range<usize>, bias: Option<Vector>, epilogue: Epilogue) -> Vec<f32> {
        let stride = channels.len() + 3;
        let mut out = Guarded::new(&painted(self.rows * stride, 9), 12345.0);
        kernels.matmul_int8(
            &self.values,
            &self.row_scales,
            &self.matrix(),
            channels,
            bias,
            epilogue,
            out.get(),
            stride,
        );
        out.checked().to_vec()
    }
}

#[test]
fn every_shape_has_the_bits_of_the_reference() {
    every_shape(&Layout::ALL, 2_000_000, 14, Case::painted);
}

#[test]
fn every_part_of_the_channels_has_the_bits_of_the_reference() {
    every_part(&Layout::ALL, Case::painted);
}

#[test]
fn every_shape_of_4_bit_weights_has_the_bits_of_the_reference() {
    for group in Group::ALL {
        every_shape(&Layout::ALL, 600_000, 9, |rows, k, n, layout| Case::int4(rows, k, n, layout, group, false));
        every_part(&Layout::ALL, |rows, k, n, layout| Case::int4(rows, k, n, layout, group, false));
    }
}

#[test]
fn every_shape_of_3_bit_weights_has_the_bits_of_the_reference() {
    every_shape(&Layout::ALL, 600_000, 9, |rows, k, n, layout| Case::int3(rows, k, n, layout, false));
    every_part(&Layout::ALL, |rows, k, n, layout| Case::int3(rows, k, n, layout, false));
}

#[test]
fn extreme_3_bit_weights_do_not_saturate() {
    for (layout, rows) in Layout::ALL.into_iter().flat_map(|layout| [1, 5, 33].map(|rows| (layout, rows))) {
        Case::int3(rows, 3072, 33, layout, true).compare_all(0..33, None, Epilogue::Store);
    }
}

#[test]
fn extreme_4_bit_weights_do_not_saturate() {
    for (layout, group) in Layout::ALL.into_iter().flat_map(|layout| Group::ALL.map(|group| (layout, group))) {
        for rows in [1, 5, 33] {
            Case::int4(rows, 3072, 33, layout, group, true).compare_all(0..33, None, Epilogue::Store);
        }
    }
}

/// More rows, and longer ones, than go through a tile together.
#[test]
fn large_products_have_the_bits_of_the_reference() {
    for layout in Layout::ALL {
        for (rows, k, n) in [(140, 32, 17), (300, 20, 1), (27, 2560, 16), (3, 12_000, 17)] {
            Case::painted(rows, k, n, layout).compare_all(0..n, None, Epilogue::Store);
            Case::int4(rows, k, n, layout, Group::Of64, false).compare_all(0..n, None, Epilogue::Add);
            Case::int3(rows, k, n, layout, false).compare_all(0..n, None, Epilogue::Store);
        }
    }
}

#[test]
fn many_long_rows_pass_through_several_panels() {
    // More rows than wait for their sums at a time, and more inputs than a panel takes.
    let (rows, k, n) = (300, 1600, 17);
    let bias = painted(n, 3);
    for layout in [Layout::Tile16, Layout::Tile8, Layout::Tile4] {
        let int4 = Case::int4(rows, k, n, layout, Group::Of32, false);
        let cases = [Case::painted(rows, k, n, layout), int4, Case::int3(rows, k, n, layout, false)];
        for case in cases {
            case.compare_all(0..n, Some(Vector::F32(&bias)), Epilogue::Gelu);
            case.compare_all(3..n, None, Epilogue::Add);
        }
    }
}

type Pack = fn(&[i8], usize, usize, usize, usize, Layout, &mut [i8]);

/// Packs the first 16 tokens, then the others.
fn in_two_parts(pack: Pack, rows: &[i8], stride: usize, tokens: usize, d: usize, layout: Layout, out: &mut [i8]) {
    let (first, rest) = rows.split_at(stride * tokens.min(16));
    pack(first, stride, 0, tokens, d, layout, out);
    if !rest.is_empty() {
        pack(rest, stride, 16, tokens, d, layout, out);
    }
}

#[test]
fn keys_and_values_are_multiplied_as_they_were_quantized() {
    for kernels in Kernels::available() {
        for (tokens, d) in [(1, 8), (3, 26), (15, 64), (16, 64), (17, 32), (33, 64), (70, 20)] {
            let (stride, layout) = (quantized_stride(d), kernels.layout());
            let rows = Case::painted(tokens, d, 1, Layout::RowMajor);
            let scales: Vec<f32> = (0..tokens).map(|i| 0.5 + i as f32).collect();
            let query = Case::painted(2, d, 1, Layout::RowMajor);
            let mut keys = vec![99; layout::packed_len_int8(tokens, d, layout).unwrap()];
            in_two_parts(layout::pack_keys, &rows.values, stride, tokens, d, layout, &mut keys);
            let matrix = Matrix::int8(&keys, Scales::F32(&scales), tokens, d, layout).unwrap();
            let mut scores = vec![0.0; 2 * tokens];
            let store = Epilogue::Store;
            let (values, row_scales) = (&query.values, &query.row_scales);
            kernels.matmul_int8(values, row_scales, &matrix, 0..tokens, None, store, &mut scores, tokens);
            let dot = |a: &[i8], b: &[i8]| a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>();
            for (i, &score) in scores.iter().enumerate() {
                let (query, token) = (&values[i / tokens * stride..][..d], &rows.values[i % tokens * stride..][..d]);
                assert_eq!(score, dot(query, token) as f32 * (row_scales[i / tokens].scale * scales[i % tokens]));
            }

            let weights = Case::painted(2, tokens, 1, Layout::RowMajor);
            let mut columns = vec![99; layout::packed_len_int8(d, tokens, layout).unwrap()];
            in_two_parts(layout::pack_values, &rows.values, stride, tokens, d, layout, &mut columns);
            let matrix = Matrix::int8(&columns, Scales::One, d, tokens, layout).unwrap();
            let mut context = vec![0.0; 2 * d];
            let (values, row_scales) = (&weights.values, &weights.row_scales);
            kernels.matmul_int8(values, row_scales, &matrix, 0..d, None, store, &mut context, d);
            for (i, &found) in context.iter().enumerate() {
                let column: Vec<i8> = (0..tokens).map(|token| rows.values[token * stride + i % d]).collect();
                let sum = dot(&values[i / d * quantized_stride(tokens)..][..tokens], &column);
                assert_eq!(found, sum as f32 * row_scales[i / d].scale, "{kernels:?} {tokens} {d} {i}");
            }
        }
    }
}

#[test]
fn extreme_values_do_not_saturate() {
    let paint = |choice: usize, i: usize| [-128, -127, 127, [127, -127][i % 2]][choice] as i8;
    for layout in Layout::ALL {
        for (value, weight) in (0..16).map(|i| (i / 4, i % 4)) {
            // Weights of -128 are outside the contract; there only the x86 kernels stay exact.
            if weight == 0 && cfg!(not(target_arch = "x86_64")) {
                continue;
            }
            let (rows, k, n) = (13, 3072 + 5, 33);
            let weights = (0..n * k).map(|i| paint(weight, i)).collect();
            Case::new(rows, k, n, layout, |i| paint(value, i), weights).compare_all(0..n, None, Epilogue::Store);
        }
    }
}

#[test]
fn the_reference_is_the_formula() {
    let (rows, k, n) = (3, 65, 26);
    let (floats, halves) = (painted(n, 3), painted_halves(n, 4));
    for (layout, kind) in Layout::ALL.into_iter().flat_map(|layout| [0, 1, 2, 3].map(|kind| (layout, kind))) {
        let case = match kind {
            0 => Case::painted(rows, k, n, layout),
            3 => Case::int3(rows, k, n, layout, false),
            _ => Case::int4(rows, k, n, layout, Group::ALL[kind - 1], false),
        };
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

//! What happens to one row between products.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use distil_kernels::layout::{Group, Layout, group_count, packed_len_int4};
use distil_kernels::{Kernels, RowScale, quantized_stride};

use crate::{HIDDEN, INTERMEDIATE, painted};

pub(crate) fn benches(c: &mut Criterion) {
    for kernels in Kernels::available() {
        let mut group = c.benchmark_group(format!("one row, {}", kernels.isa()));
        let (gamma, beta) = (vec![1.0; HIDDEN], vec![0.0; HIDDEN]);
        let source = painted(INTERMEDIATE);
        let mut row = source.clone();
        let mut values = vec![0; quantized_stride(INTERMEDIATE)];
        let mut scale = [RowScale::default()];

        group.throughput(Throughput::Elements(HIDDEN as u64));
        group.bench_function("layer_norm, hidden", |b| {
            b.iter(|| kernels.layer_norm(black_box(&mut row[..HIDDEN]), &gamma, &beta, 1e-12));
        });
        group.bench_function("norm_quantize, hidden", |b| {
            let values = &mut values[..quantized_stride(HIDDEN)];
            b.iter(|| kernels.norm_quantize(black_box(&mut row[..HIDDEN]), &gamma, &beta, 1e-12, values));
        });
        group.bench_function("quantize_rows, hidden", |b| {
            let values = &mut values[..quantized_stride(HIDDEN)];
            b.iter(|| kernels.quantize_rows(black_box(&source[..HIDDEN]), HIDDEN, values, &mut scale));
        });
        let int8: Vec<i8> = (0..HIDDEN).map(|i| (i % 255) as u8 as i8).collect();
        group.bench_function("add_dequantized, int8 embedding", |b| {
            b.iter(|| kernels.add_dequantized(black_box(&int8), 0.01, &mut row[..HIDDEN]));
        });
        let of = |len: fn(usize, usize, Group, Layout) -> Option<usize>| {
            len(1, HIDDEN, Group::Of32, Layout::RowMajor).expect("the shape is small")
        };
        let (nibbles, groups) = (vec![0x9f; of(packed_len_int4)], vec![3; of(group_count)]);
        group.bench_function("add_dequantized_int4, int4 embedding", |b| {
            b.iter(|| {
                kernels.add_dequantized_int4(black_box(&nibbles), &groups, Group::Of32, 0.01, &mut row[..HIDDEN])
            });
        });
        group.bench_function("add, hidden", |b| {
            b.iter(|| kernels.add(black_box(&source[..HIDDEN]), &mut row[..HIDDEN]));
        });
        group.bench_function("scale, embedding of a text", |b| {
            b.iter(|| kernels.scale(black_box(1.0), &mut row[..HIDDEN]));
        });
        group.bench_function("sum_squares, embedding of a text", |b| {
            b.iter(|| kernels.sum_squares(black_box(&source[..HIDDEN])));
        });

        group.throughput(Throughput::Elements(INTERMEDIATE as u64));
        group.bench_function("gelu, intermediate", |b| {
            b.iter(|| {
                row.copy_from_slice(&source);
                kernels.gelu(black_box(&mut row));
            });
        });
        group.bench_function("quantize_rows, intermediate", |b| {
            b.iter(|| kernels.quantize_rows(black_box(&source), INTERMEDIATE, &mut values, &mut scale));
        });
    }
}

//! Attention of one head: scores, what becomes of them, and the values weighted with that.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use distil_kernels::layout::{pack_keys, pack_values, packed_len_int8};
use distil_kernels::{Epilogue, Matrix, Scales, quantized_stride};

use crate::{HEAD, Rows, TOKENS, kernels_for, painted};

pub(crate) fn benches(c: &mut Criterion) {
    integer(c);
    float(c);
}

/// As integer models do it: keys and values are packed like weights.
fn integer(c: &mut Criterion) {
    for tokens in TOKENS {
        let (keys, queries) = (Rows::new(tokens, HEAD), Rows::new(tokens, HEAD));
        let weights = Rows::new(tokens, tokens);
        let token_scales = vec![0.01f32; tokens];
        for kernels in kernels_for(tokens) {
            let (layout, stride) = (kernels.layout(), quantized_stride(HEAD));
            let name = format!("{tokens} tokens, {}", kernels.isa());
            let len = |n, k| packed_len_int8(n, k, layout).expect("the shape is small");
            let mut packed = vec![0i8; len(tokens, HEAD)];
            let mut group = c.benchmark_group("keys packed, one head");
            group.throughput(Throughput::Elements((tokens * HEAD) as u64));
            group.bench_function(&name, |b| {
                b.iter(|| pack_keys(black_box(&keys.values), stride, 0, tokens, HEAD, layout, &mut packed));
            });
            group.finish();

            let matrix = Matrix::int8(&packed, Scales::F32(&token_scales), tokens, HEAD, layout).expect("it fits");
            let mut scores = vec![0.0; tokens * tokens];
            let mut group = c.benchmark_group("scores, int8, one head");
            group.throughput(Throughput::Elements((tokens * tokens * HEAD) as u64));
            group.bench_function(&name, |b| {
                b.iter(|| {
                    let (values, scales) = (black_box(&queries.values), &queries.scales);
                    kernels.matmul_int8(values, scales, &matrix, 0..tokens, None, Epilogue::Store, &mut scores, tokens);
                });
            });
            group.finish();

            let source = painted(tokens);
            let (mut row, mut values) = (source.clone(), vec![0i8; quantized_stride(tokens)]);
            let mut group = c.benchmark_group("attention weights, one query");
            group.throughput(Throughput::Elements(tokens as u64));
            group.bench_function(&name, |b| {
                b.iter(|| {
                    row.copy_from_slice(&source);
                    kernels.attention_weights(black_box(&mut row), &token_scales, &mut values)
                });
            });
            group.finish();

            let mut packed = vec![0i8; len(HEAD, tokens)];
            let mut group = c.benchmark_group("values packed, one head");
            group.throughput(Throughput::Elements((tokens * HEAD) as u64));
            group.bench_function(&name, |b| {
                b.iter(|| pack_values(black_box(&keys.values), stride, 0, tokens, HEAD, layout, &mut packed));
            });
            group.finish();

            let matrix = Matrix::int8(&packed, Scales::One, HEAD, tokens, layout).expect("it fits");
            let mut context = vec![0.0; tokens * HEAD];
            let mut group = c.benchmark_group("weighted values, int8, one head");
            group.throughput(Throughput::Elements((tokens * tokens * HEAD) as u64));
            group.bench_function(&name, |b| {
                b.iter(|| {
                    let (values, scales) = (black_box(&weights.values), &weights.scales);
                    kernels.matmul_int8(values, scales, &matrix, 0..HEAD, None, Epilogue::Store, &mut context, HEAD);
                });
            });
        }
    }
}

/// As float models do it.
fn float(c: &mut Criterion) {
    for tokens in TOKENS {
        let (query, keys) = (painted(tokens * HEAD), painted(HEAD * tokens));
        let source = painted(tokens);
        let (mut scores, mut row) = (vec![0.0; tokens * tokens], source.clone());
        for kernels in kernels_for(tokens) {
            let name = format!("{tokens} tokens, {}", kernels.isa());
            let mut group = c.benchmark_group("scores, f32, one head");
            group.throughput(Throughput::Elements((tokens * tokens * HEAD) as u64));
            group.bench_function(&name, |b| {
                b.iter(|| {
                    let (query, keys) = (black_box(&query), black_box(&keys));
                    kernels.gemm_f32(query, HEAD, tokens, keys, tokens, HEAD, tokens, 0.125, &mut scores, tokens);
                });
            });
            group.finish();
            let mut group = c.benchmark_group("softmax, one query");
            group.throughput(Throughput::Elements(tokens as u64));
            group.bench_function(&name, |b| {
                b.iter(|| {
                    row.copy_from_slice(&source);
                    kernels.softmax(black_box(&mut row));
                });
            });
        }
    }
}

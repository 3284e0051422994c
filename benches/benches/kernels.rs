//! Every kernel on every instruction set of this machine, in the shapes that DistilBERT has at 128 tokens.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use distil_kernels::layout::{Layout, pack_int8, packed_len_int8};
use distil_kernels::{Epilogue, Kernels, Matrix, RowScale, Scales, quantized_stride};

const TOKENS: usize = 128;
const HIDDEN: usize = 768;
const INTERMEDIATE: usize = 3072;
const HEAD: usize = 64;

/// Values without a pattern that a kernel could profit from, in about [-1, 1].
fn painted(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 + i / 251) % 251) as f32 / 125.0 - 1.0).collect()
}

fn matmul(c: &mut Criterion) {
    let shapes = [
        ("attention projection", HIDDEN, HIDDEN),
        ("feed-forward in", INTERMEDIATE, HIDDEN),
        ("feed-forward out", HIDDEN, INTERMEDIATE),
    ];
    for (use_of, n, k) in shapes {
        let mut group = c.benchmark_group(format!("matmul_int8, {use_of}"));
        let rows: Vec<i8> = (0..n * k).map(|i| (i % 251) as u8 as i8).map(|w| w.max(-127)).collect();
        let len = packed_len_int8(n, k, Layout::Tile16).expect("a small shape");
        let mut weights = vec![0i8; len];
        pack_int8(&rows, n, k, Layout::Tile16, &mut weights).expect("the lengths fit");
        let scales = vec![0x3c00u16; n.next_multiple_of(16)];
        let matrix = Matrix::int8(&weights, Scales::Bf16(&scales), n, k, Layout::Tile16).expect("the shape fits");
        for tokens in [8, TOKENS] {
            group.throughput(Throughput::Elements((tokens * n * k) as u64));
            let x = painted(tokens * k);
            let mut values = vec![0i8; tokens * quantized_stride(k)];
            let mut row_scales = vec![RowScale::default(); tokens];
            let mut out = vec![0.0; tokens * n];
            for kernels in Kernels::available() {
                kernels.quantize_rows(&x, k, &mut values, &mut row_scales);
                group.bench_function(format!("{tokens} tokens, {}", kernels.isa()), |b| {
                    b.iter(|| {
                        let (values, scales) = (black_box(&values), black_box(&row_scales));
                        kernels.matmul_int8(values, scales, &matrix, 0..n, None, Epilogue::Store, &mut out, n);
                    });
                });
            }
        }
    }
}

fn rows(c: &mut Criterion) {
    for kernels in Kernels::available() {
        let mut group = c.benchmark_group(format!("rows, {}", kernels.isa()));
        let (gamma, beta) = (vec![1.0; HIDDEN], vec![0.0; HIDDEN]);
        let source = painted(INTERMEDIATE);
        let mut row = source.clone();
        let mut values = vec![0; quantized_stride(HIDDEN)];
        let mut scale = [RowScale::default()];
        group.throughput(Throughput::Elements(HIDDEN as u64));
        group.bench_function("layer_norm, hidden", |b| {
            b.iter(|| kernels.layer_norm(black_box(&mut row[..HIDDEN]), &gamma, &beta, 1e-12));
        });
        group.bench_function("quantize_rows, hidden", |b| {
            b.iter(|| kernels.quantize_rows(black_box(&source[..HIDDEN]), HIDDEN, &mut values, &mut scale));
        });
        group.throughput(Throughput::Elements(INTERMEDIATE as u64));
        group.bench_function("gelu, intermediate", |b| {
            b.iter(|| {
                row.copy_from_slice(&source);
                kernels.gelu(black_box(&mut row));
            });
        });
        group.throughput(Throughput::Elements(TOKENS as u64));
        group.bench_function("softmax, one query", |b| {
            b.iter(|| {
                row[..TOKENS].copy_from_slice(&source[..TOKENS]);
                kernels.softmax(black_box(&mut row[..TOKENS]));
            });
        });
    }
}

fn attention(c: &mut Criterion) {
    let mut group = c.benchmark_group("gemm_f32, attention of one head");
    group.throughput(Throughput::Elements((TOKENS * TOKENS * HEAD) as u64));
    let (query, keys) = (painted(TOKENS * HEAD), painted(HEAD * TOKENS));
    let mut scores = vec![0.0; TOKENS * TOKENS];
    for kernels in Kernels::available() {
        group.bench_function(format!("scores, {}", kernels.isa()), |b| {
            b.iter(|| {
                let (query, keys) = (black_box(&query), black_box(&keys));
                kernels.gemm_f32(query, HEAD, TOKENS, keys, TOKENS, HEAD, TOKENS, 0.125, &mut scores, TOKENS);
            });
        });
    }
}

criterion_group!(benches, matmul, rows, attention);
criterion_main!(benches);

//! Speed of every instruction set of this machine, one thread, in the shapes of DistilBERT.
//!
//! `cargo run --release -p distil-kernels --example throughput [ISA]`

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use distil_kernels::layout::{self, Group};
use distil_kernels::{Epilogue, Isa, Kernels, Layout, Matrix, RowScale, Scales, quantized_stride};

fn main() {
    let wanted: Option<Isa> = env::args().nth(1).map(|name| name.parse().unwrap_or_else(|error| panic!("{error}")));
    for kernels in Kernels::available().filter(|kernels| wanted.is_none_or(|isa| isa == kernels.isa())) {
        println!("{}", kernels.isa());
        let layout = kernels.layout();
        for rows in [1, 8, 32, 128] {
            for (k, n) in [(768, 768), (768, 3072), (3072, 768)] {
                for integers in Integers::ALL {
                    product(kernels, integers, rows, k, n, layout, Epilogue::Store);
                }
            }
        }
        product(kernels, Integers::Int8, 128, 768, 3072, layout, Epilogue::Gelu);
        product(kernels, Integers::Int8, 128, 3072, 768, layout, Epilogue::Add);
        for tokens in [8, 32, 128] {
            product(kernels, Integers::Int8, tokens, 64, tokens, layout, Epilogue::Store);
            product(kernels, Integers::Int8, tokens, tokens, 64, layout, Epilogue::Store);
        }
        for rows in [1, 4] {
            product(kernels, Integers::Int8, rows, 768, 30522, Layout::RowMajor, Epilogue::Store);
        }
        gemm(kernels, "scores", 128, 64, 128);
        gemm(kernels, "values", 128, 128, 64);
        gemm(kernels, "scores", 17, 64, 17);
        float(kernels, 128, 768, 768);
        rows(kernels);
    }
}

/// The fastest of many calls within a tenth of a second.
fn best(mut f: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < Duration::from_millis(100) {
        let one = Instant::now();
        f();
        best = best.min(one.elapsed());
    }
    best
}

fn report(what: &str, shape: &str, work: usize, unit: &str, time: Duration) {
    let nanoseconds = time.as_nanos().max(1) as f64;
    let rate = if unit == "G MAC/s" { work as f64 / nanoseconds } else { nanoseconds / work as f64 };
    println!("  {what:<24} {shape:<20} {:>10.1} us {rate:>9.3} {unit}", nanoseconds / 1e3);
}

fn painted(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 251) as f32 * 0.01 - 1.25).collect()
}

/// Kinds of integer weights.
#[derive(Clone, Copy, Debug)]
enum Integers {
    Int8,
    Int4,
    Int3,
}

impl Integers {
    const ALL: [Integers; 3] = [Integers::Int8, Integers::Int4, Integers::Int3];
}

/// Bytes of weights that calls take turns with, so that each finds its weights outside the second
/// cache, as a call in a model does.
const STREAMED: usize = 24 << 20;

/// The product with one matrix again and again, and with one matrix after the other.
fn product(kernels: Kernels, integers: Integers, rows: usize, k: usize, n: usize, layout: Layout, epilogue: Epilogue) {
    let len = match integers {
        Integers::Int8 => layout::packed_len_int8(n, k, layout),
        Integers::Int4 => layout::packed_len_int4(n, k, Group::Of32, layout),
        Integers::Int3 => layout::packed_len_int3(n, k, layout),
    };
    let len = len.unwrap();
    let copies = STREAMED.div_ceil(len).min(400);
    let (bytes, groups) = (vec![37_i8; len * copies], vec![3_u8; n.next_multiple_of(16) * k.div_ceil(32)]);
    let scales = vec![0x3f80_u16; n];
    let matrices: Vec<_> = bytes
        .chunks_exact(len)
        .map(|bytes| match integers {
            Integers::Int8 => Matrix::int8(bytes, Scales::Bf16(&scales), n, k, layout).unwrap(),
            Integers::Int4 => {
                let nibbles = distil_kernels::cast::bytes_of(bytes);
                Matrix::int4(nibbles, &groups, Group::Of32, Scales::Bf16(&scales), n, k, layout).unwrap()
            }
            Integers::Int3 => {
                let packed = distil_kernels::cast::bytes_of(bytes);
                Matrix::int3(packed, &groups, Scales::Bf16(&scales), n, k, layout).unwrap()
            }
        })
        .collect();
    let mut values = vec![0; rows * quantized_stride(k)];
    let mut row_scales = vec![RowScale::default(); rows];
    kernels.quantize_rows(&painted(rows * k), k, &mut values, &mut row_scales);
    let mut out = vec![0.0; rows * n];
    let mut call = |matrix: &Matrix<'_>| {
        kernels.matmul_int8(&values, &row_scales, matrix, 0..n, None, epilogue, black_box(&mut out), n);
    };
    let (what, shape) = (format!("{integers:?} {layout:?} {epilogue:?}"), format!("{rows} x {k} x {n}"));
    report(&what, &shape, rows * k * n, "G MAC/s", best(|| call(&matrices[0])));
    if matrices.len() > 1 && k * n > 1 << 16 {
        let mut next = matrices.iter().cycle();
        let time = best(|| next.by_ref().take(1).for_each(&mut call));
        report(&what, &format!("{shape} streamed"), rows * k * n, "G MAC/s", time);
    }
}

fn gemm(kernels: Kernels, what: &str, rows: usize, k: usize, n: usize) {
    let (a, b, mut out) = (painted(rows * k), painted(k * n), vec![0.0; rows * n]);
    let time = best(|| kernels.gemm_f32(&a, k, rows, &b, n, k, n, 0.125, black_box(&mut out), n));
    report(&format!("gemm_f32 {what}"), &format!("{rows} x {k} x {n}"), rows * k * n, "G MAC/s", time);
}

fn float(kernels: Kernels, rows: usize, k: usize, n: usize) {
    let (x, weights, mut out) = (painted(rows * k), painted(n * k), vec![0.0; rows * n]);
    for layout in [Layout::Tile16, Layout::RowMajor] {
        let matrix = Matrix::float(&weights, n, k, layout).unwrap();
        let time = best(|| kernels.matmul_f32(&x, rows, &matrix, 0..n, None, Epilogue::Store, black_box(&mut out), n));
        report(&format!("f32 {layout:?}"), &format!("{rows} x {k} x {n}"), rows * k * n, "G MAC/s", time);
    }
}

fn rows(kernels: Kernels) {
    let row = painted(768);
    let mut x = row.clone();
    let mut each = |what: &str, f: &mut dyn FnMut(&mut [f32])| {
        let time = best(|| {
            for _ in 0..64 {
                x.copy_from_slice(&row);
                f(black_box(&mut x));
            }
        });
        report(what, "768", 64 * 768, "ns/element", time);
    };
    each("copy alone", &mut |_| {});
    each("gelu", &mut |x| kernels.gelu(x));
    each("softmax", &mut |x| kernels.softmax(x));
    each("layer_norm", &mut |x| kernels.layer_norm(x, &row, &row, 1e-12));
    let (mut values, mut scales) = ([0; 768], [RowScale::default()]);
    each("quantize_rows", &mut |x| kernels.quantize_rows(x, 768, &mut values, &mut scales));
    each("add_dequantized", &mut |x| kernels.add_dequantized(&values, 0.5, x));
}

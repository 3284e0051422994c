//! Speed of every instruction set of this machine, one thread, in the shapes of DistilBERT.
//!
//! `cargo run --release -p distil-kernels --example throughput [ISA]`

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use distil_kernels::{Epilogue, Isa, Kernels, Layout, Matrix, RowScale, Scales, layout, quantized_stride};

fn main() {
    let wanted: Option<Isa> = env::args().nth(1).map(|name| name.parse().unwrap_or_else(|error| panic!("{error}")));
    for kernels in Kernels::available().filter(|kernels| wanted.is_none_or(|isa| isa == kernels.isa())) {
        println!("{}", kernels.isa());
        for (rows, k, n) in
            [(128, 768, 768), (128, 768, 3072), (128, 3072, 768), (16, 768, 768), (1, 768, 768), (1, 3072, 768)]
        {
            int8(kernels, rows, k, n, Layout::Tile16, Epilogue::Store);
        }
        int8(kernels, 128, 768, 3072, Layout::Tile16, Epilogue::Gelu);
        int8(kernels, 1, 768, 30522, Layout::RowMajor, Epilogue::Store);
        int8(kernels, 4, 768, 30522, Layout::RowMajor, Epilogue::Store);
        gemm(kernels, "scores", 128, 64, 128);
        gemm(kernels, "values", 128, 128, 64);
        gemm(kernels, "scores", 17, 64, 17);
        float(kernels, 128, 768, 768);
        rows(kernels);
    }
}

/// The fastest of many calls within a fifth of a second.
fn best(mut f: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < Duration::from_millis(200) {
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

fn int8(kernels: Kernels, rows: usize, k: usize, n: usize, layout: Layout, epilogue: Epilogue) {
    let weights = vec![37_i8; layout::packed_len_int8(n, k, layout).unwrap()];
    let scales = vec![0x3f80_u16; n];
    let matrix = Matrix::int8(&weights, Scales::Bf16(&scales), n, k, layout).unwrap();
    let mut values = vec![0; rows * quantized_stride(k)];
    let mut row_scales = vec![RowScale::default(); rows];
    kernels.quantize_rows(&painted(rows * k), k, &mut values, &mut row_scales);
    let mut out = vec![0.0; rows * n];
    let time = best(|| {
        kernels.matmul_int8(&values, &row_scales, &matrix, 0..n, None, epilogue, black_box(&mut out), n);
    });
    report(&format!("int8 {layout:?} {epilogue:?}"), &format!("{rows} x {k} x {n}"), rows * k * n, "G MAC/s", time);
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

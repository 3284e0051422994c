//! Products of quantized rows with a matrix of weights.

use std::hint::black_box;
use std::time::Duration;

use distil_kernels::layout::{Group, group_count, packed_len_int3, packed_len_int4, packed_len_int8};
use distil_kernels::{Epilogue, Kernels, Layout, Matrix, RowScale, Scales, quantized_stride};

use super::measure::{Aligned, fastest};
use super::{Measured, Work};

/// Bytes of weights that are gone through before the first are read again: about what an encoder has, so that they come
/// from where an encoder's do.
pub(super) const SET_BYTES: usize = 1 << 26;

/// Products measured here.
pub(super) const COUNT: u32 = 23;

/// The weights that matrices are cut from.
pub(super) struct Set {
    /// No byte is -128, and no nibble is anything but a value.
    weights: Aligned<i8>,
    /// Factors of the groups of int4 and int3.
    factors: Aligned<u8>,
    /// The bfloat16 1.0.
    scales: Aligned<u16>,
}

/// How the weights of a product are stored.
#[derive(Clone, Copy)]
enum Stored {
    Int8,
    Int4(Group),
    Int3,
}

/// Types in which every matrix of weights is measured.
const STORED: [(&str, Stored); 3] =
    [("int8", Stored::Int8), ("int4g32", Stored::Int4(Group::Of32)), ("int3g32", Stored::Int3)];

impl Set {
    pub(super) fn new() -> Self {
        let weights = Aligned::new(SET_BYTES, |at| (at % 251) as i8 % 127);
        let factors = Aligned::new(SET_BYTES / 16, |at| 1 + (at % 15) as u8);
        Self { weights, factors, scales: Aligned::new(1 << 16, |_| 0x3F80) }
    }

    /// Bytes a second of reading the set, part after part, and doing nothing with it that takes longer.
    pub(super) fn read_rate(&self, budget: Duration) -> f64 {
        // Parts are short enough to be read without an interruption on a busy machine.
        const PART: usize = SET_BYTES / 32;
        let mut parts = bytemuck::cast_slice::<i8, u64>(&self.weights).chunks_exact(PART / 8).cycle();
        let seconds = fastest(budget, || {
            // A word of each cache line: the line comes whole, and nothing but memory is waited for.
            let mut seen = 0;
            for line in parts.next().unwrap_or_default().as_chunks::<8>().0 {
                seen |= line[0];
            }
            black_box(seen);
        });
        PART as f64 / seconds
    }

    /// As many different matrices as the set has, at least one; and the bytes of each.
    fn matrices(&self, stored: Stored, n: usize, k: usize, layout: Layout) -> (Vec<Matrix<'_>>, usize) {
        let scales = Scales::Bf16(&self.scales[..n.next_multiple_of(16)]);
        const FITS: &str = "every shape here is smaller than the set";
        match stored {
            Stored::Int8 => {
                let len = packed_len_int8(n, k, layout).expect(FITS);
                let cut = self.weights.chunks_exact(len);
                let matrices = cut.map(|values| Matrix::int8(values, scales, n, k, layout).expect(FITS));
                (matrices.collect(), len)
            }
            Stored::Int4(group) => {
                let len = packed_len_int4(n, k, group, layout).expect(FITS);
                let factors = group_count(n, k, group, layout).expect(FITS);
                let cut = bytemuck::cast_slice::<i8, u8>(&self.weights).chunks_exact(len);
                let matrices = cut
                    .zip(self.factors.chunks_exact(factors))
                    .map(|(nibbles, factors)| Matrix::int4(nibbles, factors, group, scales, n, k, layout).expect(FITS));
                (matrices.collect(), len + factors)
            }
            Stored::Int3 => {
                let len = packed_len_int3(n, k, layout).expect(FITS);
                let factors = group_count(n, k, Group::Of32, layout).expect(FITS);
                let cut = bytemuck::cast_slice::<i8, u8>(&self.weights).chunks_exact(len);
                let matrices = cut
                    .zip(self.factors.chunks_exact(factors))
                    .map(|(packed, factors)| Matrix::int3(packed, factors, scales, n, k, layout).expect(FITS));
                (matrices.collect(), len + factors)
            }
        }
    }
}

/// Quantized rows, and room for their outputs.
struct Rows {
    values: Aligned<i8>,
    scales: Vec<RowScale>,
    out: Aligned<f32>,
}

impl Rows {
    fn new(kernels: Kernels, rows: usize, k: usize, n: usize) -> Self {
        let x = Aligned::new(rows * k, |at| (at % 251) as f32 * 0.01 - 1.25);
        let mut values = Aligned::zeroed(rows * quantized_stride(k));
        let mut scales = vec![RowScale::default(); rows];
        kernels.quantize_rows(&x, k, &mut values, &mut scales);
        Self { values, scales, out: Aligned::zeroed(rows * n) }
    }

    fn multiply(&mut self, kernels: Kernels, matrix: &Matrix<'_>) {
        let n = matrix.channels();
        let out = black_box(&mut self.out);
        kernels.matmul_int8(&self.values, &self.scales, matrix, 0..n, None, Epilogue::Store, out, n);
    }
}

/// Multiply-adds a second of the best of some small int8 products: rows and weights stay in the first caches, and there
/// are many inputs for each output.
pub(super) fn peak(kernels: Kernels, budget: Duration) -> f64 {
    let shapes = [(24, 512, 32), (48, 512, 48), (24, 2048, 16), (96, 768, 96), (64, 1024, 64), (128, 768, 256)];
    let rate = |(rows, k, n): (usize, usize, usize)| {
        let len = packed_len_int8(n, k, kernels.layout()).expect("a small shape");
        let weights = Aligned::new(len, |_| 37);
        let matrix = Matrix::int8(&weights, Scales::One, n, k, kernels.layout()).expect("the shape fits");
        let mut operands = Rows::new(kernels, rows, k, n);
        (rows * k * n) as f64 / fastest(budget, || operands.multiply(kernels, &matrix))
    };
    shapes.into_iter().map(rate).fold(0.0, f64::max)
}

pub(super) fn all(kernels: Kernels, set: &Set, budget: Duration) -> Vec<Measured> {
    let own = kernels.layout();
    let mut list = Vec::new();
    let mut measure = |name, (dtype, stored), rows, (k, n), layout, most| {
        let (matrices, bytes) = set.matrices(stored, n, k, layout);
        let mut turn = matrices.iter().take(most).cycle();
        let mut operands = Rows::new(kernels, rows, k, n);
        let seconds = fastest(budget, || {
            if let Some(matrix) = turn.next() {
                operands.multiply(kernels, matrix);
            }
        });
        list.push(Measured { name, dtype, rows, inputs: k, outputs: n, seconds, work: Work::Product { bytes } });
    };
    // Keys and values of one head were just made: they are in the cache, and no memory is waited for.
    measure("attention scores", STORED[0], 128, (64, 128), own, 1);
    measure("attention values", STORED[0], 128, (128, 64), own, 1);
    for stored in STORED {
        for rows in [8, 128] {
            measure("attention projection", stored, rows, (768, 768), own, usize::MAX);
            measure("feed-forward in", stored, rows, (768, 3072), own, usize::MAX);
            measure("feed-forward out", stored, rows, (3072, 768), own, usize::MAX);
        }
        // The table is row-major for its other use, the embedding.
        measure("masked-LM projection", stored, 1, (768, 30_522), Layout::RowMajor, usize::MAX);
    }
    list
}

/// The name of a layout, as in a packed file.
pub(super) fn name(layout: Layout) -> &'static str {
    match layout {
        Layout::RowMajor => "row-major",
        Layout::Tile16 => "tile16",
        Layout::Tile8 => "tile8",
        Layout::Tile4 => "tile4",
    }
}

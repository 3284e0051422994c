//! Every kernel on every instruction set of this machine, in the shapes of DistilBERT, named by their use there.
//!
//!     cargo bench -p distil-benches --bench kernels -- 'feed-forward in, int8/128'

mod attention;
mod products;
mod rows;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use distil_kernels::{Isa, Kernels, RowScale, quantized_stride};

/// Lengths of the text.
const TOKENS: [usize; 4] = [8, 32, 128, 384];
const HIDDEN: usize = 768;
const INTERMEDIATE: usize = 3072;
const VOCABULARY: usize = 30_522;
/// Width of a head.
const HEAD: usize = 64;

/// Values without a pattern that a kernel could profit from, in about [-1, 1].
fn painted(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 + i / 251) % 251) as f32 / 125.0 - 1.0).collect()
}

/// The instruction sets for this many rows: the reference, which nobody waits for, only with few.
fn kernels_for(tokens: usize) -> impl Iterator<Item = Kernels> {
    Kernels::available().filter(move |kernels| kernels.isa() != Isa::Reference || tokens <= 8)
}

/// Rows of floats, and the same quantized.
struct Rows {
    floats: Vec<f32>,
    values: Vec<i8>,
    scales: Vec<RowScale>,
}

impl Rows {
    fn new(rows: usize, k: usize) -> Self {
        let floats = painted(rows * k);
        let (mut values, mut scales) = (vec![0; rows * quantized_stride(k)], vec![RowScale::default(); rows]);
        Kernels::detect().quantize_rows(&floats, k, &mut values, &mut scales);
        Self { floats, values, scales }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).sample_size(10);
    targets = products::benches, attention::benches, rows::benches
}
criterion_main!(benches);

//! The test body that products of int8 and of float matrices share.

use std::ops::Range;

use distil_kernels::{Epilogue, Isa, Kernels, Layout, Vector};

use super::{CHANNELS, INPUTS, ROWS, assert_bits, painted, painted_halves};

pub(crate) const EPILOGUES: [Epilogue; 4] = [Epilogue::Store, Epilogue::Gelu, Epilogue::Relu, Epilogue::Add];

/// Operands of a product with weights.
pub(crate) trait Product {
    /// Rows, inputs, channels and layout, for messages.
    fn shape(&self) -> (usize, usize, usize, Layout);

    /// The product, written into a larger output with guarded gaps.
    fn run(&self, kernels: Kernels, channels: Range<usize>, bias: Option<Vector>, epilogue: Epilogue) -> Vec<f32>;

    /// Compares every instruction set that exists here with the reference.
    fn compare_all(&self, channels: Range<usize>, bias: Option<Vector>, epilogue: Epilogue) {
        let expected = self.run(Kernels::reference(), channels.clone(), bias, epilogue);
        for kernels in Kernels::available().filter(|kernels| kernels.isa() != Isa::Reference) {
            let found = self.run(kernels, channels.clone(), bias, epilogue);
            assert_bits(&expected, &found, || {
                let (rows, k, n, layout) = self.shape();
                format!("{:?} {rows} x {k} x {n} {layout:?} {channels:?} {epilogue:?}", kernels.isa())
            });
        }
    }
}

/// Every shape at the boundary of some tile, biases and epilogues taking turns. Beyond `most` multiplications only
/// products of fewer than `few` rows are made.
pub(crate) fn every_shape<P: Product>(
    layouts: &[Layout],
    most: usize,
    few: usize,
    make: impl Fn(usize, usize, usize, Layout) -> P,
) {
    // An emulated processor without an operating system takes fewer of the large shapes.
    let (most, few) = if cfg!(target_os = "none") { (most / 64, few.min(4)) } else { (most, few) };
    let (floats, halves) = (painted(64, 3), painted_halves(64, 4));
    let mut turn = 0;
    for (&k, &n) in INPUTS.iter().flat_map(|k| CHANNELS.iter().map(move |n| (k, n))) {
        for &rows in ROWS.iter().filter(|&&rows| rows * k * n < most || rows < few) {
            for &layout in layouts {
                turn += 1;
                let bias = [None, Some(Vector::F32(&floats[..n])), Some(Vector::F16(&halves[..n]))][turn % 3];
                make(rows, k, n, layout).compare_all(0..n, bias, EPILOGUES[turn % 4]);
            }
        }
    }
}

/// Ranges of channels that begin and end anywhere in a tile.
pub(crate) fn every_part<P: Product>(layouts: &[Layout], make: impl Fn(usize, usize, usize, Layout) -> P) {
    let bias = painted(78, 3);
    for &layout in layouts {
        let case = make(5, 36, 78, layout);
        for start in [0, 1, 4, 13, 15, 16, 17, 26, 31, 32, 52, 62, 64, 77, 78] {
            for end in [0, 1, 2, 15, 16, 17, 26, 31, 32, 33, 52, 63, 64, 65, 77, 78] {
                for epilogue in EPILOGUES.into_iter().filter(|_| start <= end) {
                    case.compare_all(start..end, Some(Vector::F32(&bias)), epilogue);
                }
            }
        }
    }
}

//! What every test of the operations needs: inputs, shapes, guard bands, and the loop over
//! instruction sets.

#![allow(dead_code, reason = "each test program uses its part")]

pub(crate) mod product;

use distil_kernels::{Isa, Kernels};

/// Lengths of rows at and around every boundary.
pub(crate) const INPUTS: [usize; 17] = [1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128, 312, 768, 3072];
/// Numbers of channels at and around the boundaries of tiles, pairs of tiles and head sizes.
pub(crate) const CHANNELS: [usize; 11] = [1, 2, 15, 16, 17, 26, 31, 32, 33, 48, 64];
/// Numbers of rows at and around the boundaries of every block of rows.
pub(crate) const ROWS: [usize; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 24, 25, 33];

/// Runs a test for each instruction set but the reference that exists here, and says which do not.
pub(crate) fn each_isa(test: impl Fn(Kernels)) {
    for isa in Isa::ALL.into_iter().filter(|&isa| isa != Isa::Reference) {
        match Kernels::with_isa(isa) {
            Ok(kernels) => test(kernels),
            Err(error) => eprintln!("SKIPPED {isa}: {error}"),
        }
    }
}

/// Bytes with period 251, from -125 to 125 with the two extremes of int8 weights put in.
pub(crate) fn painted_bytes(len: usize, seed: usize) -> Vec<i8> {
    let paint = |i: usize| match (i * 7 + seed * 31) % 251 {
        0 => -127,
        1 => 127,
        p => (p as i32 - 125) as i8,
    };
    (0..len).map(paint).collect()
}

/// Floats with period 251, about -2.2 to 2.2, none of them a round number.
pub(crate) fn painted(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| (((i * 7 + seed * 31) % 251) as f32 - 125.0) * 0.017_37 + 0.001_3).collect()
}

/// bfloat16 scales between 2^-9 and 2^-6.
pub(crate) fn painted_scales(len: usize, seed: usize) -> Vec<u16> {
    (0..len).map(|i| 0x3b00 + ((i * 7 + seed) % 0x0180) as u16).collect()
}

/// Half-precision numbers, denormals included.
pub(crate) fn painted_halves(len: usize, seed: usize) -> Vec<u16> {
    (0..len).map(|i| ((i * 7919 + seed * 104_729) % 0x3c00) as u16 | ((i as u16 & 1) << 15)).collect()
}

/// Elements on each side of a guarded buffer.
const BAND: usize = 64;

/// A buffer between two bands that nobody may write to.
pub(crate) struct Guarded<T> {
    all: Vec<T>,
    band: T,
}

impl<T: Copy + PartialEq + core::fmt::Debug> Guarded<T> {
    /// The contents between bands of `band`.
    pub(crate) fn new(contents: &[T], band: T) -> Self {
        let mut all = vec![band; BAND];
        all.extend_from_slice(contents);
        all.resize(contents.len() + 2 * BAND, band);
        Guarded { all, band }
    }

    /// The contents.
    pub(crate) fn get(&mut self) -> &mut [T] {
        let end = self.all.len() - BAND;
        &mut self.all[BAND..end]
    }

    /// The contents, after a look at the bands.
    pub(crate) fn checked(&self) -> &[T] {
        let end = self.all.len() - BAND;
        assert!(self.all[..BAND].iter().all(|x| *x == self.band), "written before the buffer");
        assert!(self.all[end..].iter().all(|x| *x == self.band), "written after the buffer");
        &self.all[BAND..end]
    }
}

/// Panics at the first element whose bits differ.
#[track_caller]
pub(crate) fn assert_bits(expected: &[f32], found: &[f32], context: impl Fn() -> String) {
    assert_eq!(expected.len(), found.len(), "{}", context());
    for (i, (e, f)) in expected.iter().zip(found).enumerate() {
        assert!(e.to_bits() == f.to_bits(), "{}: element {i} is {f:e}, expected {e:e}", context());
    }
}

/// Units in the last place between a float and the exact value.
pub(crate) fn ulps(found: f32, exact: f64) -> f64 {
    let exponent = exact.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor() as i32;
    (f64::from(found) - exact).abs() / 2.0_f64.powi(exponent - 23)
}

//! The clock, and memory as an encoder's.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use bytemuck::Pod;
use distil_format::AlignedBytes;

/// Long enough for the clock to be exact to a percent.
const SAMPLE: Duration = Duration::from_micros(20);
/// Samples that are taken however little time there is, unless one is [`LONG`].
const LEAST: usize = 3;
/// A call of this length is not repeated for the sake of a better figure alone.
const LONG: Duration = Duration::from_millis(100);

/// Seconds of the fastest call within `budget`, after one to warm up. Calls too short for the clock are timed together.
pub(super) fn fastest(budget: Duration, mut call: impl FnMut()) -> f64 {
    call();
    let first = Instant::now();
    call();
    let first = first.elapsed();
    let calls = SAMPLE.as_nanos().div_ceil(first.as_nanos().max(1)).min(10_000) as u32;
    // One call is a sample already if it is long enough.
    let (mut best, mut samples) = if calls == 1 { (first, 1) } else { (Duration::MAX, 0) };
    let start = Instant::now();
    while start.elapsed() < budget || (samples < LEAST && (samples == 0 || best < LONG)) {
        let sample = Instant::now();
        for _ in 0..calls {
            call();
        }
        best = best.min(sample.elapsed());
        samples += 1;
    }
    best.as_secs_f64() / f64::from(calls)
}

/// Values that start at a multiple of 64 bytes, as those of a packed file and of an arena do: vectors cross no cache line.
pub(super) struct Aligned<T>(AlignedBytes, PhantomData<T>);

impl<T: Pod> Aligned<T> {
    /// `len` values, each from its place.
    pub(super) fn new(len: usize, value: impl Fn(usize) -> T) -> Self {
        let mut aligned = Self(AlignedBytes::zeroed(len * size_of::<T>()), PhantomData);
        aligned.iter_mut().enumerate().for_each(|(at, slot)| *slot = value(at));
        aligned
    }

    pub(super) fn zeroed(len: usize) -> Self {
        Self::new(len, |_| T::zeroed())
    }
}

impl<T: Pod> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.0)
    }
}

impl<T: Pod> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

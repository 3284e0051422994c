//! The clock.

use std::time::{Duration, Instant};

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

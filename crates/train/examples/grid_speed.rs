//! How long the grid of quantization-aware training takes to make anew: nanoseconds a weight, over a matrix of 3072 x 768
//! random weights, on all threads and on one.

use distil_train::qat::{int4, int8};
use distil_train::rng::{Purpose, normal, stream};
use std::time::Instant;

const ROWS: usize = 3072;
const COLUMNS: usize = 768;

/// Best of five runs.
fn measure(what: &str, f: impl Fn() -> usize) {
    let seconds = |_| {
        let start = Instant::now();
        assert!(f() > 0);
        start.elapsed().as_secs_f64()
    };
    let best = (0..5).map(seconds).fold(f64::INFINITY, f64::min);
    println!("{what:34} {:6.2} ns", best * 1e9 / (ROWS * COLUMNS) as f64);
}

fn main() {
    let mut rng = stream(1, Purpose::Weights, 0);
    let weights: Vec<f32> = (0..ROWS * COLUMNS).map(|_| 0.02 * normal(&mut rng)).collect();
    for threads in [rayon::current_num_threads(), 1] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| {
            println!("threads: {threads}");
            measure("int8, scales and rounding", || int8::round(&weights, COLUMNS).len());
            for group in [32, 64] {
                let steps = int4::search(&weights, COLUMNS, group);
                measure(&format!("int4 in groups of {group}, search"), || {
                    int4::search(&weights, COLUMNS, group).scales.len()
                });
                measure(&format!("int4 in groups of {group}, rounding"), || {
                    int4::round(&weights, COLUMNS, group, &steps).len()
                });
            }
        });
    }
}

//! How fast each kernel is on each instruction set of this machine, beside what the machine can do.
//!
//! Every peak is measured here, never looked up. A product is limited by arithmetic or by memory, whichever alone would
//! take longer; its share is that time over the time it took:
//!
//! - arithmetic: the best rate of int8 products small enough for the cache, on the same instruction set;
//! - memory: the best rate at which a set of 64 MB is read, again and again.
//!
//! Work on rows is measured against the simplest such work on the same instruction set, the multiplication of every value
//! with a number, in the cache.
//!
//! A rate that beats a peak becomes the peak, so no share is above 1.

mod measure;
mod products;
mod rows;

use std::time::Duration;

use distil_kernels::Kernels;
use serde::Serialize;

/// Speed of every kernel; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// The instruction set that is chosen where none is asked for.
    pub pick: &'static str,
    /// Rate of reading memory, in 10^9 bytes a second.
    pub memory_gb_per_s: f64,
    /// Each instruction set, from the slowest to the fastest.
    pub isas: Vec<IsaReport>,
}

/// One instruction set.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct IsaReport {
    /// Its name.
    pub isa: &'static str,
    /// Whether it is the one chosen where none is asked for.
    pub picked: bool,
    /// The layout it reads best, in which its matrices are measured.
    pub layout: &'static str,
    /// The best rate of small int8 products, in 10^9 multiply-adds a second.
    pub peak_gmacs_per_s: f64,
    /// The rate of multiplying each value of a row, in 10^9 values a second.
    pub peak_gvalues_per_s: f64,
    /// Each kernel.
    pub kernels: Vec<KernelReport>,
}

/// What limits a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// The rate of multiply-adds.
    Arithmetic,
    /// The rate at which the weights are read.
    Memory,
    /// One pass over the values of a row.
    Values,
}

/// One kernel in one shape.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct KernelReport {
    /// What an encoder uses it for.
    pub name: &'static str,
    /// Type of its weights, or of its result.
    pub dtype: &'static str,
    /// Rows it is given: tokens.
    pub rows: usize,
    /// Inputs of a row.
    pub inputs: usize,
    /// Outputs of a row.
    pub outputs: usize,
    /// The fastest call, in 10^-6 seconds.
    pub microseconds: f64,
    /// Multiply-adds or values, in 10^9 a second.
    pub rate: f64,
    /// `G multiply-adds/s` or `G values/s`.
    pub unit: &'static str,
    /// What limits it.
    pub limit: Limit,
    /// The time that its limit alone would take over the time it took.
    pub share: f64,
}

/// A kernel's time, before the peaks are known.
struct Measured {
    name: &'static str,
    dtype: &'static str,
    rows: usize,
    inputs: usize,
    outputs: usize,
    seconds: f64,
    work: Work,
}

/// What a kernel has to do.
enum Work {
    /// Multiply-adds with a number of bytes of weights.
    Product { bytes: usize },
    /// A pass over each value.
    Values,
}

impl Measured {
    /// Multiply-adds, or values.
    fn count(&self) -> f64 {
        let values = self.rows as f64 * self.inputs as f64;
        match self.work {
            Work::Product { .. } => values * self.outputs as f64,
            Work::Values => values,
        }
    }

    fn bytes(&self) -> f64 {
        match self.work {
            Work::Product { bytes } => bytes as f64,
            Work::Values => 0.0,
        }
    }
}

/// Measures the kernels of each given instruction set, about `budget` long; every kernel at least three times, or once if it takes long.
pub fn run(isas: &[Kernels], budget: Duration, mut progress: impl FnMut(&'static str)) -> Report {
    let pick = Kernels::detect().isa();
    let set = products::Set::new();
    let mut measured = Vec::new();
    for &kernels in isas {
        progress(kernels.isa().name());
        measured.push((kernels, Peaks::measure(kernels, budget), all(kernels, &set, budget)));
    }
    // A product of one row over a large matrix reads memory and does little else.
    let read = measured.iter().flat_map(|(_, _, list)| list).map(|kernel| kernel.bytes() / kernel.seconds);
    let memory = read.fold(set.read_rate(budget / products::COUNT), f64::max);
    let isas = measured.into_iter().map(|(kernels, peaks, list)| {
        let peaks = peaks.with(&list);
        IsaReport {
            isa: kernels.isa().name(),
            picked: kernels.isa() == pick,
            layout: products::name(kernels.layout()),
            peak_gmacs_per_s: peaks.products / 1e9,
            peak_gvalues_per_s: peaks.values / 1e9,
            kernels: list.iter().map(|kernel| peaks.judge(kernel, memory)).collect(),
        }
    });
    Report { pick: pick.name(), memory_gb_per_s: memory / 1e9, isas: isas.collect() }
}

fn all(kernels: Kernels, set: &products::Set, budget: Duration) -> Vec<Measured> {
    let each = budget / (products::COUNT + rows::COUNT);
    let mut list = rows::all(kernels, each);
    list.extend(products::all(kernels, set, each));
    list
}

/// Rates of one instruction set, a second.
struct Peaks {
    products: f64,
    values: f64,
}

impl Peaks {
    fn measure(kernels: Kernels, budget: Duration) -> Self {
        let each = budget / (products::COUNT + rows::COUNT);
        Self { products: products::peak(kernels, each), values: rows::peak(kernels, each) }
    }

    /// Raised to what was measured since.
    fn with(mut self, list: &[Measured]) -> Self {
        for kernel in list {
            let peak = match kernel.work {
                Work::Product { .. } => &mut self.products,
                Work::Values => &mut self.values,
            };
            *peak = peak.max(kernel.count() / kernel.seconds);
        }
        self
    }

    fn judge(&self, kernel: &Measured, memory: f64) -> KernelReport {
        let &Measured { name, dtype, rows, inputs, outputs, seconds, ref work } = kernel;
        let count = kernel.count();
        let (limit, least, unit) = match work {
            Work::Values => (Limit::Values, count / self.values, "G values/s"),
            Work::Product { .. } => {
                let (arithmetic, read) = (count / self.products, kernel.bytes() / memory);
                let limit = if arithmetic >= read { Limit::Arithmetic } else { Limit::Memory };
                (limit, arithmetic.max(read), "G multiply-adds/s")
            }
        };
        KernelReport {
            name,
            dtype,
            rows,
            inputs,
            outputs,
            microseconds: seconds * 1e6,
            rate: count / seconds / 1e9,
            unit,
            limit,
            // Rounding may make the fastest of all a hair faster than itself.
            share: (least / seconds).min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(rows: usize, seconds: f64, work: Work) -> Measured {
        Measured { name: "a", dtype: "int8", rows, inputs: 100, outputs: 10, seconds, work }
    }

    #[test]
    fn the_slower_limit_counts() {
        let peaks = Peaks { products: 1e9, values: 1e8 };
        // 1,000 multiply-adds take 1 us, 1,000 bytes take 10 us.
        let report = peaks.judge(&kernel(1, 20e-6, Work::Product { bytes: 1000 }), 1e8);
        assert_eq!((report.limit, report.unit), (Limit::Memory, "G multiply-adds/s"));
        assert!((report.share - 0.5).abs() < 1e-9 && (report.rate - 0.05).abs() < 1e-9);
        // 64 times as many rows: 64 us.
        let report = peaks.judge(&kernel(64, 128e-6, Work::Product { bytes: 1000 }), 1e8);
        assert_eq!(report.limit, Limit::Arithmetic);
        assert!((report.share - 0.5).abs() < 1e-9);
        let report = peaks.judge(&kernel(1, 4e-6, Work::Values), 1e8);
        assert_eq!((report.limit, report.unit), (Limit::Values, "G values/s"));
        assert!((report.share - 0.25).abs() < 1e-9);
    }

    #[test]
    fn no_share_is_above_one() {
        let list = [kernel(64, 1e-6, Work::Product { bytes: 0 }), kernel(1, 1e-9, Work::Values)];
        let peaks = Peaks { products: 1e9, values: 1e9 }.with(&list);
        assert!(list.iter().all(|kernel| peaks.judge(kernel, 1e9).share <= 1.0));
    }
}

//! Learning rate: linear warm-up, then linear decay to zero.

use serde::{Deserialize, Serialize};

/// Shape of the learning-rate curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Share of the steps spent warming up.
    pub warmup: f64,
}

impl Schedule {
    /// Learning rate of step `step` (from 0) of `total`.
    pub fn rate(&self, step: usize, total: usize) -> f64 {
        let warmup = (self.warmup * total as f64).ceil();
        let (step, total) = (step as f64, total as f64);
        let factor =
            if step < warmup { (step + 1.0) / (warmup + 1.0) } else { (total - step) / (total - warmup).max(1.0) };
        self.learning_rate * factor.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_to_zero() {
        let schedule = Schedule { learning_rate: 5e-4, warmup: 0.05 };
        let rates: Vec<f64> = (0..=1000).map(|step| schedule.rate(step, 1000)).collect();
        assert!(rates[0] > 0.0 && rates[..=50].windows(2).all(|w| w[0] < w[1]));
        assert!((rates[50] - 5e-4).abs() < 1e-12);
        assert!(rates[50..].windows(2).all(|w| w[0] > w[1]));
        assert_eq!(rates[1000], 0.0);
    }

    #[test]
    fn short_runs_move() {
        let schedule = Schedule { learning_rate: 1.0, warmup: 0.05 };
        assert!((0..3).all(|step| schedule.rate(step, 3) > 0.0));
    }
}

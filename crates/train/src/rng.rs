//! Random numbers: every draw is a function of (seed, purpose, index), so a run repeats bit for bit and can continue
//! from any step without saving a generator.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for; streams with different purposes never overlap.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights; the index is the parameter's place in the model.
    Weights = 1,
    /// Order of sequences and batches; the index is the epoch.
    Order = 2,
    /// Which tokens are masked; the index is the batch.
    Masking = 3,
    /// Dropout masks; the index is the batch.
    Dropout = 4,
    /// Masking of held-out text; the index is the batch.
    Evaluation = 5,
    /// First values of the projection of hidden states.
    Projection = 6,
    /// Variants of examples; the index is the batch.
    Augmentation = 7,
}

/// The generator for one purpose and index.
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((purpose as u64) << 56) | (index & ((1 << 56) - 1)));
    rng
}

/// A standard normal value (Box-Muller; one of the pair is dropped).
pub fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (1.0 - rng.random::<f64>()).ln() * -2.0;
    let angle = std::f64::consts::TAU * rng.random::<f64>();
    (radius.sqrt() * angle.cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |purpose, index| stream(7, purpose, index).random::<u64>();
        assert_eq!(draw(Purpose::Order, 3), draw(Purpose::Order, 3));
        assert_ne!(draw(Purpose::Order, 3), draw(Purpose::Order, 4));
        assert_ne!(draw(Purpose::Order, 3), draw(Purpose::Masking, 3));
    }

    #[test]
    fn normal_has_unit_variance() {
        let mut rng = stream(1, Purpose::Weights, 0);
        let values: Vec<f64> = (0..20_000).map(|_| f64::from(normal(&mut rng))).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }
}

//! Masked-LM targets: drawn without replacement over the whole batch, rare tokens more often.

use crate::ops::IGNORE;
use crate::recipe::MaskingConfig;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Draws targets for flattened batches.
#[derive(Clone, Debug)]
pub struct Masker {
    config: MaskingConfig,
    /// Per token id: its weight; 0 for special tokens.
    weights: Vec<f64>,
    mask_id: u32,
}

impl Masker {
    /// `counts` per token id in the training text; `special` ids are never chosen.
    pub fn new(config: MaskingConfig, counts: &[u64], special: &[u32], mask_id: u32) -> Self {
        let mut weights: Vec<f64> = counts.iter().map(|&count| (count.max(1) as f64).powf(-config.smoothing)).collect();
        for &id in special {
            if let Some(weight) = weights.get_mut(id as usize) {
                *weight = 0.0;
            }
        }
        Self { config, weights, mask_id }
    }

    /// Masks `ids` in place and returns the labels: the true token at each target, [`IGNORE`] elsewhere.
    ///
    /// `ceil(share x tokens)` targets, fewer when there are not so many ordinary tokens. Weighted sampling without
    /// replacement: the smallest `-ln(u) / weight` win (Efraimidis and Spirakis), the same distribution as drawing one
    /// after another.
    pub fn mask(&self, ids: &mut [u32], rng: &mut ChaCha8Rng) -> Vec<u32> {
        let mut keys: Vec<(f64, usize)> = Vec::with_capacity(ids.len());
        for (row, &id) in ids.iter().enumerate() {
            let weight = self.weights[id as usize];
            if weight > 0.0 {
                keys.push((-(1.0 - rng.random::<f64>()).ln() / weight, row));
            }
        }
        let wanted = (self.config.share * ids.len() as f64).ceil() as usize;
        let wanted = wanted.min(keys.len());
        if wanted < keys.len() {
            keys.select_nth_unstable_by(wanted, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            keys.truncate(wanted);
        }
        keys.sort_unstable_by_key(|&(_, row)| row);
        let mut labels = vec![IGNORE; ids.len()];
        for (_, row) in keys {
            labels[row] = ids[row];
            let draw = rng.random::<f64>();
            if draw < self.config.mask {
                ids[row] = self.mask_id;
            } else if draw >= self.config.mask + self.config.keep {
                ids[row] = rng.random_range(0..self.weights.len() as u32);
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    const MASK: u32 = 4;

    fn masker(counts: &[u64]) -> Masker {
        let config = MaskingConfig { share: 0.15, smoothing: 0.7, mask: 0.8, keep: 0.1 };
        Masker::new(config, counts, &[0, 1, 2, 3, MASK], MASK)
    }

    #[test]
    fn counts_shares_and_special_tokens() {
        let masker = masker(&vec![10; 5000]);
        let original: Vec<u32> = (0..40_000).map(|i| i * 7 % 5000).collect();
        let mut ids = original.clone();
        let labels = masker.mask(&mut ids, &mut stream(1, Purpose::Masking, 0));
        let targets: Vec<usize> = (0..ids.len()).filter(|&i| labels[i] != IGNORE).collect();
        assert_eq!(targets.len(), 6000);
        assert!(targets.iter().all(|&i| labels[i] == original[i] && original[i] > MASK));
        assert!((0..ids.len()).all(|i| labels[i] != IGNORE || ids[i] == original[i]));
        let share = |f: &dyn Fn(usize) -> bool| targets.iter().filter(|&&i| f(i)).count() as f64 / targets.len() as f64;
        let masked = share(&|i| ids[i] == MASK);
        let kept = share(&|i| ids[i] == original[i]);
        assert!((masked - 0.8).abs() < 0.02, "{masked}");
        assert!((kept - 0.1).abs() < 0.015, "{kept}");
    }

    #[test]
    fn rare_tokens_are_drawn_more_often_by_the_power_of_their_count() {
        // Two tokens, equally often in the batches, 100 times apart in the corpus.
        let mut counts = vec![1; 7];
        counts[6] = 100;
        let masker = masker(&counts);
        let mut drawn = [0usize; 2];
        for index in 0..400 {
            // A small share of many: close to sampling with replacement.
            let mut ids: Vec<u32> = (0..200).map(|i| 5 + i % 2).collect();
            let mut masker = masker.clone();
            masker.config.share = 0.02;
            let labels = masker.mask(&mut ids, &mut stream(1, Purpose::Masking, index));
            for label in labels.into_iter().filter(|&label| label != IGNORE) {
                drawn[label as usize - 5] += 1;
            }
        }
        let ratio = drawn[0] as f64 / drawn[1] as f64;
        let exact = 100f64.powf(0.7);
        assert!((ratio / exact - 1.0).abs() < 0.35, "{ratio}, not about {exact}");
    }

    #[test]
    fn rounds_up_and_takes_what_there_is() {
        let masker = masker(&[10; 50]);
        let targets = |ids: &[u32]| {
            let labels = masker.mask(&mut ids.to_vec(), &mut stream(1, Purpose::Masking, 0));
            labels.iter().filter(|&&label| label != IGNORE).count()
        };
        assert_eq!(targets(&[2, 10, 11, 12, 13, 14, 15, 3]), 2);
        assert_eq!(targets(&[2, 3, 2, 3, 2, 3, 2, 3, 2, 10]), 1);
        assert_eq!(targets(&[2, 3, 2, 3]), 0);
    }
}

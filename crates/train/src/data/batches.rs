//! Length grouping: a batch holds sequences of one bin of lengths, so little time goes into unequal work.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Lengths 3 to 6 are bin 0, 7 to 10 bin 1, and so on.
fn bin(length: usize) -> usize {
    length.saturating_sub(3) / 4
}

/// The batches of one epoch: every sequence once. Within a bin the order is random; what does not fill a batch is merged
/// in order of length; at last the batches are shuffled.
pub fn epoch(lengths: &[usize], batch_size: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
    let mut bins: Vec<Vec<u32>> = Vec::new();
    for (i, &length) in lengths.iter().enumerate() {
        let bin = bin(length);
        if bins.len() <= bin {
            bins.resize(bin + 1, Vec::new());
        }
        bins[bin].push(i as u32);
    }
    let (mut batches, mut rest) = (Vec::new(), Vec::new());
    for bin in &mut bins {
        bin.shuffle(rng);
        let full = bin.chunks_exact(batch_size);
        rest.extend_from_slice(full.remainder());
        batches.extend(full.map(<[u32]>::to_vec));
    }
    rest.sort_by_key(|&i| lengths[i as usize]);
    batches.extend(rest.chunks(batch_size).map(<[u32]>::to_vec));
    batches.shuffle(rng);
    batches
}

/// The batches of one epoch in random order, whatever the lengths: rows are not padded, so mixing costs nothing, and a batch of short
/// texts alone would say less of a task.
pub fn mixed(sequences: usize, batch_size: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
    let mut all: Vec<u32> = (0..sequences as u32).collect();
    all.shuffle(rng);
    all.chunks(batch_size).map(<[u32]>::to_vec).collect()
}

/// Number of batches in every epoch, [grouped](epoch) by length or [mixed].
pub fn count(lengths: &[usize], batch_size: usize, grouped: bool) -> usize {
    match grouped {
        true => per_epoch(lengths.iter().copied(), batch_size),
        false => lengths.len().div_ceil(batch_size),
    }
}

/// Number of batches in every epoch of grouped ones.
pub fn per_epoch(lengths: impl Iterator<Item = usize>, batch_size: usize) -> usize {
    let mut bins: Vec<usize> = Vec::new();
    for length in lengths {
        let bin = bin(length);
        if bins.len() <= bin {
            bins.resize(bin + 1, 0);
        }
        bins[bin] += 1;
    }
    let full: usize = bins.iter().map(|n| n / batch_size).sum();
    let rest: usize = bins.iter().map(|n| n % batch_size).sum();
    full + rest.div_ceil(batch_size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn every_sequence_once_and_alike_in_length() {
        let lengths: Vec<usize> = (0..1003).map(|i| 3 + i * 31 % 60).collect();
        let batches = epoch(&lengths, 16, &mut stream(1, Purpose::Order, 0));
        let mut all: Vec<u32> = batches.iter().flatten().copied().collect();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..1003));
        assert_eq!(batches.len(), per_epoch(lengths.iter().copied(), 16));
        let mixed = batches
            .iter()
            .filter(|b| b.iter().any(|&i| bin(lengths[i as usize]) != bin(lengths[b[0] as usize])))
            .count();
        // 15 bins leave at most 15 sequences each.
        assert!(mixed <= 15, "{mixed}");
    }

    #[test]
    fn the_seed_decides() {
        let lengths = vec![10; 100];
        let order = |seed, index| epoch(&lengths, 8, &mut stream(seed, Purpose::Order, index));
        assert_eq!(order(1, 0), order(1, 0));
        assert_ne!(order(1, 0), order(1, 1));
        assert_ne!(order(1, 0), order(2, 0));
    }
}

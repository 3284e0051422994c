//! Batches in order, epoch after epoch.

use crate::data::batches;
use crate::recipe::Recipe;
use crate::rng::{Purpose, stream};

/// The sequences of every batch of a run. Batch `n` is the same however the run got there, so a run goes on from a number.
#[derive(Debug)]
pub(super) struct Order<'a> {
    lengths: Vec<usize>,
    recipe: &'a Recipe,
    grouped: bool,
    epoch: Vec<Vec<u32>>,
    epochs: u64,
    next: usize,
}

impl<'a> Order<'a> {
    /// The batches from number `batch` on.
    pub(super) fn from(lengths: Vec<usize>, recipe: &'a Recipe, grouped: bool, batch: u64) -> Self {
        let per_epoch = batches::count(&lengths, recipe.batch_size, grouped).max(1) as u64;
        let (epochs, next) = (batch / per_epoch, (batch % per_epoch) as usize);
        let mut order = Self { lengths, recipe, grouped, epoch: vec![], epochs, next };
        order.shuffle();
        order
    }

    fn shuffle(&mut self) {
        let mut rng = stream(self.recipe.seed, Purpose::Order, self.epochs);
        let size = self.recipe.batch_size;
        self.epoch = match self.grouped {
            true => batches::epoch(&self.lengths, size, &mut rng),
            false => batches::mixed(self.lengths.len(), size, &mut rng),
        };
    }

    /// Number of the batch in the run, and its sequences.
    pub(super) fn next(&mut self) -> (u64, &[u32]) {
        if self.next == self.epoch.len() {
            self.epochs += 1;
            self.next = 0;
            self.shuffle();
        }
        let index = self.position();
        self.next += 1;
        (index, &self.epoch[self.next - 1])
    }

    /// Batches gone by.
    pub(super) fn position(&self) -> u64 {
        self.epochs * self.epoch.len() as u64 + self.next as u64
    }

    /// Passes over the data so far.
    pub(super) fn epochs(&self) -> f64 {
        self.epochs as f64 + self.next as f64 / self.epoch.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Preset;

    #[test]
    fn goes_on_from_any_batch() {
        let recipe = Recipe { batch_size: 8, ..Recipe::preset(Preset::Tiny) };
        [true, false].into_iter().for_each(|grouped| goes_on(&recipe, grouped));
    }

    fn goes_on(recipe: &Recipe, grouped: bool) {
        let lengths = || (0..100).map(|i| 3 + i * 7 % 30).collect();
        let mut whole = Order::from(lengths(), recipe, grouped, 0);
        let all: Vec<_> = (0..45)
            .map(|_| {
                let (index, sequences) = whole.next();
                (index, sequences.to_vec(), whole.epochs().to_bits())
            })
            .collect();
        assert!(all.iter().map(|(index, ..)| *index).eq(0..45));
        assert_ne!(all[0].1, all[13].1, "epochs are shuffled alike");
        for start in 0..45u64 {
            let mut order = Order::from(lengths(), recipe, grouped, start);
            assert_eq!(order.position(), start);
            for expected in &all[start as usize..] {
                let (index, sequences) = order.next();
                let sequences = sequences.to_vec();
                assert_eq!(&(index, sequences, order.epochs().to_bits()), expected, "from {start}");
            }
        }
    }
}

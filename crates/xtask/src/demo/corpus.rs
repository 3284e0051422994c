//! The embedded default corpus: a seeded grammar of home-assistant commands and everyday sentences.
//!
//! Words of a sentence depend on each other (a kitchen has an oven, rain needs an umbrella), so a
//! masked word can be told from its neighbours and there is something for a teacher to learn.

use std::collections::{BTreeMap, HashSet};

use super::scenes::SCENES;

/// Lines to train on.
pub(super) const TRAIN_LINES: usize = 60_000;
/// Lines held out; none of them is a training line.
pub(super) const HELD_OUT_LINES: usize = 2_000;

/// A small seeded generator (SplitMix64, Steele et al. 2014): the same corpus on every machine.
pub(super) struct Rng(u64);

impl Rng {
    /// Starts the sequence of `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `items`, each equally likely.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[(self.next() % items.len() as u64) as usize]
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// Training lines and held-out lines, in a fixed order.
pub(super) struct Corpus {
    /// Lines to train on; a line may occur more than once, as in real text.
    pub(super) train: Vec<String>,
    /// Lines that no training line equals.
    pub(super) held_out: Vec<String>,
}

impl Corpus {
    /// Generates the corpus of a seed.
    pub(super) fn generate(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut held_out = Vec::with_capacity(HELD_OUT_LINES);
        let mut held: HashSet<String> = HashSet::new();
        while held_out.len() < HELD_OUT_LINES {
            let line = line(&mut rng);
            if held.insert(line.clone()) {
                held_out.push(line);
            }
        }
        let lines = std::iter::repeat_with(|| line(&mut rng));
        let train = lines.filter(|line| !held.contains(line)).take(TRAIN_LINES).collect();
        Self { train, held_out }
    }

    /// A WordPiece vocabulary for it: special tokens, characters alone and as continuations, then every
    /// word that occurs at least three times, most frequent first.
    pub(super) fn vocabulary(&self) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for line in &self.train {
            for word in line.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1) {
                *counts.entry(word).or_default() += 1;
            }
        }
        let mut words: Vec<_> = counts.into_iter().filter(|&(_, count)| count >= 3).collect();
        words.sort_by_key(|&(word, count)| (std::cmp::Reverse(count), word));
        let characters = ('a'..='z').chain('0'..='9').map(String::from);
        let continuations = ('a'..='z').chain('0'..='9').map(|c| format!("##{c}"));
        let punctuation = ".,?!'-:;()\"".chars().map(String::from);
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
            .map(String::from)
            .into_iter()
            .chain(punctuation)
            .chain(characters)
            .chain(continuations)
            .chain(words.into_iter().map(|(word, _)| word.to_string()))
            .collect()
    }
}

/// One sentence, or two that have nothing to do with each other, as people talk in a kitchen.
fn line(rng: &mut Rng) -> String {
    let first = rng.pick(SCENES)(rng);
    if rng.chance(40) {
        return first;
    }
    let second = rng.pick(SCENES)(rng);
    format!("{first} {second}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_is_large_repeatable_and_held_out_apart() {
        let (a, b) = (Corpus::generate(1), Corpus::generate(1));
        assert_eq!(a.train, b.train);
        assert_eq!((a.train.len(), a.held_out.len()), (TRAIN_LINES, HELD_OUT_LINES));
        let train: HashSet<_> = a.train.iter().collect();
        assert!(a.held_out.iter().all(|line| !train.contains(line)));
        assert!(train.len() > TRAIN_LINES / 2, "only {} distinct lines", train.len());
    }

    #[test]
    fn the_vocabulary_covers_the_corpus() {
        let corpus = Corpus::generate(1);
        let vocabulary = corpus.vocabulary();
        let known: HashSet<_> = vocabulary.iter().map(String::as_str).collect();
        assert_eq!(known.len(), vocabulary.len());
        assert!((500..2_000).contains(&vocabulary.len()), "{} entries", vocabulary.len());
        let (mut whole, mut words) = (0, 0);
        for word in corpus.held_out.iter().flat_map(|line| line.split(|c: char| !c.is_alphanumeric())) {
            words += usize::from(!word.is_empty());
            whole += usize::from(known.contains(word));
        }
        assert!(whole * 1000 >= words * 995, "{whole} of {words} words are whole");
    }
}

//! More texts for a student to hear its teacher on, made from those there are: Tang et al. 2019, "Distilling Task-Specific Knowledge
//! from BERT into Simple Neural Networks", section 3.2, without their replacement of words by others of the same part of speech.

use crate::data::vocabulary::Vocabulary;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// A word becomes `[MASK]` with this probability.
const MASKED: f64 = 0.1;
/// Only some neighbouring words of a text stay with this probability...
const CUT: f64 = 0.25;
/// ...namely one to so many.
const KEPT: usize = 5;

/// How examples are varied.
#[derive(Clone, Debug)]
pub struct Augment {
    /// Variants of each example in an epoch.
    pub variants: usize,
    mask: u32,
    sep: u32,
    /// Of each entry of the vocabulary, whether it goes on with a word.
    continues: Vec<bool>,
}

impl Augment {
    /// So many variants of each example, of the words of a vocabulary.
    pub fn new(variants: usize, vocabulary: &Vocabulary) -> Self {
        let continues = vocabulary.bytes.split(|&byte| byte == b'\n').map(|entry| entry.starts_with(b"##")).collect();
        Self { variants, mask: vocabulary.special.mask, sep: vocabulary.special.sep, continues }
    }

    /// A variant of `[CLS] text [SEP]` or `[CLS] text [SEP] pair [SEP]`, and the number of its tokens that belong to the first segment,
    /// which had `first`. Of a pair, the first text is varied, or the second, or both.
    pub(super) fn vary(&self, ids: &[u32], first: usize, rng: &mut ChaCha8Rng) -> (Vec<u32>, usize) {
        let pair = ids.len() > first;
        let side = if pair { rng.random_range(0..3) } else { 0 };
        let mut out = vec![ids[0]];
        self.text(&ids[1..first - 1], side != 1, rng, &mut out);
        let first_segment = out.len();
        if pair {
            self.text(&ids[first..ids.len() - 1], side != 0, rng, &mut out);
        }
        (out, first_segment)
    }

    /// Adds a text, varied or as it is, and `[SEP]`.
    fn text(&self, ids: &[u32], varied: bool, rng: &mut ChaCha8Rng, out: &mut Vec<u32>) {
        if varied {
            let words = self.words(ids);
            for word in self.kept(words.len(), rng).map(|at| words[at].clone()) {
                let masked = rng.random_bool(MASKED);
                out.extend(ids[word].iter().map(|&id| if masked { self.mask } else { id }));
            }
        } else {
            out.extend(ids);
        }
        out.push(self.sep);
    }

    /// The words that stay, of so many.
    fn kept(&self, words: usize, rng: &mut ChaCha8Rng) -> Range<usize> {
        if words == 0 || !rng.random_bool(CUT) {
            return 0..words;
        }
        let count = rng.random_range(1..=KEPT.min(words));
        let from = rng.random_range(0..=words - count);
        from..from + count
    }

    /// The pieces of each word.
    fn words(&self, ids: &[u32]) -> Vec<Range<usize>> {
        let mut words: Vec<Range<usize>> = vec![];
        for (at, &id) in ids.iter().enumerate() {
            match words.last_mut() {
                Some(word) if self.continues.get(id as usize) == Some(&true) => word.end = at + 1,
                _ => words.push(at..at + 1),
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    const CLS: u32 = 2;
    const SEP: u32 = 3;
    const MASK: u32 = 4;

    fn augment() -> Augment {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.txt");
        std::fs::write(&path, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\n##d\n").unwrap();
        Augment::new(1, &Vocabulary::read(&path, false).unwrap())
    }

    #[test]
    fn words_are_masked_whole_or_cut_away() {
        let (augment, ids) = (augment(), [CLS, 5, 7, 8, 6, 5, 6, 6, 7, SEP]);
        let words = [&[5, 7, 8][..], &[6], &[5], &[6], &[6, 7]];
        let (mut masked, mut cut, n) = (0, 0, 4000);
        for seed in 0..n {
            let (found, first) = augment.vary(&ids, ids.len(), &mut stream(seed, Purpose::Augmentation, 0));
            assert_eq!((first, found[0], found[found.len() - 1]), (found.len(), CLS, SEP));
            let inner = &found[1..found.len() - 1];
            // Some words in a row, each as it is or masked whole.
            let fits = |from: usize, to: usize| {
                let all: Vec<u32> = words[from..to].concat();
                all.len() == inner.len() && {
                    let mut at = 0;
                    words[from..to].iter().all(|word| {
                        let part = &inner[at..at + word.len()];
                        at += word.len();
                        part == *word || part.iter().all(|&id| id == MASK)
                    })
                }
            };
            assert!((0..5).any(|from| (from + 1..=5).any(|to| fits(from, to))), "{found:?}");
            masked += inner.iter().filter(|&&id| id == MASK).count();
            cut += usize::from(found.len() < ids.len());
        }
        // A quarter is cut, to all five words in one case of five; of the others' eight pieces a tenth is masked.
        let share = cut as f64 / n as f64;
        assert!((share - 0.2).abs() < 0.03, "{share}");
        assert!((masked as f64 / n as f64 - 0.1 * (0.75 * 8.0 + 0.25 * 4.8)).abs() < 0.1, "{masked}");
    }

    #[test]
    fn pairs_stay_pairs_and_one_text_may_stay() {
        let (augment, ids) = (augment(), [CLS, 5, 6, 5, SEP, 6, 5, 6, SEP]);
        let mut same = [0, 0];
        for seed in 0..600 {
            let (found, first) = augment.vary(&ids, 5, &mut stream(seed, Purpose::Augmentation, 0));
            assert_eq!((found[first - 1], found[found.len() - 1]), (SEP, SEP));
            assert!(first >= 3 && found.len() >= first + 2);
            same[0] += usize::from(found[..first] == ids[..5]);
            same[1] += usize::from(found[first..] == ids[5..]);
        }
        // Each is left alone in a third of the cases, and by chance in some others.
        assert!(same.iter().all(|&count| count > 300 && count < 500), "{same:?}");
    }

    #[test]
    fn an_empty_text_stays_empty() {
        let (found, first) = augment().vary(&[CLS, SEP], 2, &mut stream(1, Purpose::Augmentation, 0));
        assert_eq!((found, first), (vec![CLS, SEP], 2));
    }
}

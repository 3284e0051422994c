//! Examples as token ids, ready for batches.

use super::reading::Reading;
use super::tagging::Tags;
use super::{Augment, Example, Label};
use crate::Result;
use crate::data::Batch;
use crate::data::vocabulary::{Encoder, Vocabulary};
use crate::ops::IGNORE;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// What is right, for each example in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Number of the label.
    Classes(Vec<u32>),
    /// A number.
    Values(Vec<f32>),
    /// Numbers of all right labels.
    Sets(Vec<Vec<u32>>),
    /// First and last token of the answer, counted in the sequence; `[CLS]` where there is none.
    Spans(Vec<[u32; 2]>),
    /// The labels of words. In training data every sentence has one at least that the model sees.
    Tags(Vec<Tags>),
}

/// Sequences and targets of some examples.
#[derive(Clone, Debug)]
pub struct Data {
    /// Token ids of all sequences, one after another.
    ids: Vec<u32>,
    /// First token of each sequence, then the number of all.
    starts: Vec<usize>,
    /// Tokens of each sequence that belong to the first segment.
    first: Vec<usize>,
    /// What is right.
    pub targets: Targets,
    /// Sequences that lost their end.
    pub truncated: usize,
    /// What turns scores into answers, where sequences are windows.
    pub reading: Option<Reading>,
}

impl Data {
    /// `[CLS] text [SEP]` or `[CLS] text [SEP] pair [SEP]` of at most `longest` tokens; of a pair that is too long, the longer text loses
    /// its end first.
    pub fn encode(examples: &[Example], vocabulary: &Vocabulary, longest: usize) -> Result<Self> {
        let sequence = |encoder: &mut Encoder<'_>, example: &Example| {
            let (mut text, mut pair) = (vec![], vec![]);
            encoder.encode(&example.text, &mut text)?;
            if let Some(second) = &example.pair {
                encoder.encode(second, &mut pair)?;
            }
            let room = longest.saturating_sub(if example.pair.is_some() { 3 } else { 2 });
            let cut = text.len() + pair.len() > room;
            shorten(&mut text, &mut pair, room);
            let special = vocabulary.special;
            let mut ids = vec![special.cls];
            ids.append(&mut text);
            ids.push(special.sep);
            let first = ids.len();
            if example.pair.is_some() {
                ids.append(&mut pair);
                ids.push(special.sep);
            }
            Ok((ids, first, cut))
        };
        let blocks: Vec<Vec<(Vec<u32>, usize, bool)>> = examples
            .par_chunks(1 << 12)
            .map(|examples| {
                let mut encoder = Encoder::new(vocabulary)?;
                examples.iter().map(|example| sequence(&mut encoder, example)).collect()
            })
            .collect::<Result<_>>()?;
        let truncated = blocks.iter().flatten().filter(|(.., cut)| *cut).count();
        let sequences = blocks.into_iter().flatten().map(|(ids, first, _)| (ids, first));
        Ok(Self { truncated, ..Self::of(sequences, targets(examples), None) })
    }

    /// Sequences, each with the number of its tokens that belong to the first segment.
    pub(super) fn of(
        sequences: impl IntoIterator<Item = (Vec<u32>, usize)>,
        targets: Targets,
        reading: Option<Reading>,
    ) -> Self {
        let mut data = Self { ids: vec![], starts: vec![0], first: vec![], targets, truncated: 0, reading };
        for (ids, first) in sequences {
            data.ids.extend(ids);
            data.starts.push(data.ids.len());
            data.first.push(first);
        }
        data
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Tokens of each sequence.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// A sequence, and the number of its tokens that belong to the first segment.
    pub(super) fn sequence(&self, i: u32) -> (&[u32], usize) {
        let i = i as usize;
        (&self.ids[self.starts[i]..self.starts[i + 1]], self.first[i])
    }

    /// Packs some sequences.
    pub fn batch(&self, sequences: &[u32]) -> Batch {
        let mut batch = Batch { examples: sequences.to_vec(), ..Batch::default() };
        for &i in sequences {
            let (ids, first) = self.sequence(i);
            push(&mut batch, ids, first);
        }
        batch
    }

    /// The same where numbers from [`Self::len`] on mean variants: number `i` is one of sequence `i` modulo that.
    pub(super) fn varied(&self, sequences: &[u32], augment: &Augment, rng: &mut ChaCha8Rng) -> Batch {
        let mut batch = Batch { examples: sequences.to_vec(), ..Batch::default() };
        for &i in sequences {
            let (ids, first) = self.sequence(i % self.len() as u32);
            if (i as usize) < self.len() {
                push(&mut batch, ids, first);
            } else {
                let (ids, first) = augment.vary(ids, first, rng);
                push(&mut batch, &ids, first);
            }
        }
        batch
    }
}

/// Adds a sequence.
fn push(batch: &mut Batch, ids: &[u32], first: usize) {
    batch.ids.extend(ids);
    batch.positions.extend(0..ids.len() as u32);
    batch.types.extend((0..ids.len()).map(|j| u32::from(j >= first)));
    batch.lengths.push(ids.len());
    batch.labels.resize(batch.ids.len(), IGNORE);
}

/// Cuts a pair to `room` tokens, from the end of the one that is longer at the time; of two equal ones, from the second.
fn shorten(text: &mut Vec<u32>, pair: &mut Vec<u32>, room: usize) {
    while text.len() + pair.len() > room {
        if text.len() > pair.len() {
            text.pop()
        } else {
            pair.pop()
        };
    }
}

fn targets(examples: &[Example]) -> Targets {
    let mut targets = match examples.first().map(|example| &example.label) {
        Some(Label::Value(_)) => Targets::Values(vec![]),
        Some(Label::Set(_)) => Targets::Sets(vec![]),
        _ => Targets::Classes(vec![]),
    };
    for example in examples {
        match (&mut targets, &example.label) {
            (Targets::Classes(all), Label::Class(class)) => all.push(*class),
            (Targets::Values(all), Label::Value(value)) => all.push(*value),
            (Targets::Sets(all), Label::Set(set)) => all.push(set.clone()),
            _ => unreachable!("the labels of a task are of one kind"),
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_types_and_lose_the_longer_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.txt");
        std::fs::write(&path, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n").unwrap();
        let vocabulary = Vocabulary::read(&path, false).unwrap();
        let example = |text: &str, pair: Option<&str>, label| Example {
            text: text.into(),
            pair: pair.map(str::to_string),
            label: Label::Class(label),
        };
        let examples = [example("a b", None, 1), example("a b c a b c", Some("c b a"), 0)];
        let data = Data::encode(&examples, &vocabulary, 8).unwrap();
        assert_eq!((data.len(), data.truncated), (2, 1));
        assert_eq!(data.targets, Targets::Classes(vec![1, 0]));
        let batch = data.batch(&[1, 0]);
        assert_eq!(batch.ids, [2, 5, 6, 7, 3, 7, 6, 3, 2, 5, 6, 3]);
        assert_eq!(batch.types, [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(batch.positions, [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]);
        assert_eq!((batch.lengths, batch.examples), (vec![8, 4], vec![1, 0]));
    }
}

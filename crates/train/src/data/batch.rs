//! A masked batch in packed form, and its reading from a file.

use crate::model::{ModelConfig, Tokens};
use crate::ops::{IGNORE, Sequences};
use crate::{Error, Result, files};
use candle_core::Device;
use safetensors::{Dtype, SafeTensors};
use std::ops::Range;
use std::path::Path;

/// The real tokens of a batch, one sequence after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Token ids after masking.
    pub ids: Vec<u32>,
    /// Position of each token in its sequence.
    pub positions: Vec<u32>,
    /// The true token where it is to be predicted, else [`IGNORE`].
    pub labels: Vec<u32>,
    /// Length of each sequence.
    pub lengths: Vec<usize>,
    /// Token type of each token; empty where all are 0.
    pub types: Vec<u32>,
    /// Number of each sequence in its data, where labels belong to sequences; else empty.
    pub examples: Vec<u32>,
}

impl Batch {
    /// Tokens in the batch.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The encoder's input.
    pub fn tokens(&self, device: &Device) -> Result<Tokens> {
        let sequences = Sequences::new(self.lengths.iter().copied());
        let tokens = Tokens::new(&self.ids, &self.positions, sequences, device)?;
        Ok(tokens.with_types(&self.types))
    }

    /// Some sequences, whose tokens are these rows.
    pub fn slice(&self, rows: Range<usize>, sequences: Range<usize>) -> Self {
        let part = |values: &[u32], range: &Range<usize>| values.get(range.clone()).unwrap_or_default().to_vec();
        Self {
            ids: part(&self.ids, &rows),
            positions: part(&self.positions, &rows),
            labels: part(&self.labels, &rows),
            lengths: self.lengths[sequences.clone()].to_vec(),
            types: part(&self.types, &rows),
            examples: part(&self.examples, &sequences),
        }
    }

    /// Rows with a label, and the labels.
    pub fn labelled(&self) -> (Vec<u32>, Vec<u32>) {
        let rows = 0..self.rows() as u32;
        rows.zip(&self.labels).filter(|&(_, &label)| label != IGNORE).map(|(i, &label)| (i, label)).unzip()
    }

    /// Cuts the batch into at most `parts` batches of whole sequences and about the same number of tokens.
    pub fn split(self, parts: usize) -> Vec<Self> {
        if parts <= 1 || self.lengths.len() <= 1 {
            return vec![self];
        }
        let (rows, mut pieces) = (self.rows(), Vec::with_capacity(parts));
        let (mut row, mut sequence) = (0, 0);
        for part in 1..=parts {
            let (first_row, first) = (row, sequence);
            while sequence < self.lengths.len() && (row * parts < rows * part || part == parts) {
                row += self.lengths[sequence];
                sequence += 1;
            }
            if sequence > first {
                pieces.push(self.slice(first_row..row, first..sequence));
            }
        }
        pieces
    }

    /// Reads `input_ids`, `attention_mask` and `labels` (`[sequences, length]`, whole numbers; label -100 means none).
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|e| Error::file(path, format!("not a safetensors file ({e})"), "write the batch again"))?;
        let matrix = |name: &str| -> Result<(Vec<i64>, [usize; 2])> {
            let wrong = |reason: String| {
                Error::file(path, reason, "a batch holds input_ids, attention_mask and labels [sequences, length]")
            };
            let view = file.tensor(name).map_err(|_| wrong(format!("no tensor `{name}`")))?;
            let &[rows, columns] = view.shape() else {
                return Err(wrong(format!("tensor `{name}` has shape {:?}", view.shape())));
            };
            let data = view.data();
            let values = match view.dtype() {
                Dtype::I64 => {
                    data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("8 bytes"))).collect()
                }
                Dtype::I32 => {
                    data.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().expect("4 bytes")).into()).collect()
                }
                Dtype::U8 | Dtype::BOOL => data.iter().map(|&b| b.into()).collect(),
                other => return Err(wrong(format!("tensor `{name}` has type {other:?}"))),
            };
            Ok((values, [rows, columns]))
        };
        let (ids, shape) = matrix("input_ids")?;
        let (mask, mask_shape) = matrix("attention_mask")?;
        let (labels, labels_shape) = matrix("labels")?;
        if mask_shape != shape || labels_shape != shape {
            return Err(Error::file(
                path,
                format!("shapes differ: input_ids {shape:?}, attention_mask {mask_shape:?}, labels {labels_shape:?}"),
                "write the three tensors with the same shape",
            ));
        }
        Self::from_padded(&ids, &mask, &labels, shape).map_err(|reason| Error::file(path, reason, "correct the batch"))
    }

    fn from_padded(ids: &[i64], mask: &[i64], labels: &[i64], [rows, columns]: [usize; 2]) -> Result<Self, String> {
        let mut batch = Self::default();
        for row in 0..rows {
            let mut length = 0;
            for column in 0..columns {
                let i = row * columns + column;
                let place = || format!("sequence {row}, token {column}");
                match mask[i] {
                    1 => {}
                    0 if labels[i] != -100 => {
                        return Err(format!("a label on padding at {}", place()));
                    }
                    0 => continue,
                    other => return Err(format!("attention_mask is {other} at {}", place())),
                }
                let id = u32::try_from(ids[i]).ok().filter(|&id| id != IGNORE);
                batch.ids.push(id.ok_or_else(|| format!("token id {} at {}", ids[i], place()))?);
                batch.labels.push(match labels[i] {
                    -100 => IGNORE,
                    label => u32::try_from(label).map_err(|_| format!("label {label} at {}", place()))?,
                });
                batch.positions.push(column as u32);
                length += 1;
            }
            if length == 0 {
                return Err(format!("sequence {row} is empty"));
            }
            batch.lengths.push(length);
        }
        if batch.labels.iter().all(|&label| label == IGNORE) {
            return Err("no token has a label".into());
        }
        Ok(batch)
    }

    /// Fails when an id, label or position lies outside the model's tables.
    pub fn check(&self, config: &ModelConfig) -> Result<(), String> {
        let largest = |values: &[u32]| values.iter().copied().filter(|&v| v != IGNORE).max().unwrap_or(0) as usize;
        for (name, value, limit) in [
            ("token id", largest(&self.ids), config.vocab_size),
            ("label", largest(&self.labels), config.vocab_size),
            ("position", largest(&self.positions), config.max_positions),
        ] {
            if value >= limit {
                return Err(format!("{name} {value} is out of range: the model has {limit}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_sequences_in_order() {
        let lengths = vec![3, 9, 4, 4, 12, 1, 7];
        let rows = lengths.iter().sum::<usize>() as u32;
        let batch = Batch {
            ids: (0..rows).collect(),
            positions: (0..rows).map(|i| i + 100).collect(),
            labels: (0..rows).map(|i| i + 200).collect(),
            examples: (0..lengths.len() as u32).map(|i| i + 300).collect(),
            lengths,
            types: (0..rows).map(|i| i % 2).collect(),
        };
        for parts in 1..10 {
            let pieces = batch.clone().split(parts);
            assert!(pieces.len() <= parts && pieces.iter().all(|p| p.rows() == p.lengths.iter().sum::<usize>()));
            let joined = |f: &dyn Fn(&Batch) -> Vec<u32>| pieces.iter().flat_map(f).collect::<Vec<_>>();
            assert_eq!(joined(&|p| p.ids.clone()), batch.ids);
            assert_eq!(joined(&|p| p.positions.clone()), batch.positions);
            assert_eq!(joined(&|p| p.labels.clone()), batch.labels);
            assert_eq!(joined(&|p| p.types.clone()), batch.types);
            assert_eq!(joined(&|p| p.examples.clone()), batch.examples);
            assert!(pieces.iter().all(|p| p.examples.len() == p.lengths.len()));
            if parts == 2 {
                assert!(pieces[0].rows().abs_diff(pieces[1].rows()) <= 12);
            }
        }
    }
}

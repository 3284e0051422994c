//! A batch as a file that `train step --batch` reads.

use crate::data::Batch;
use crate::ops::IGNORE;
use crate::{Error, Result, files};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::path::Path;

/// Writes `input_ids`, `attention_mask` and `labels` of some batches, `[sequences, longest]`, padded with zeros (labels: -100).
pub(super) fn write(path: &Path, batches: &[Batch]) -> Result<()> {
    let lengths = || batches.iter().flat_map(|batch| &batch.lengths);
    let (rows, columns) = (lengths().count(), lengths().max().copied().unwrap_or(0));
    let padded = |values: &dyn Fn(&Batch, usize) -> i64, padding: i64| {
        let mut bytes = Vec::with_capacity(8 * rows * columns);
        for batch in batches {
            let mut row = 0;
            for &length in &batch.lengths {
                (row..row + length).for_each(|i| bytes.extend(values(batch, i).to_le_bytes()));
                (length..columns).for_each(|_| bytes.extend(padding.to_le_bytes()));
                row += length;
            }
        }
        bytes
    };
    let label = |batch: &Batch, i: usize| if batch.labels[i] == IGNORE { -100 } else { batch.labels[i].into() };
    let tensors = [
        ("input_ids", padded(&|batch, i| batch.ids[i].into(), 0)),
        ("attention_mask", padded(&|_, _| 1, 0)),
        ("labels", padded(&label, -100)),
    ];
    let views = tensors
        .iter()
        .map(|(name, bytes)| TensorView::new(Dtype::I64, vec![rows, columns], bytes).map(|view| (*name, view)));
    let bytes = views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|e| Error::file(path, e, "this is a defect of the program: please report it"))?;
    files::write(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let batch = |lengths: &[usize]| {
            let rows = lengths.iter().sum::<usize>() as u32;
            Batch {
                ids: (0..rows).map(|i| i + 7).collect(),
                positions: lengths.iter().flat_map(|&n| 0..n as u32).collect(),
                labels: (0..rows).map(|i| if i % 3 == 0 { i } else { IGNORE }).collect(),
                lengths: lengths.to_vec(),
                ..Batch::default()
            }
        };
        let (a, b) = (batch(&[4, 2, 5]), batch(&[6, 1]));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("batch.safetensors");
        write(&path, &[a.clone(), b.clone()]).unwrap();
        let joined = Batch {
            ids: [a.ids, b.ids].concat(),
            positions: [a.positions, b.positions].concat(),
            labels: [a.labels, b.labels].concat(),
            lengths: [a.lengths, b.lengths].concat(),
            ..Batch::default()
        };
        assert_eq!(Batch::read(&path).unwrap(), joined);
    }
}

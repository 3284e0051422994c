//! What of a file is not structure: the checksum, the values, the padding, the vocabulary's entries. One pass over the bytes, a block at a time, so that each comes from memory once.

use crate::artifact::{Artifact, Tensor};
use crate::checksum::Xxh32;
use crate::container::{SectionKind, is_zero, start_checksum};
use crate::error::{OpenError, TensorError};
use crate::storage::Storage;

/// Checks an opened file. The checksum is the first thing to be said; of the others, the first in the file.
pub(crate) fn verify(artifact: &Artifact<'_>) -> Result<(), OpenError> {
    let bytes = artifact.bytes();
    let (state, rest) = start_checksum(bytes);
    let mut pass = Pass { bytes, at: bytes.len() - rest.len(), state, error: None };
    for (kind, section) in artifact.sections() {
        // Up to the first section, that is the section table.
        let is_first = kind == SectionKind::Config;
        let padding = pass.read_to(section.start);
        pass.note(if is_first || is_zero(padding) { Ok(()) } else { Err(OpenError::Padding(kind)) });
        if kind == SectionKind::Weights {
            artifact.tensors().for_each(|tensor| pass.read_tensor(artifact.config().shape(tensor.id), &tensor));
        }
        let vocabulary = artifact.vocabulary();
        if kind == SectionKind::Vocabulary {
            pass.note(vocabulary.verify().map_err(OpenError::from));
        }
        pass.read_to(section.end);
    }
    let (declared, computed) = (artifact.checksum(), pass.state.finish());
    if declared != computed {
        return Err(OpenError::Checksum { declared, computed });
    }
    pass.error.map_or(Ok(()), Err)
}

/// How far the pass is, and what it found.
struct Pass<'a> {
    bytes: &'a [u8],
    at: usize,
    state: Xxh32,
    error: Option<OpenError>,
}

impl<'a> Pass<'a> {
    /// Takes the bytes up to `end` into the checksum and gives them.
    fn read_to(&mut self, end: usize) -> &'a [u8] {
        let part = self.bytes.get(self.at..end).unwrap_or_default();
        self.state.update(part);
        self.at = self.at.max(end);
        part
    }

    /// Keeps the first error.
    fn note(&mut self, result: Result<(), OpenError>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    /// Takes a tensor into the checksum, with the padding before its parts, and checks it.
    fn read_tensor(&mut self, (rows, cols): (usize, usize), tensor: &Tensor<'_>) {
        let Tensor { id, dtype, layout, data, scales, .. } = *tensor;
        let start_of = |part: &[u8]| part.as_ptr().addr() - self.bytes.as_ptr().addr();
        let (data_start, scales_start) = (start_of(data), start_of(scales));
        let mut result = Ok(());
        if !is_zero(self.read_to(data_start)) {
            result = Err(TensorError::Gap);
        }
        let storage = Storage { dtype, layout, rows, cols, data, scales };
        result = result.and(storage.check_values(|block| self.state.update(block)));
        self.at += data.len();
        if !is_zero(self.read_to(scales_start)) {
            result = result.and(Err(TensorError::Gap));
        }
        self.read_to(scales_start + scales.len());
        self.note(result.map_err(|error| OpenError::Tensor { id, error }));
    }
}

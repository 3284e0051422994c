//! What of a file is not structure: the checksum, the values, the padding, the vocabulary's entries. One pass over the bytes, a block at a time, so that each comes from memory once; it can
//! stop after any block and go on later.

use crate::artifact::{Artifact, Tensor};
use crate::checksum::Xxh32;
use crate::container::{SECTIONS, SectionKind, is_zero, start_checksum};
use crate::error::{OpenError, TensorError};
use crate::storage::{BLOCK, Storage};

/// Blocks start at multiples of this many bytes of what they are a part of: no element is cut.
const GRAIN: usize = 64;

/// Checks an opened file. The checksum is the first thing to be said; of the others, the first in the file.
pub(crate) fn verify(artifact: &Artifact<'_>) -> Result<(), OpenError> {
    let mut pass = Pass::new(artifact.bytes());
    while !pass.step(artifact, usize::MAX) {}
    pass.result(artifact)
}

/// How far the pass is, and what it found.
#[derive(Clone, Copy)]
pub(crate) struct Pass {
    /// Bytes in the checksum.
    at: usize,
    state: Xxh32,
    error: Option<OpenError>,
    stage: Stage,
}

/// What comes next. Sections and tensors by their numbers.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// The padding before a section.
    Padding(usize),
    /// A part of a tensor, from this element of it on.
    Tensor(usize, Part, usize),
    /// A part of the vocabulary's check.
    Vocabulary(usize),
    /// What of a section is not in the checksum yet.
    Section(usize),
    /// Nothing.
    End,
}

/// A tensor's parts in the order in which errors are said. The scales are judged before they are added to the checksum.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Gap,
    Data,
    Scales,
    Groups,
    Padding,
    ScalesGap,
    ScalesBytes,
}

impl Pass {
    /// Starts a pass.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let (state, rest) = start_checksum(bytes);
        Self { at: bytes.len() - rest.len(), state, error: None, stage: Stage::Padding(0) }
    }

    /// Bytes of the file that are in the checksum.
    pub(crate) fn done(&self) -> usize {
        self.at
    }

    /// Looks at about `budget` bytes more; whether that was all.
    pub(crate) fn step(&mut self, artifact: &Artifact<'_>, budget: usize) -> bool {
        // The tensor at hand is looked up once: its number is a place in a walk over all of them.
        let mut tensor = None;
        let mut left = budget.max(1);
        while left > 0 && self.stage != Stage::End {
            let block = (left / GRAIN * GRAIN).clamp(GRAIN, BLOCK);
            left = left.saturating_sub(self.unit(artifact, &mut tensor, block));
        }
        self.stage == Stage::End
    }

    /// What a pass that is over found.
    pub(crate) fn result(&self, artifact: &Artifact<'_>) -> Result<(), OpenError> {
        let (declared, computed) = (artifact.checksum(), self.state.finish());
        if declared != computed {
            return Err(OpenError::Checksum { declared, computed });
        }
        self.error.map_or(Ok(()), Err)
    }

    /// One thing, of at most `block` bytes where it can be cut; gives how many it were.
    fn unit<'a>(&mut self, artifact: &Artifact<'a>, current: &mut Option<(usize, Tensor<'a>)>, block: usize) -> usize {
        let before = self.at;
        let bytes = artifact.bytes();
        let section = |number: usize| artifact.sections().nth(number);
        match self.stage {
            Stage::Padding(number) => {
                let Some((kind, range)) = section(number) else {
                    self.stage = Stage::End;
                    return 0;
                };
                // Up to the first section, that is the section table.
                let padding = self.read(bytes, range.start);
                self.note(
                    (kind == SectionKind::Config || is_zero(padding)).then_some(()).ok_or(OpenError::Padding(kind)),
                );
                self.stage = match kind {
                    SectionKind::Weights => Stage::Tensor(0, Part::Gap, 0),
                    SectionKind::Vocabulary => Stage::Vocabulary(0),
                    _ => Stage::Section(number),
                };
            }
            Stage::Tensor(number, part, at) => {
                if current.is_none_or(|(index, _)| index != number) {
                    let id = artifact.config().tensor_ids().nth(number);
                    *current = id.and_then(|id| artifact.tensor_at(id, number)).map(|tensor| (number, tensor));
                }
                let Some((_, tensor)) = current else {
                    self.stage = Stage::Section(usize::from(SectionKind::Weights.code()));
                    return 0;
                };
                let shape = artifact.config().shape(tensor.id);
                return self.tensor(bytes, tensor, shape, (number, part, at), block);
            }
            Stage::Vocabulary(part) => {
                let whole = Stage::Section(usize::from(SectionKind::Vocabulary.code()));
                match artifact.vocabulary().verify_part(part) {
                    Some(Ok(())) => self.stage = Stage::Vocabulary(part + 1),
                    Some(Err(error)) => {
                        self.note(Err(error.into()));
                        self.stage = whole;
                    }
                    None => self.stage = whole,
                }
                let number = usize::from(SectionKind::Vocabulary.code());
                return section(number).map_or(0, |(_, range)| range.len());
            }
            Stage::Section(number) => {
                let end = section(number).map_or(self.at, |(_, range)| range.end);
                self.read(bytes, end.min(self.at.saturating_add(block)));
                if self.at >= end {
                    self.stage = if number + 1 < SECTIONS { Stage::Padding(number + 1) } else { Stage::End };
                }
            }
            Stage::End => {}
        }
        self.at - before
    }

    /// One thing of a tensor.
    fn tensor(
        &mut self,
        bytes: &[u8],
        tensor: &Tensor<'_>,
        (rows, cols): (usize, usize),
        (number, part, at): (usize, Part, usize),
        block: usize,
    ) -> usize {
        let before = self.at;
        let Tensor { id, dtype, layout, data, scales, .. } = *tensor;
        let start_of = |part: &[u8]| part.as_ptr().addr() - bytes.as_ptr().addr();
        let storage = Storage { dtype, layout, rows, cols, data, scales };
        // Once there is an error, only the checksum matters.
        let sound = self.error.is_none();
        let next = |part| Stage::Tensor(number, part, 0);
        // The stage after a part of `len` elements of which those up to `end` are done.
        let goes_on = |end, len, then| if end < len { Stage::Tensor(number, part, end) } else { next(then) };
        let (bad, stage, cost) = match part {
            Part::Gap => {
                let zero = is_zero(self.read(bytes, start_of(data)));
                ((!zero).then_some(TensorError::Gap), next(Part::Data), 0)
            }
            Part::Data => {
                let end = data.len().min(at.saturating_add(block));
                let piece = self.read(bytes, start_of(data) + end);
                let bad = if sound { storage.bad_element(at, piece) } else { None };
                (bad, goes_on(end, data.len(), Part::Scales), 0)
            }
            Part::Scales => {
                let len = if sound { storage.rows_of_scales() } else { 0 };
                let end = len.min(at.saturating_add(block / 2));
                (storage.bad_scale(at..end), goes_on(end, len, Part::Groups), 2 * end.saturating_sub(at))
            }
            Part::Groups => {
                let len = if sound { storage.factors().len() } else { 0 };
                let end = len.min(at.saturating_add(block));
                (storage.bad_group(at..end), goes_on(end, len, Part::Padding), end.saturating_sub(at))
            }
            Part::Padding => (if sound { storage.bad_padding() } else { None }, next(Part::ScalesGap), block),
            Part::ScalesGap => {
                let zero = is_zero(self.read(bytes, start_of(scales)));
                ((!zero).then_some(TensorError::Gap), next(Part::ScalesBytes), 0)
            }
            Part::ScalesBytes => {
                let end = scales.len().min(at.saturating_add(block));
                self.read(bytes, start_of(scales) + end);
                let then = Stage::Tensor(number + 1, Part::Gap, 0);
                (None, if end < scales.len() { Stage::Tensor(number, part, end) } else { then }, 0)
            }
        };
        self.note(bad.map_or(Ok(()), |error| Err(OpenError::Tensor { id, error })));
        self.stage = stage;
        cost + (self.at - before)
    }

    /// Takes the bytes up to `end` into the checksum and gives them.
    fn read<'a>(&mut self, bytes: &'a [u8], end: usize) -> &'a [u8] {
        let part = bytes.get(self.at..end).unwrap_or_default();
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
}

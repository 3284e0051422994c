//! The checked view of a packed file.

use core::fmt;
use core::ops::Range;

use crate::config::Config;
use crate::container::{self, ALIGNMENT, Header, SECTIONS, SectionKind, align, to_range};
use crate::enums::{Dtype, Layout};
use crate::error::{OpenError, TensorError};
use crate::labels::Labels;
use crate::opening::Opening;
use crate::record::record;
use crate::storage::{self, data_len, elements_len, scales_len};
use crate::tensors::{Role, TensorId};
use crate::verify;
use crate::vocabulary::Vocabulary;

record! {
    /// One entry of the tensor table. Offsets are from the start of the weights section.
    struct TensorEntry = 48 {
        role: u8,
        dtype: u8,
        layout: u8,
        reserved: u8,
        layer: u32,
        rows: u32,
        cols: u32,
        data_offset: u64,
        data_len: u64,
        scales_offset: u64,
        scales_len: u64,
    }
}

/// A tensor in a packed file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// Which tensor it is.
    pub id: TensorId,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Order of its elements.
    pub layout: Layout,
    /// Rows; 1 for a vector.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Its elements, [`data_len`] bytes, little-endian, at a multiple of 64; for int4 and int3 the elements and then the factors.
    pub data: &'a [u8],
    /// Its bfloat16 scales, little-endian, at a multiple of 64: for integers one a row, in tiles padded to 16 rows with 1; else empty.
    pub scales: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// An int4 or int3 tensor's elements and its factors, one for each row and group; `None` for other types.
    pub fn grouped(&self) -> Option<(&'a [u8], &'a [u8])> {
        self.dtype.group()?;
        let elements = elements_len(self.dtype, self.layout, self.rows, self.cols)?;
        self.data.split_at_checked(usize::try_from(elements).ok()?)
    }
}

/// A packed file. It borrows the file's bytes; copying it is cheap.
///
/// Its accessors neither panic nor loop, and read nothing outside the file, however it was opened.
#[derive(Clone, Copy)]
pub struct Artifact<'a> {
    bytes: &'a [u8],
    header: Header,
    /// Start and end of each section.
    sections: [(usize, usize); SECTIONS],
    config: Config,
    table: &'a [[u8; TensorEntry::LEN]],
    weights: &'a [u8],
    vocabulary: Vocabulary<'a>,
    labels: Labels<'a>,
    manifest: &'a [u8],
}

impl<'a> Artifact<'a> {
    /// Checks a file in full and gives the view of it: [`Artifact::open_unverified`], then [`Artifact::verify`]. [`Opening`] does the same in slices.
    ///
    /// `bytes` is the whole file, at an address that is a multiple of 64. The time goes into the one pass over all bytes for the checksum and the values.
    ///
    /// # Errors
    /// A rule of SPEC.md that the file breaks. Where the checksum does not match, that is what is said, whatever else is wrong behind the header.
    pub fn open(bytes: &'a [u8]) -> Result<Self, OpenError> {
        let mut opening = Opening::new(bytes);
        loop {
            if let Some(artifact) = opening.step(usize::MAX)? {
                return Ok(artifact);
            }
        }
    }

    /// Checks a file's structure alone, in microseconds whatever its size: header, section table, configuration, the place and storage of every tensor, the vocabulary's lengths, the label
    /// names. The weights and the vocabulary's entries are not looked at. For files that were verified when they came to where they are: when they were flashed, or downloaded.
    ///
    /// On a file that would not pass [`Artifact::verify`], all accessors still work, within its bytes and in bounded time, and tokens are still less than the vocabulary's length; which
    /// values come back, and what a model computes with them, is unspecified.
    ///
    /// # Errors
    /// A rule of SPEC.md about the structure that the file breaks.
    pub fn open_unverified(bytes: &'a [u8]) -> Result<Self, OpenError> {
        if !bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            return Err(OpenError::Misaligned);
        }
        let header = container::check_header(bytes)?;
        let ranges = container::sections(&header, bytes)?;
        let sections = ranges.clone().map(|range| (range.start, range.end));
        let [config, table, weights, vocabulary, labels, manifest] =
            ranges.map(|range| bytes.get(range).unwrap_or_default());

        let config: &[u8; 64] = config.try_into().map_err(|_| OpenError::SectionLength(SectionKind::Config))?;
        let config = Config::decode(config)?;
        let table = check_tensors(&config, table, weights)?;
        let vocabulary = Vocabulary::new_unverified(vocabulary)?;
        if vocabulary.len() > config.vocab_size as usize {
            return Err(OpenError::VocabularySize { entries: vocabulary.len(), vocab_size: config.vocab_size });
        }
        let labels = Labels::new(labels, config.labels)?;
        Ok(Self { bytes, header, sections, config, table, weights, vocabulary, labels, manifest })
    }

    /// Checks everything that [`Artifact::open_unverified`] leaves out: the checksum, the values of the weights, the padding, and the vocabulary's entries.
    ///
    /// # Errors
    /// A rule of SPEC.md that the file breaks; [`OpenError::Checksum`] before any other.
    pub fn verify(&self) -> Result<(), OpenError> {
        verify::verify(self)
    }

    /// What the model is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A tensor; `None` only if a model of this configuration does not have it. `layer` is 0 for what is not in a layer.
    pub fn tensor(&self, role: Role, layer: u32) -> Option<Tensor<'a>> {
        let id = TensorId { role, layer };
        self.tensor_at(id, self.config.index_of(id)?)
    }

    /// All tensors, in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'a>> + '_ {
        self.config.tensor_ids().enumerate().filter_map(|(index, id)| self.tensor_at(id, index))
    }

    pub(crate) fn tensor_at(&self, id: TensorId, index: usize) -> Option<Tensor<'a>> {
        let entry = TensorEntry::decode(self.table.get(index)?);
        let part = |offset: u64, len| self.weights.get(to_range(offset, offset.checked_add(len)?)?);
        Some(Tensor {
            id,
            dtype: Dtype::from_code(entry.dtype)?,
            layout: Layout::from_code(entry.layout)?,
            rows: entry.rows as usize,
            cols: entry.cols as usize,
            data: part(entry.data_offset, entry.data_len)?,
            scales: part(entry.scales_offset, entry.scales_len)?,
        })
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> Vocabulary<'a> {
        self.vocabulary
    }

    /// The name of label `i`; `None` from `config().labels` on.
    pub fn label(&self, i: usize) -> Option<&'a str> {
        self.labels.get(i)
    }

    /// Where the model came from, as CBOR; not looked into here.
    pub fn manifest(&self) -> &'a [u8] {
        self.manifest
    }

    /// The sections and their places in the file.
    pub fn sections(&self) -> impl Iterator<Item = (SectionKind, Range<usize>)> + '_ {
        SectionKind::ALL.iter().zip(&self.sections).map(|(&kind, &(start, end))| (kind, start..end))
    }

    /// Bytes of the file.
    #[expect(clippy::len_without_is_empty, reason = "a checked file is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The file's checksum, as its header has it.
    pub fn checksum(&self) -> u32 {
        self.header.checksum
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for Artifact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact")
            .field("len", &self.bytes.len())
            .field("checksum", &self.header.checksum)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Checks the tensor table against the configuration and the length of the weights: each tensor in its place, without holes or overlap.
fn check_tensors<'a>(
    config: &Config,
    table: &'a [u8],
    weights: &[u8],
) -> Result<&'a [[u8; TensorEntry::LEN]], OpenError> {
    let (entries, rest) = table.as_chunks::<{ TensorEntry::LEN }>();
    if entries.len() != config.tensor_count() || !rest.is_empty() {
        return Err(OpenError::SectionLength(SectionKind::TensorTable));
    }
    let mut end = 0;
    for (id, entry) in config.tensor_ids().zip(entries) {
        let entry = TensorEntry::decode(entry);
        end = check_tensor(config, id, &entry, weights, end).map_err(|error| OpenError::Tensor { id, error })?;
    }
    if end != weights.len() as u64 {
        return Err(OpenError::SectionLength(SectionKind::Weights));
    }
    Ok(entries)
}

/// Checks the entry of one tensor that follows `end` bytes of others; gives the end of its own.
fn check_tensor(
    config: &Config,
    id: TensorId,
    entry: &TensorEntry,
    weights: &[u8],
    end: u64,
) -> Result<u64, TensorError> {
    if entry.role != id.role.code() || entry.layer != id.layer || entry.reserved != 0 {
        return Err(TensorError::Entry);
    }
    let dtype = Dtype::from_code(entry.dtype).ok_or(TensorError::Entry)?;
    let layout = Layout::from_code(entry.layout).ok_or(TensorError::Entry)?;
    let (rows, cols) = config.shape(id);
    if (entry.rows as usize, entry.cols as usize) != (rows, cols) {
        return Err(TensorError::Shape { expected: (rows, cols) });
    }
    if !storage::is_allowed(id.role, dtype, layout) {
        return Err(TensorError::Storage { dtype, layout });
    }
    let place = Place::after(end, dtype, layout, rows, cols).ok_or(TensorError::Place)?;
    if place != entry.place() || place.end() > weights.len() as u64 {
        return Err(TensorError::Place);
    }
    Ok(place.end())
}

/// Where a tensor lies in the weights section.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) data_offset: u64,
    pub(crate) data_len: u64,
    pub(crate) scales_offset: u64,
    pub(crate) scales_len: u64,
}

impl Place {
    /// The place after `end` bytes. Without scales, theirs is the end of the data. `None` if that has no u64.
    pub(crate) fn after(end: u64, dtype: Dtype, layout: Layout, rows: usize, cols: usize) -> Option<Self> {
        let data_offset = align(end)?;
        let data_len = data_len(dtype, layout, rows, cols)?;
        let data_end = data_offset.checked_add(data_len)?;
        let scales_len = scales_len(dtype, layout, rows)?;
        let scales_offset = if scales_len == 0 { data_end } else { align(data_end)? };
        scales_offset.checked_add(scales_len)?;
        Some(Self { data_offset, data_len, scales_offset, scales_len })
    }

    /// End of the tensor; cannot overflow, [`Place::after`] has seen to it.
    pub(crate) const fn end(&self) -> u64 {
        self.scales_offset + self.scales_len
    }
}

impl TensorEntry {
    /// The entry of a tensor.
    #[cfg(feature = "alloc")]
    pub(crate) fn new(id: TensorId, dtype: Dtype, layout: Layout, rows: u32, cols: u32, place: Place) -> Self {
        Self {
            role: id.role.code(),
            dtype: dtype.code(),
            layout: layout.code(),
            reserved: 0,
            layer: id.layer,
            rows,
            cols,
            data_offset: place.data_offset,
            data_len: place.data_len,
            scales_offset: place.scales_offset,
            scales_len: place.scales_len,
        }
    }

    fn place(&self) -> Place {
        Place {
            data_offset: self.data_offset,
            data_len: self.data_len,
            scales_offset: self.scales_offset,
            scales_len: self.scales_len,
        }
    }
}

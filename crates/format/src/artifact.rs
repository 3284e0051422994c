//! The checked view of a packed file.

use core::fmt;
use core::ops::Range;

use crate::config::Config;
use crate::container::{self, ALIGNMENT, SECTIONS, SectionKind, align, to_range};
use crate::enums::{Dtype, Layout};
use crate::error::{OpenError, TensorError};
use crate::labels::Labels;
use crate::record::record;
use crate::storage::{self, Storage, data_len, scales_len};
use crate::tensors::{Role, TensorId};
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
    /// Its elements, [`data_len`] bytes, little-endian, at a multiple of 64.
    pub data: &'a [u8],
    /// Its bfloat16 scales, little-endian, at a multiple of 64: for int8 one a row, in `Tile16` padded to 16 rows with 1; else empty.
    pub scales: &'a [u8],
}

/// A packed file that was checked in full. It borrows the file's bytes; copying it is cheap.
#[derive(Clone, Copy)]
pub struct Artifact<'a> {
    bytes: &'a [u8],
    checksum: u32,
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
    /// Checks a file and gives the view of it: the one place where a file is accepted or rejected.
    ///
    /// `bytes` is the whole file, at an address that is a multiple of 64. The time goes into one pass for the checksum and one over the weights (no infinity, no NaN, no -128).
    ///
    /// # Errors
    /// The first rule of SPEC.md that the file breaks.
    pub fn open(bytes: &'a [u8]) -> Result<Self, OpenError> {
        if !bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            return Err(OpenError::Misaligned);
        }
        let (ranges, checksum) = container::check(bytes)?;
        let sections = ranges.clone().map(|range| (range.start, range.end));
        let [config, table, weights, vocabulary, labels, manifest] =
            ranges.map(|range| bytes.get(range).unwrap_or_default());

        let config: &[u8; 64] = config.try_into().map_err(|_| OpenError::SectionLength(SectionKind::Config))?;
        let config = Config::decode(config)?;
        let table = check_tensors(&config, table, weights)?;
        let vocabulary = Vocabulary::new(vocabulary)?;
        if vocabulary.len() > config.vocab_size as usize {
            return Err(OpenError::VocabularySize { entries: vocabulary.len(), vocab_size: config.vocab_size });
        }
        let labels = Labels::new(labels, config.labels)?;
        Ok(Self { bytes, checksum, sections, config, table, weights, vocabulary, labels, manifest })
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

    fn tensor_at(&self, id: TensorId, index: usize) -> Option<Tensor<'a>> {
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

    /// The file's checksum.
    pub fn checksum(&self) -> u32 {
        self.checksum
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
            .field("checksum", &self.checksum)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Checks the tensor table against the configuration and the weights against the table: each tensor in its place, without holes or overlap.
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

/// Checks one tensor that follows `end` bytes of others; gives the end of its own.
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
    if place != entry.place() {
        return Err(TensorError::Place);
    }
    let part = |start, end| to_range(start, end).and_then(|range| weights.get(range)).ok_or(TensorError::Place);
    let data_end = place.data_offset + place.data_len;
    let is_zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
    if !is_zero(part(end, place.data_offset)?) {
        return Err(TensorError::Gap);
    }
    let data = part(place.data_offset, data_end)?;
    let scales = part(place.scales_offset, place.end())?;
    if !is_zero(part(data_end, place.scales_offset)?) {
        return Err(TensorError::Gap);
    }
    Storage { role: id.role, dtype, layout, rows, cols, data, scales }.check()?;
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

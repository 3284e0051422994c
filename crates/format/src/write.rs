//! The writer: the same input gives the same bytes, and what it writes opens.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::artifact::{Place, TensorEntry};
use crate::config::Config;
use crate::container::{
    CHECKSUM_AT, FRONT_LEN, Header, MAGIC, SECTIONS, SectionEntry, SectionKind, VERSION, align, file_checksum,
};
use crate::enums::{Dtype, Layout};
use crate::error::{ConfigError, TensorError};
use crate::labels::Labels;
use crate::storage::Storage;
use crate::tensors::TensorId;
use crate::vocabulary::{Vocabulary, VocabularyError};

/// A tensor to be written. Its shape is the configuration's.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorData {
    /// Which tensor it is.
    pub id: TensorId,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Order of its elements.
    pub layout: Layout,
    /// Its elements, little-endian, [`data_len`](crate::data_len) bytes.
    pub data: Vec<u8>,
    /// Its bfloat16 scales, little-endian, [`scales_len`](crate::scales_len) bytes; padding rows have 1 (bytes 80 3f).
    pub scales: Vec<u8>,
}

/// Writes a packed file: the configuration, its tensors in any order, a vocabulary from [`build_vocabulary`](crate::build_vocabulary), a name for each label, and
/// the manifest (CBOR, not looked into).
///
/// # Errors
/// Whatever [`Artifact::open`](crate::Artifact::open) would refuse, named by its cause.
pub fn write(
    config: &Config,
    tensors: Vec<TensorData>,
    vocabulary: &[u8],
    labels: &[String],
    manifest: &[u8],
) -> Result<Vec<u8>, WriteError> {
    config.validate().map_err(WriteError::Config)?;
    let entries = Vocabulary::new(vocabulary).map_err(WriteError::Vocabulary)?.len();
    if entries > config.vocab_size as usize {
        return Err(WriteError::VocabularySize { entries, vocab_size: config.vocab_size });
    }
    if labels.len() != config.labels as usize {
        return Err(WriteError::LabelCount { expected: config.labels, found: labels.len() });
    }
    let label_bytes = Labels::encode(labels).ok_or(WriteError::LabelsTooLong)?;
    let tensors = in_order(config, tensors)?;
    let (table, places, weights_len) = plan(config, &tensors)?;

    let config_bytes = config.encode();
    let lengths = [
        config_bytes.len() as u64,
        table.len() as u64,
        weights_len,
        vocabulary.len() as u64,
        label_bytes.len() as u64,
        manifest.len() as u64,
    ];
    let (front, offsets, length) = front(lengths).ok_or(WriteError::TooLarge)?;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(length).map_err(|_| WriteError::TooLarge)?)
        .map_err(|_| WriteError::TooLarge)?;
    bytes.extend(front);
    // From here on everything has its place below `length`, which fits a usize.
    let mut put = |offset: u64, part: &[u8]| {
        bytes.resize(offset as usize, 0);
        bytes.extend(part);
    };
    let [config_at, table_at, weights_at, vocabulary_at, labels_at, manifest_at] = offsets;
    put(config_at, &config_bytes);
    put(table_at, &table);
    for (tensor, place) in tensors.iter().zip(&places) {
        put(weights_at + place.data_offset, &tensor.data);
        put(weights_at + place.scales_offset, &tensor.scales);
    }
    put(vocabulary_at, vocabulary);
    put(labels_at, &label_bytes);
    put(manifest_at, manifest);
    let checksum = file_checksum(&bytes);
    bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// The tensors in the file's order, each of them once and no other.
fn in_order(config: &Config, tensors: Vec<TensorData>) -> Result<Vec<TensorData>, WriteError> {
    let mut slots: Vec<Option<TensorData>> = Vec::new();
    slots.resize_with(config.tensor_count(), || None);
    for tensor in tensors {
        let id = tensor.id;
        let slot =
            config.index_of(id).and_then(|index| slots.get_mut(index)).ok_or(WriteError::UnexpectedTensor(id))?;
        if slot.replace(tensor).is_some() {
            return Err(WriteError::RepeatedTensor(id));
        }
    }
    config.tensor_ids().zip(slots).map(|(id, slot)| slot.ok_or(WriteError::MissingTensor(id))).collect()
}

/// Checks the tensors and gives each its place; the table's bytes, the places, and the length of the weights section.
fn plan(config: &Config, tensors: &[TensorData]) -> Result<(Vec<u8>, Vec<Place>, u64), WriteError> {
    let mut table = Vec::new();
    let mut places = Vec::new();
    let mut end = 0;
    for tensor in tensors {
        let (id, dtype, layout) = (tensor.id, tensor.dtype, tensor.layout);
        let (rows, cols) = config.shape(id);
        Storage { dtype, layout, rows, cols, data: &tensor.data, scales: &tensor.scales }
            .check(id.role)
            .map_err(|error| WriteError::Tensor { id, error })?;
        let place = Place::after(end, dtype, layout, rows, cols).ok_or(WriteError::TooLarge)?;
        end = place.end();
        // The configuration's bounds keep every shape within u32.
        table.extend(TensorEntry::new(id, dtype, layout, rows as u32, cols as u32, place).encode());
        places.push(place);
    }
    Ok((table, places, end))
}

/// Header (without checksum) and section table, the sections' offsets, and the file's length; `None` if that has no u64.
fn front(lengths: [u64; SECTIONS]) -> Option<(Vec<u8>, [u64; SECTIONS], u64)> {
    let mut table = Vec::new();
    let mut offsets = [0; SECTIONS];
    let mut end = FRONT_LEN as u64;
    for ((kind, length), offset) in SectionKind::ALL.iter().zip(lengths).zip(&mut offsets) {
        *offset = align(end)?;
        end = offset.checked_add(length)?;
        let entry =
            SectionEntry { kind: kind.code().into(), reserved: [0; 4], offset: *offset, length, reserved_end: [0; 8] };
        table.extend(entry.encode());
    }
    let header = Header {
        magic: MAGIC,
        version: VERSION,
        sections: SECTIONS as u16,
        flags: 0,
        length: end,
        checksum: 0,
        reserved: [0; 36],
    };
    let mut front = header.encode().to_vec();
    front.extend(table);
    Some((front, offsets, end))
}

/// Why a file or a vocabulary is not written.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteError {
    /// The configuration is refused.
    Config(ConfigError),
    /// A tensor that the configuration asks for is not there.
    MissingTensor(TensorId),
    /// The configuration has no such tensor.
    UnexpectedTensor(TensorId),
    /// A tensor is there twice.
    RepeatedTensor(TensorId),
    /// A tensor is refused.
    Tensor {
        /// The tensor.
        id: TensorId,
        /// Why.
        error: TensorError,
    },
    /// The vocabulary section is refused.
    Vocabulary(VocabularyError),
    /// The vocabulary has more entries than the word embedding has rows.
    VocabularySize {
        /// Entries of the vocabulary.
        entries: usize,
        /// Rows of the embedding.
        vocab_size: u32,
    },
    /// There is not one name for each label.
    LabelCount {
        /// Labels of the configuration.
        expected: u32,
        /// Names given.
        found: usize,
    },
    /// The label names together are longer than 4 GB.
    LabelsTooLong,
    /// The file would be larger than this machine's memory or the format allows.
    TooLarge,
    /// A vocabulary has no entry or more than 2^20.
    PieceCount(usize),
    /// An entry of the vocabulary is empty.
    EmptyPiece {
        /// Its place, from 0.
        index: usize,
    },
    /// An entry of the vocabulary is longer than 256 bytes.
    LongPiece {
        /// Its place, from 0.
        index: usize,
    },
    /// An entry of the vocabulary is there twice.
    RepeatedPiece {
        /// Its first place, from 0.
        first: usize,
        /// Its second place.
        second: usize,
    },
    /// The vocabulary's trie has 2^22 edges or more.
    VocabularyTooLarge,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "configuration: {error}"),
            Self::MissingTensor(id) => write!(f, "tensor {id} is missing"),
            Self::UnexpectedTensor(id) => {
                write!(f, "a model of this configuration has no tensor {id}")
            }
            Self::RepeatedTensor(id) => write!(f, "tensor {id} is there twice"),
            Self::Tensor { id, error } => write!(f, "tensor {id}: {error}"),
            Self::Vocabulary(error) => {
                write!(f, "vocabulary: {error}; build it with build_vocabulary")
            }
            Self::VocabularySize { entries, vocab_size } => write!(
                f,
                "the vocabulary has {entries} entries, the word embedding only {vocab_size} rows; use the vocabulary the model was trained with"
            ),
            Self::LabelCount { expected, found } => {
                write!(f, "{found} label names for {expected} labels; name each once")
            }
            Self::LabelsTooLong => write!(f, "the label names are longer than 4 GB; shorten them"),
            Self::TooLarge => write!(f, "the file is too large for this machine"),
            Self::PieceCount(count) => {
                write!(f, "the vocabulary has {count} entries, it must have 1 to {}", crate::config::MAX_VOCABULARY)
            }
            Self::EmptyPiece { index } => {
                write!(f, "line {} of the vocabulary is empty; remove it", index + 1)
            }
            Self::LongPiece { index } => write!(
                f,
                "line {} of the vocabulary is longer than {} bytes; shorten or remove it",
                index + 1,
                crate::vocabulary::MAX_PIECE_BYTES
            ),
            Self::RepeatedPiece { first, second } => {
                write!(f, "line {} of the vocabulary repeats line {}; remove one", second + 1, first + 1)
            }
            Self::VocabularyTooLarge => {
                write!(f, "the vocabulary's entries are too long together; use a smaller one")
            }
        }
    }
}

impl core::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Tensor { error, .. } => Some(error),
            Self::Vocabulary(error) => Some(error),
            _ => None,
        }
    }
}

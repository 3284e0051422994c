//! Why a file, a configuration or a tensor is refused.

use core::fmt;

use crate::container::SectionKind;
use crate::enums::{Dtype, Head, Layout, Problem};
use crate::tensors::TensorId;
use crate::vocabulary::VocabularyError;

/// Why a file is not opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OpenError {
    /// The bytes do not start at a multiple of 64.
    Misaligned,
    /// There are fewer bytes than a header and its section table have.
    TooShort {
        /// Bytes there are.
        actual: usize,
    },
    /// The first bytes are not a packed file's.
    Magic,
    /// The file has another version than this crate reads.
    Version(u16),
    /// The file needs something that this version does not have.
    Flags(u32),
    /// The length in the header is not the number of bytes.
    Length {
        /// Length in the header.
        declared: u64,
        /// Bytes there are.
        actual: usize,
    },
    /// The checksum does not match.
    Checksum {
        /// Checksum in the header.
        declared: u32,
        /// Checksum of the bytes.
        computed: u32,
    },
    /// The number of sections is wrong or a reserved byte of the header is not zero.
    Header,
    /// The section's entry has a wrong kind, offset or length.
    SectionTable(SectionKind),
    /// The padding before the section is not zero.
    Padding(SectionKind),
    /// The section has a length that the configuration does not allow.
    SectionLength(SectionKind),
    /// The configuration is refused.
    Config(ConfigError),
    /// A tensor is refused.
    Tensor {
        /// The tensor.
        id: TensorId,
        /// Why.
        error: TensorError,
    },
    /// The vocabulary is refused.
    Vocabulary(VocabularyError),
    /// The vocabulary has more entries than the word embedding has rows.
    VocabularySize {
        /// Entries of the vocabulary.
        entries: usize,
        /// Rows of the embedding.
        vocab_size: u32,
    },
    /// The label names' count, offsets or text are wrong.
    Labels,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AGAIN: &str = "copy the file again or pack the model again";
        match self {
            Self::Misaligned => write!(
                f,
                "the file's bytes do not start at a multiple of 64; map the file or place it at an aligned address"
            ),
            Self::TooShort { actual } => {
                write!(f, "{actual} bytes are too few for a packed model; {AGAIN}")
            }
            Self::Magic => write!(f, "not a packed model (wrong first bytes); pack the model folder first"),
            Self::Version(version) => write!(
                f,
                "the file has version {version}, this program reads version {}; pack the model with this version",
                crate::container::VERSION
            ),
            Self::Flags(flags) => {
                write!(f, "the file uses features this program does not know (flags {flags:#x}); use a newer program")
            }
            Self::Length { declared, actual } => {
                write!(f, "the file should have {declared} bytes and has {actual}; {AGAIN}")
            }
            Self::Checksum { declared, computed } => {
                write!(f, "the file is damaged (checksum {declared:08x} expected, {computed:08x} found); {AGAIN}")
            }
            Self::Header => write!(f, "the file's header is wrong; {AGAIN}"),
            Self::SectionTable(section) => {
                write!(f, "the entry of section {section} is wrong; {AGAIN}")
            }
            Self::Padding(section) => {
                write!(f, "the padding before section {section} is not zero; {AGAIN}")
            }
            Self::SectionLength(section) => {
                write!(f, "section {section} has a wrong length; {AGAIN}")
            }
            Self::Config(error) => write!(f, "configuration: {error}"),
            Self::Tensor { id, error } => write!(f, "tensor {id}: {error}; {AGAIN}"),
            Self::Vocabulary(error) => write!(f, "vocabulary: {error}; {AGAIN}"),
            Self::VocabularySize { entries, vocab_size } => write!(
                f,
                "the vocabulary has {entries} entries, the word embedding only {vocab_size} rows; pack a vocabulary that belongs to the model"
            ),
            Self::Labels => write!(f, "the label names are wrong; {AGAIN}"),
        }
    }
}

impl core::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Tensor { error, .. } => Some(error),
            Self::Vocabulary(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigError> for OpenError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<VocabularyError> for OpenError {
    fn from(error: VocabularyError) -> Self {
        Self::Vocabulary(error)
    }
}

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ConfigError {
    /// A byte of the file stands for no value of its field.
    Code {
        /// The field.
        field: &'static str,
        /// The byte.
        value: u8,
    },
    /// A number is out of its bounds.
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
        /// Least value allowed.
        least: u32,
        /// Largest value allowed.
        most: u32,
    },
    /// The hidden size is not a multiple of the number of heads.
    Heads {
        /// Hidden size.
        hidden: u32,
        /// Attention heads.
        heads: u32,
    },
    /// The epsilon of the normalizations is not a positive normal number up to 1.
    Epsilon(f32),
    /// A classifier without labels, or labels without a classifier.
    Labels {
        /// The head.
        head: Head,
        /// The number of labels.
        labels: u32,
    },
    /// Scores that are read as no head of this kind has them.
    Problem {
        /// The head.
        head: Head,
        /// The number of labels.
        labels: u32,
        /// How its scores should be read.
        problem: Problem,
    },
    /// A special token's id is no row of the word embedding.
    SpecialToken {
        /// The token's name in lower case, without brackets.
        token: &'static str,
        /// Its id.
        id: u32,
        /// Rows of the embedding.
        vocab_size: u32,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { field, value } => {
                write!(f, "{field} has the unknown value {value}")
            }
            Self::Range { field, value, least, most } => write!(f, "{field} is {value}, it must be {least} to {most}"),
            Self::Heads { hidden, heads } => {
                write!(f, "the hidden size {hidden} must be a multiple of the {heads} heads")
            }
            // As bits: nothing else here needs the code that writes floats, 22 KB on a microcontroller.
            Self::Epsilon(eps) => {
                let bits = eps.to_bits();
                write!(f, "layer_norm_eps has the bits {bits:#010x}, it must be positive, normal and at most 1")
            }
            Self::Labels { head, labels } => write!(
                f,
                "{labels} labels with head {head}; {} and {} have at least one, other heads none",
                Head::SequenceClassification,
                Head::TokenClassification
            ),
            Self::Problem { head, labels, problem } => write!(
                f,
                "problem {problem} with head {head} and {labels} labels; {} is for {} and for at least two labels with {}, {} and {} for the latter alone",
                Problem::SingleLabel,
                Head::TokenClassification,
                Head::SequenceClassification,
                Problem::MultiLabel,
                Problem::Regression
            ),
            Self::SpecialToken { token, id, vocab_size } => write!(
                f,
                "the {token} token has id {id}, it must be less than the {vocab_size} rows of the word embedding"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}

/// Why a tensor is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TensorError {
    /// The entry does not name the tensor that belongs in its place, or has an unknown element type or layout, or a reserved byte that is not zero.
    Entry,
    /// A tensor of this role is not stored this way.
    Storage {
        /// Element type.
        dtype: Dtype,
        /// Layout.
        layout: Layout,
    },
    /// The shape is not the configuration's.
    Shape {
        /// Rows and columns that the configuration asks for.
        expected: (usize, usize),
    },
    /// The number of data bytes does not fit type, layout and shape.
    DataLength {
        /// Bytes expected.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The number of scale bytes does not fit type, layout and shape.
    ScalesLength {
        /// Bytes expected.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The data or its scales are not where the order of the tensors puts them, or lie outside the section.
    Place,
    /// The padding before the data or the scales is not zero.
    Gap,
    /// A scale is not finite, not positive, or out of 2^-60 to 2^60 (or the padding of the scales is not 1).
    Scale {
        /// The row.
        row: usize,
    },
    /// An int8 element is -128.
    Element {
        /// Its byte in the stored data.
        at: usize,
    },
    /// A factor of int4 or int3 is not 1 to 15 (or that of a padding row is not 1).
    Group {
        /// Its place among the stored factors.
        at: usize,
    },
    /// An element is infinite or not a number.
    NotFinite {
        /// Its place in the stored data.
        at: usize,
    },
    /// The padding of the layout is not zero.
    TilePadding,
}

impl fmt::Display for TensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry => write!(f, "wrong or unknown entry in the tensor table"),
            Self::Storage { dtype, layout } => {
                write!(f, "cannot be stored as {dtype} in layout {layout}")
            }
            Self::Shape { expected: (rows, cols) } => write!(f, "wrong shape, expected {rows} x {cols}"),
            Self::DataLength { expected, found } => {
                write!(f, "{found} bytes of data, expected {expected}")
            }
            Self::ScalesLength { expected, found } => {
                write!(f, "{found} bytes of scales, expected {expected}")
            }
            Self::Place => write!(f, "wrong place in the file"),
            Self::Gap => write!(f, "padding before it is not zero"),
            Self::Scale { row } => {
                write!(f, "the scale of row {row} is not between 2^-60 and 2^60 (1 in padding rows)")
            }
            Self::Element { at } => write!(f, "element {at} is -128"),
            Self::Group { at } => write!(f, "the factor of group {at} is not 1 to 15 (1 in padding rows)"),
            Self::NotFinite { at } => write!(f, "element {at} is infinite or not a number"),
            Self::TilePadding => write!(f, "padding inside its tiles is not zero"),
        }
    }
}

impl core::error::Error for TensorError {}

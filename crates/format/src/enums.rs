//! The closed sets of the format: each value has a byte in the file and a name for people.

use core::fmt;

/// A name that no value of the set has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// What was being named, such as "head".
    pub what: &'static str,
    /// The names there are.
    pub names: &'static [&'static str],
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {}; use one of ", self.what)?;
        for (i, name) in self.names.iter().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownName {}

/// Declares a set: its enum, the byte and the name of each value, and the conversions.
macro_rules! named {
    ($(#[$meta:meta])* enum $set:ident, $what:literal { $($(#[$value_meta:meta])* $value:ident = $code:literal, $name:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $set { $($(#[$value_meta])* $value = $code,)* }

        impl $set {
            /// Every value, in the order of their bytes.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// The name people read and write.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $name,)* }
            }

            /// The byte that stands for this value in a file.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The value a byte stands for.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$value),)* _ => None }
            }
        }

        impl core::fmt::Display for $set {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }

        impl core::str::FromStr for $set {
            type Err = $crate::enums::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.name() == name)
                    .ok_or($crate::enums::UnknownName { what: $what, names: &[$($name),*] })
            }
        }
    };
}
pub(crate) use named;

named! {
    /// The encoder's family.
    enum Architecture, "architecture" {
        /// DistilBERT: no token types, a ReLU classifier.
        DistilBert = 0, "distilbert";
        /// BERT: token types, a pooler with tanh before the classifier.
        Bert = 1, "bert";
    }
}

named! {
    /// What the model answers.
    enum Head, "head" {
        /// One vector per text.
        Embedding = 0, "embedding";
        /// A token for each `[MASK]`; the projection is tied to the word embedding.
        MaskedLm = 1, "masked-lm";
        /// One score per label for the whole text, read as the configuration's [`Problem`] says.
        SequenceClassification = 2, "sequence-classification";
        /// One score per label for each token.
        TokenClassification = 3, "token-classification";
        /// Where the answer to a question starts and ends in a text: two scores for each token.
        QuestionAnswering = 4, "question-answering";
    }
}

named! {
    /// How the scores of a classifier are read.
    enum Problem, "problem" {
        /// One label is right: softmax.
        SingleLabel = 0, "single-label";
        /// Each label is right or not: a sigmoid for each.
        MultiLabel = 1, "multi-label";
        /// The scores are the answer.
        Regression = 2, "regression";
    }
}

impl Head {
    /// Whether the head has labels.
    pub const fn has_labels(self) -> bool {
        matches!(self, Self::SequenceClassification | Self::TokenClassification)
    }
}

named! {
    /// How token vectors become one vector.
    enum Pooling, "pooling" {
        /// The mean over all tokens, `[CLS]` and `[SEP]` included.
        Mean = 0, "mean";
        /// The vector of `[CLS]`.
        Cls = 1, "cls";
    }
}

named! {
    /// The type of a tensor's elements.
    enum Dtype, "element type" {
        /// IEEE single precision.
        F32 = 0, "f32";
        /// IEEE half precision: biases only.
        F16 = 1, "f16";
        /// Integers from -127 to 127 with one bfloat16 scale a row.
        Int8 = 2, "int8";
        /// Integers from -8 to 7, a factor from 1 to 15 for each 32 inputs of a row, and one bfloat16 scale a row.
        Int4G32 = 3, "int4g32";
        /// The same with a factor for each 64 inputs.
        Int4G64 = 4, "int4g64";
        /// Odd integers from -7 to 7, a factor from 1 to 15 for each 32 inputs of a row, and one bfloat16 scale a row.
        Int3G32 = 5, "int3g32";
    }
}

named! {
    /// The order of a tensor's elements.
    enum Layout, "layout" {
        /// Row after row.
        RowMajor = 0, "row-major";
        /// Tiles of 16 output channels by 4 inputs: every chip reads it well; the layout of `vpdpbusd`, `sdot` and AVX2.
        Tile16 = 1, "tile16";
        /// Tiles of 8 output channels by 8 inputs: the layout of `smmla`.
        Tile8 = 2, "tile8";
        /// Tiles of 4 output channels by 16 inputs: the layout of plain NEON, Helium and the Cortex-M DSP instructions.
        Tile4 = 3, "tile4";
    }
}

impl Dtype {
    /// Inputs that share a factor; `None` for what is neither int4 nor int3.
    pub const fn group(self) -> Option<usize> {
        match self {
            Self::Int4G32 | Self::Int3G32 => Some(32),
            Self::Int4G64 => Some(64),
            Self::F32 | Self::F16 | Self::Int8 => None,
        }
    }

    /// Bits of an element.
    pub const fn bits(self) -> usize {
        match self {
            Self::F32 => 32,
            Self::F16 => 16,
            Self::Int8 => 8,
            Self::Int4G32 | Self::Int4G64 => 4,
            Self::Int3G32 => 3,
        }
    }

    /// Whether every row has a scale.
    pub const fn has_scales(self) -> bool {
        matches!(self, Self::Int8 | Self::Int4G32 | Self::Int4G64 | Self::Int3G32)
    }
}

impl Layout {
    /// Output channels and inputs of a 64-byte int8 tile; `None` for what is not tiled.
    pub const fn tile(self) -> Option<(usize, usize)> {
        match self {
            Self::RowMajor => None,
            Self::Tile16 => Some((16, 4)),
            Self::Tile8 => Some((8, 8)),
            Self::Tile4 => Some((4, 16)),
        }
    }
}

//! Checked views of weights, and the small types that go with a matrix product.

use core::fmt;

use crate::layout::{self, Group, Layout, Width};
use crate::scalar::bf16_to_f32;

/// Longest row of a matrix product, so that sums of int8 products stay exact in 32 bits.
pub(crate) const MAX_INPUTS: usize = 1 << 16;

/// What an int8 row must be multiplied by to become float, and the sum of its values.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowScale {
    /// Float value of one step.
    pub scale: f32,
    /// Sum of the row's int8 values; instruction sets that multiply unsigned by signed bytes need
    /// it.
    pub sum: i32,
}

/// Bytes from one quantized row of `k` values to the next: `k` rounded up to 64. The padding is
/// zero.
pub const fn quantized_stride(k: usize) -> usize {
    k.div_ceil(64) * 64
}

/// A bias: one value for each output channel.
#[derive(Clone, Copy, Debug)]
pub enum Vector<'a> {
    /// IEEE single precision.
    F32(&'a [f32]),
    /// IEEE half precision, as bits.
    F16(&'a [u16]),
}

impl Vector<'_> {
    /// Number of values.
    pub const fn len(&self) -> usize {
        match self {
            Vector::F32(values) => values.len(),
            Vector::F16(values) => values.len(),
        }
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a matrix product does with each value before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Epilogue {
    /// Nothing.
    Store,
    /// GELU (the exact one, with erf).
    Gelu,
    /// `max(0, value)`.
    Relu,
    /// Adds it to what the output already holds: the residual connection.
    Add,
}

/// A weight matrix of `n` output channels by `k` inputs, its shape checked against its data.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    pub(crate) weights: Weights<'a>,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) layout: Layout,
}

/// The float value of one step of a channel's integer weights.
#[derive(Clone, Copy, Debug)]
pub enum Scales<'a> {
    /// bfloat16, as bits: what a packed file holds.
    Bf16(&'a [u16]),
    /// IEEE single precision.
    F32(&'a [f32]),
    /// One for every channel.
    One,
}

impl Scales<'_> {
    /// Number of channels that there are scales for.
    pub(crate) const fn len(&self) -> usize {
        match self {
            Scales::Bf16(scales) => scales.len(),
            Scales::F32(scales) => scales.len(),
            Scales::One => usize::MAX,
        }
    }

    /// The scale of `channel`.
    #[inline(always)]
    pub(crate) fn get(&self, channel: usize) -> f32 {
        match self {
            Scales::Bf16(scales) => bf16_to_f32(scales[channel]),
            Scales::F32(scales) => scales[channel],
            Scales::One => 1.0,
        }
    }
}

/// The data of a [`Matrix`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weights<'a> {
    Integer(Integers<'a>, Scales<'a>),
    Float(&'a [f32]),
}

/// Integer weights as they lie in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Integers<'a> {
    Int8(&'a [i8]),
    /// 4-bit or 3-bit weights and group scales.
    Grouped {
        packed: &'a [u8],
        groups: &'a [u8],
        group: Group,
        width: Width,
    },
}

impl<'a> Matrix<'a> {
    /// Int8 weights in [-127, 127] and a scale for each of the `n` channels.
    ///
    /// There may be more than `n` scales: a packed file pads them to a whole tile. The weight -128
    /// is not allowed; it is not looked for, and where it occurs the results are memory-safe but may
    /// differ between instruction sets.
    ///
    /// # Errors
    ///
    /// When `values` is not exactly [`layout::packed_len_int8`] long, `scales` is shorter than `n`,
    /// a dimension is zero or `k` is above 65,536.
    pub fn int8(values: &'a [i8], scales: Scales<'a>, n: usize, k: usize, layout: Layout) -> Result<Self, ShapeError> {
        check(layout::packed_len_int8(n, k, layout), values.len(), n, k)?;
        Self::integer(Integers::Int8(values), scales, n, k, layout)
    }

    /// 4-bit weights: nibbles, the scales of their groups, and a scale for each of the `n` channels.
    ///
    /// Group scales are 1 to 15. Others are not looked for; where they occur the results are
    /// memory-safe but may differ between instruction sets.
    ///
    /// # Errors
    ///
    /// When `nibbles` is not exactly [`layout::packed_len_int4`] long or `groups` not
    /// [`layout::group_count`], `scales` is shorter than `n`, a dimension is zero or `k` is above
    /// 65,536.
    pub fn int4(
        nibbles: &'a [u8],
        groups: &'a [u8],
        group: Group,
        scales: Scales<'a>,
        n: usize,
        k: usize,
        layout: Layout,
    ) -> Result<Self, ShapeError> {
        check(layout::packed_len_int4(n, k, group, layout), nibbles.len(), n, k)?;
        check(layout::group_count(n, k, group, layout), groups.len(), n, k)?;
        Self::integer(Integers::Grouped { packed: nibbles, groups, group, width: Width::Four }, scales, n, k, layout)
    }

    /// 3-bit weights: odd ones from -7 to 7, the scales of their groups of 32, and a scale for each of
    /// the `n` channels. Group scales are as those of [`int4`](Self::int4).
    ///
    /// # Errors
    ///
    /// When `packed` is not exactly [`layout::packed_len_int3`] long or `groups` not
    /// [`layout::group_count`], `scales` is shorter than `n`, a dimension is zero or `k` is above
    /// 65,536.
    pub fn int3(
        packed: &'a [u8],
        groups: &'a [u8],
        scales: Scales<'a>,
        n: usize,
        k: usize,
        layout: Layout,
    ) -> Result<Self, ShapeError> {
        let group = Group::Of32;
        check(layout::packed_len_int3(n, k, layout), packed.len(), n, k)?;
        check(layout::group_count(n, k, group, layout), groups.len(), n, k)?;
        Self::integer(Integers::Grouped { packed, groups, group, width: Width::Three }, scales, n, k, layout)
    }

    fn integer(
        integers: Integers<'a>,
        scales: Scales<'a>,
        n: usize,
        k: usize,
        layout: Layout,
    ) -> Result<Self, ShapeError> {
        if scales.len() < n {
            return Err(ShapeError::Scales { expected: n, found: scales.len() });
        }
        Ok(Matrix { weights: Weights::Integer(integers, scales), n, k, layout })
    }

    /// Float weights.
    ///
    /// # Errors
    ///
    /// When `values` is not exactly [`layout::packed_len_f32`] long, a dimension is zero or `k` is
    /// above 65,536.
    pub fn float(values: &'a [f32], n: usize, k: usize, layout: Layout) -> Result<Self, ShapeError> {
        check(layout::packed_len_f32(n, k, layout), values.len(), n, k)?;
        Ok(Matrix { weights: Weights::Float(values), n, k, layout })
    }

    /// Number of output channels.
    pub const fn channels(&self) -> usize {
        self.n
    }

    /// Number of inputs.
    pub const fn inputs(&self) -> usize {
        self.k
    }

    /// Whether the weights are integers, so that the product is
    /// [`matmul_int8`](crate::Kernels::matmul_int8).
    pub const fn is_integer(&self) -> bool {
        matches!(self.weights, Weights::Integer(..))
    }

    /// How the weights lie in memory.
    pub const fn layout(&self) -> Layout {
        self.layout
    }
}

fn check(expected: Option<usize>, found: usize, n: usize, k: usize) -> Result<(), ShapeError> {
    if n == 0 || k == 0 {
        return Err(ShapeError::Empty);
    }
    if k > MAX_INPUTS {
        return Err(ShapeError::TooWide { k });
    }
    match expected {
        Some(expected) if expected == found => Ok(()),
        expected => Err(ShapeError::Values { expected, found }),
    }
}

/// Data that does not fit the shape given with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// A dimension is zero.
    Empty,
    /// A row has more than 65,536 inputs.
    TooWide {
        /// Its number of inputs.
        k: usize,
    },
    /// Not as many values as the shape and the layout need.
    Values {
        /// How many they need; `None` when that number overflows.
        expected: Option<usize>,
        /// How many were given.
        found: usize,
    },
    /// Fewer scales than channels.
    Scales {
        /// Number of channels.
        expected: usize,
        /// How many scales were given.
        found: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::Empty => f.write_str("a matrix needs at least one channel and one input"),
            ShapeError::TooWide { k } => write!(f, "{k} inputs in a row; split it, at most {MAX_INPUTS} are exact"),
            ShapeError::Values { expected: Some(expected), found } => {
                write!(f, "{found} values where the shape needs {expected}; check shape and layout")
            }
            ShapeError::Values { expected: None, found } => {
                write!(f, "{found} values for a shape too large to address; check the shape")
            }
            ShapeError::Scales { expected, found } => {
                write!(f, "{found} scales for {expected} channels; give one for each")
            }
        }
    }
}

impl core::error::Error for ShapeError {}

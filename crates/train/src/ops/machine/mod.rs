//! What runs the kernels of `crates/train/cuda`.
//!
//! The plans of `ops::plan` say, operation by operation, which kernels run with which arguments. They are written once,
//! over [`Machine`], and run on a GPU, on the emulator of the tests, or on a machine that only counts.

mod counting;
#[cfg(test)]
pub(crate) mod emulated;

pub(crate) use counting::Counting;

use crate::ops::Mask;
use candle_core::Result;

/// Type of a buffer's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    Bf16,
    U32,
}

impl Kind {
    /// Bytes of an element.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// How names of kernels end.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::U32 => "u32",
        }
    }
}

/// An argument of a kernel.
#[derive(Debug)]
pub(crate) enum Arg<'a, B> {
    /// A buffer that is read once.
    In(&'a B),
    /// A buffer that is written once.
    Out(&'a B),
    /// A buffer that is read and written.
    Both(&'a B),
    /// A buffer from an element on, of which this many bytes are read and written together.
    Part(&'a B, usize, u64),
    /// No buffer.
    Null,
    U32(u32),
    U64(u64),
    F32(f32),
}

/// A kernel's name, grid and block.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) kernel: String,
    pub(crate) grid: [u32; 2],
    pub(crate) block: [u32; 2],
    /// Floating-point operations, about.
    pub(crate) flops: u64,
}

/// A matrix in a buffer: its first element, the distance of its rows, and whether it is taken transposed.
#[derive(Debug)]
pub(crate) struct Matrix<'a, B> {
    pub(crate) buffer: &'a B,
    pub(crate) first: usize,
    pub(crate) stride: usize,
    pub(crate) transposed: bool,
}

impl<'a, B> Matrix<'a, B> {
    /// Rows of `stride` numbers.
    pub(crate) fn new(buffer: &'a B, stride: usize) -> Self {
        Self { buffer, first: 0, stride, transposed: false }
    }

    pub(crate) fn from(self, first: usize) -> Self {
        Self { first, ..self }
    }

    pub(crate) fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }
}

/// `out [m, n] = a [m, k] b [k, n]`, or added to it; sums are `f32`. `a` and `b` have one type; `out` has it too, or `f32`.
#[derive(Debug)]
pub(crate) struct Product<'a, B> {
    pub(crate) a: Matrix<'a, B>,
    pub(crate) b: Matrix<'a, B>,
    pub(crate) out: Matrix<'a, B>,
    /// Rows of the result, its columns, and numbers of each sum.
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    /// Whether the result is added to what is there.
    pub(crate) add: bool,
    /// Type of `a` and `b`.
    pub(crate) kind: Kind,
    /// Type of `out`.
    pub(crate) out_kind: Kind,
}

/// Something that holds buffers and runs kernels on them, one after another.
pub(crate) trait Machine {
    type Buffer;

    /// A buffer of anything.
    fn uninit(&self, kind: Kind, len: usize) -> Result<Self::Buffer>;

    /// A buffer of zeros.
    fn zeros(&self, kind: Kind, len: usize) -> Result<Self::Buffer>;

    /// A buffer with these numbers.
    fn upload(&self, values: &[u32]) -> Result<Self::Buffer>;

    /// Runs a kernel.
    fn launch(&self, launch: &Launch, arguments: &[Arg<'_, Self::Buffer>]) -> Result<()>;

    /// Multiplies matrices.
    fn product(&self, product: &Product<'_, Self::Buffer>) -> Result<()>;
}

/// The five arguments that describe a mask.
pub(crate) fn mask_arguments<'a, B>(mask: Option<&Mask>) -> [Arg<'a, B>; 5] {
    match mask {
        Some(mask) => [
            Arg::U32(mask.key[0]),
            Arg::U32(mask.key[1]),
            Arg::U64(mask.offset),
            Arg::U32(mask.threshold),
            Arg::F32(mask.scale),
        ],
        None => [Arg::U32(0), Arg::U32(0), Arg::U64(0), Arg::U32(0), Arg::F32(1.0)],
    }
}

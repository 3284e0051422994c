//! What an inner loop of the int8 product works on.

use core::ops::Deref;

use super::int8::RUN;
use crate::layout::{Group, Layout, TILE};

/// Quantized rows.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// `rows` rows, `stride` apart.
    pub(super) values: &'a [i8],
    pub(super) stride: usize,
    pub(super) rows: usize,
}

/// The weights of the tiles or the inputs after these: an inner loop may ask the processor for them
/// while it multiplies, a line for each piece of each tile.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "no architecture reads everything")]
pub(crate) struct Ahead {
    /// The first line; it is no pointer to read from.
    pub(crate) line: *const u8,
    /// Bytes from tile to tile.
    pub(crate) tile: usize,
    /// Bytes for each piece.
    pub(crate) piece: usize,
}

impl Ahead {
    /// The same, once they have been asked for: stays with the first line.
    #[inline(always)]
    pub(super) fn again(self) -> Self {
        Ahead { tile: 0, piece: 0, ..self }
    }
}

/// What every block has: quantized rows, and the shape of the tiles they are multiplied with.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    rows: Rows<'a>,
    tiles: usize,
    inputs: usize,
    ahead: Ahead,
}

#[allow(dead_code, reason = "no architecture reads everything")]
impl<'a> Shape<'a> {
    /// Checks that every row has `inputs` values, so that an inner loop may rely on it.
    #[inline(always)]
    fn new(rows: Rows<'a>, tiles: usize, inputs: usize, ahead: Ahead) -> Self {
        assert!(rows.rows > 0 && rows.stride >= inputs);
        assert!(rows.values.len() >= (rows.rows - 1) * rows.stride + inputs);
        Shape { rows, tiles, inputs, ahead }
    }

    /// The first value of the first row; `rows` rows of `inputs` values, `stride` apart, are
    /// readable.
    #[inline(always)]
    pub(crate) fn values(&self) -> *const i8 {
        self.rows.values.as_ptr()
    }

    /// Bytes from one row to the next.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.rows.stride
    }

    /// Number of rows, at least one.
    #[inline(always)]
    pub(crate) fn rows(&self) -> usize {
        self.rows.rows
    }

    /// Number of tiles, from 1 to [`Int8::TILES`](super::Int8::TILES).
    #[inline(always)]
    pub(crate) fn tiles(&self) -> usize {
        self.tiles
    }

    /// Inputs of each tile, a multiple of those of a piece, or of a group of 4-bit weights.
    #[inline(always)]
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The weights to ask for meanwhile.
    #[inline(always)]
    pub(crate) fn ahead(&self) -> Ahead {
        self.ahead
    }
}

/// Quantized rows and the tiles they are multiplied with.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    shape: Shape<'a>,
    /// `tiles` tiles of `16 * inputs` bytes.
    weights: &'a [i8],
    layout: Layout,
    panel: bool,
}

#[allow(dead_code, reason = "no architecture reads everything")]
impl<'a> Block<'a> {
    /// Checks the lengths, so that an inner loop may rely on them.
    #[inline(always)]
    pub(super) fn new(
        rows: Rows<'a>,
        weights: &'a [i8],
        tiles: usize,
        layout: Layout,
        panel: bool,
        ahead: Ahead,
    ) -> Self {
        let inputs = weights.len() / (tiles * TILE);
        assert!(tiles > 0 && weights.len() == tiles * inputs * TILE && inputs.is_multiple_of(layout.inputs()));
        Block { shape: Shape::new(rows, tiles, inputs, ahead), weights, layout, panel }
    }

    /// The first weight; `tiles * inputs * 16` bytes are readable.
    #[inline(always)]
    pub(crate) fn weights(&self) -> *const i8 {
        self.weights.as_ptr()
    }

    /// Whether the weights are a panel, in the form that [`Int8::copy`](super::Int8::copy) gives
    /// them.
    #[inline(always)]
    pub(crate) fn panel(&self) -> bool {
        self.panel
    }

    /// The layout of the tiles, one that the inner loop reads.
    #[inline(always)]
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }
}

impl<'a> Deref for Block<'a> {
    type Target = Shape<'a>;

    #[inline(always)]
    fn deref(&self) -> &Shape<'a> {
        &self.shape
    }
}

/// Quantized rows and tiles of 4-bit weights.
#[derive(Clone, Copy)]
pub(crate) struct NibbleBlock<'a> {
    shape: Shape<'a>,
    /// `tiles` tiles of `8 * inputs` bytes.
    nibbles: &'a [u8],
    /// `tiles` times `inputs / group` lines of 16.
    groups: &'a [u8],
    group: Group,
    starts: &'a [i32],
}

#[allow(dead_code, reason = "no architecture reads everything")]
impl<'a> NibbleBlock<'a> {
    /// Checks the lengths, so that an inner loop may rely on them.
    #[inline(always)]
    pub(super) fn new(
        rows: Rows<'a>,
        nibbles: &'a [u8],
        groups: &'a [u8],
        group: Group,
        tiles: usize,
        starts: &'a [i32],
        ahead: Ahead,
    ) -> Self {
        let inputs = nibbles.len() * 2 / (tiles * TILE);
        assert!(tiles > 0 && nibbles.len() == tiles * inputs * TILE / 2 && inputs.is_multiple_of(group.inputs()));
        assert!(groups.len() == tiles * inputs / group.inputs() * TILE);
        assert!(starts.len() >= rows.rows * (inputs / RUN));
        NibbleBlock { shape: Shape::new(rows, tiles, inputs, ahead), nibbles, groups, group, starts }
    }

    /// The first nibbles; `tiles * inputs * 8` bytes are readable.
    #[inline(always)]
    pub(crate) fn nibbles(&self) -> *const u8 {
        self.nibbles.as_ptr()
    }

    /// The first group scales; `tiles * inputs / group * 16` bytes are readable.
    #[inline(always)]
    pub(crate) fn groups(&self) -> *const u8 {
        self.groups.as_ptr()
    }

    /// What the sums of the first run of inputs begin with, in the first row; `rows` times
    /// `inputs / 32` are readable.
    #[inline(always)]
    pub(crate) fn starts(&self) -> *const i32 {
        self.starts.as_ptr()
    }

    /// Inputs that share a scale.
    #[inline(always)]
    pub(crate) fn group(&self) -> Group {
        self.group
    }
}

impl<'a> Deref for NibbleBlock<'a> {
    type Target = Shape<'a>;

    #[inline(always)]
    fn deref(&self) -> &Shape<'a> {
        &self.shape
    }
}

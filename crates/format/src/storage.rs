//! How a tensor may be stored, how many bytes that takes, and which values are allowed.

use crate::enums::{Dtype, Layout};
use crate::error::TensorError;
use crate::tensors::{Role, RoleKind};

/// Output channels of a tile.
const TILE: usize = 16;
/// Inputs that lie side by side in an int8 tile.
const QUAD: usize = 4;

/// Bytes of a tensor's elements, padding included; `None` if the type does not come in the layout or the size has no u64.
///
/// `Tile16` pads rows to 16 and, for int8, columns to 4; f16 and vectors are row-major.
pub fn data_len(dtype: Dtype, layout: Layout, rows: usize, cols: usize) -> Option<u64> {
    let (rows, cols) = (u64::try_from(rows).ok()?, u64::try_from(cols).ok()?);
    let elements = match (layout, dtype) {
        (Layout::RowMajor, _) => rows.checked_mul(cols)?,
        (Layout::Tile16, Dtype::Int8) => {
            rows.checked_next_multiple_of(TILE as u64)?.checked_mul(cols.checked_next_multiple_of(QUAD as u64)?)?
        }
        (Layout::Tile16, Dtype::F32) => rows.checked_next_multiple_of(TILE as u64)?.checked_mul(cols)?,
        (Layout::Tile16, Dtype::F16) => return None,
    };
    elements.checked_mul(dtype.size() as u64)
}

/// Bytes of a tensor's bfloat16 scales: one a row for int8, padded to 16 rows with 1 in `Tile16`; none for other types.
pub fn scales_len(dtype: Dtype, layout: Layout, rows: usize) -> Option<u64> {
    let rows = u64::try_from(rows).ok()?;
    match (dtype, layout) {
        (Dtype::Int8, Layout::RowMajor) => rows.checked_mul(2),
        (Dtype::Int8, Layout::Tile16) => rows.checked_next_multiple_of(TILE as u64)?.checked_mul(2),
        (Dtype::F32 | Dtype::F16, _) => Some(0),
    }
}

/// Whether a tensor of this role may be stored this way.
pub(crate) const fn is_allowed(role: Role, dtype: Dtype, layout: Layout) -> bool {
    matches!(
        (role.kind(), layout, dtype),
        (RoleKind::Table, Layout::RowMajor, Dtype::F32 | Dtype::Int8)
            | (RoleKind::Matrix, Layout::Tile16, Dtype::F32 | Dtype::Int8)
            | (RoleKind::Bias, Layout::RowMajor, Dtype::F32 | Dtype::F16)
            | (RoleKind::Norm, Layout::RowMajor, Dtype::F32)
    )
}

/// A tensor's storage, to be checked: by the reader before it trusts a file, by the writer before it makes one.
pub(crate) struct Storage<'a> {
    pub(crate) role: Role,
    pub(crate) dtype: Dtype,
    pub(crate) layout: Layout,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) data: &'a [u8],
    pub(crate) scales: &'a [u8],
}

impl Storage<'_> {
    /// Checks role, lengths and every value.
    pub(crate) fn check(&self) -> Result<(), TensorError> {
        let (dtype, layout) = (self.dtype, self.layout);
        let refused = TensorError::Storage { dtype, layout };
        if !is_allowed(self.role, dtype, layout) {
            return Err(refused);
        }
        let expected = data_len(dtype, layout, self.rows, self.cols).ok_or(refused)?;
        if self.data.len() as u64 != expected {
            return Err(TensorError::DataLength { expected, found: self.data.len() as u64 });
        }
        let expected = scales_len(dtype, layout, self.rows).ok_or(refused)?;
        if self.scales.len() as u64 != expected {
            return Err(TensorError::ScalesLength { expected, found: self.scales.len() as u64 });
        }
        self.check_scales()?;
        let place = |bad: Option<usize>, error: fn(usize) -> TensorError| bad.map_or(Ok(()), |at| Err(error(at)));
        match dtype {
            Dtype::Int8 => place(find(self.data.as_chunks().0, |&[byte]: &[u8; 1]| byte == 0x80), |at| {
                TensorError::Element { at }
            })?,
            Dtype::F16 => {
                place(find(self.data.as_chunks().0, |&value| u16::from_le_bytes(value) & 0x7C00 == 0x7C00), |at| {
                    TensorError::NotFinite { at }
                })?
            }
            Dtype::F32 => place(
                find(self.data.as_chunks().0, |&value| u32::from_le_bytes(value) & 0x7F80_0000 == 0x7F80_0000),
                |at| TensorError::NotFinite { at },
            )?,
        }
        if layout == Layout::Tile16 && !self.is_padding_zero() {
            return Err(TensorError::TilePadding);
        }
        Ok(())
    }

    fn check_scales(&self) -> Result<(), TensorError> {
        const LEAST: f32 = 1.0 / MOST;
        const MOST: f32 = (1_u64 << 60) as f32;
        for (row, &scale) in self.scales.as_chunks::<2>().0.iter().enumerate() {
            // A bfloat16 is the upper half of an f32. The range rules out NaN, infinities, zero and negative numbers.
            let scale = f32::from_bits(u32::from(u16::from_le_bytes(scale)) << 16);
            let valid = if row < self.rows { (LEAST..=MOST).contains(&scale) } else { scale == 1.0 };
            if !valid {
                return Err(TensorError::Scale { row });
            }
        }
        Ok(())
    }

    /// Whether the elements of `Tile16` that stand for no row or no column are zero.
    fn is_padding_zero(&self) -> bool {
        let zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
        // Elements that lie side by side for one channel: 4 inputs of int8, 1 of f32. Both are 4 bytes, so a step of 16 channels is 64 bytes.
        let (steps, used) = match self.dtype {
            Dtype::Int8 => (self.cols.div_ceil(QUAD), self.cols % QUAD),
            _ => (self.cols, 0),
        };
        let (steps_of_all, _) = self.data.as_chunks::<{ TILE * QUAD }>();
        let channels = self.rows % TILE;
        let last_tile = (self.rows / TILE) * steps;
        let rows_clean = channels == 0
            || steps_of_all.iter().skip(last_tile).all(|step| zero(step.get(channels * QUAD..).unwrap_or_default()));
        let cols_clean =
            used == 0
                || steps == 0
                || steps_of_all.iter().skip(steps - 1).step_by(steps).all(|step| {
                    step.as_chunks::<QUAD>().0.iter().all(|quad| zero(quad.get(used..).unwrap_or_default()))
                });
        rows_clean && cols_clean
    }
}

/// Place of the first bad element. Blocks of a fixed size are judged without a branch per element, so that the scan runs at the speed of memory.
fn find<const N: usize>(elements: &[[u8; N]], is_bad: impl Fn(&[u8; N]) -> bool) -> Option<usize> {
    const BLOCK: usize = 256;
    let (blocks, rest) = elements.as_chunks::<BLOCK>();
    let is_block_bad =
        |block: &[[u8; N]; BLOCK]| block.iter().fold(0_u8, |bad, value| bad | u8::from(is_bad(value))) != 0;
    match blocks.iter().position(is_block_bad) {
        Some(block) => elements.iter().skip(block * BLOCK).position(is_bad).map(|at| block * BLOCK + at),
        None => rest.iter().position(is_bad).map(|at| blocks.len() * BLOCK + at),
    }
}

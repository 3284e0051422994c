//! How a tensor may be stored, how many bytes that takes, and which values are allowed.

use core::ops::Range;

use crate::enums::{Dtype, Layout};
use crate::error::TensorError;
use crate::padding::Padding;
use crate::tensors::{Role, RoleKind};

/// Tiled layouts round their rows up to this, whatever the tile.
pub(crate) const ROWS: usize = 16;
/// Bytes that are checked at a time, so that who reads them for another purpose too finds them in the cache. A multiple of every element's size.
pub(crate) const BLOCK: usize = 8192;

/// Bytes of a tensor's data, padding included; `None` if the type does not come in the layout or the size has no u64.
///
/// Tiled layouts pad rows to 16 and int8 columns to the tile's inputs. int4 and int3 pad columns to the group in every layout; their data are the elements and then the groups' factors, a byte each.
/// Float matrices are tiled in [`Layout::Tile16`] only; f16 and vectors are row-major.
pub fn data_len(dtype: Dtype, layout: Layout, rows: usize, cols: usize) -> Option<u64> {
    let padded = padded_rows(layout, rows)?;
    let inputs = u64::try_from(cols).ok()?;
    match (dtype, layout.tile()) {
        (Dtype::F32, None) => padded.checked_mul(inputs)?.checked_mul(4),
        (Dtype::F32, _) if layout == Layout::Tile16 => padded.checked_mul(inputs)?.checked_mul(4),
        (Dtype::F16, None) => padded.checked_mul(inputs)?.checked_mul(2),
        (Dtype::F32 | Dtype::F16, _) => None,
        (Dtype::Int8, None) => padded.checked_mul(inputs),
        (Dtype::Int8, Some((_, quad))) => padded.checked_mul(inputs.checked_next_multiple_of(quad as u64)?),
        (Dtype::Int4G32 | Dtype::Int4G64 | Dtype::Int3G32, _) => {
            elements_len(dtype, layout, rows, cols)?.checked_add(groups_len(dtype, layout, rows, cols)?)
        }
    }
}

/// Bytes of an int4 or int3 tensor's elements, which its data begin with: a multiple of 16 or 12; 0 for other types.
pub fn elements_len(dtype: Dtype, layout: Layout, rows: usize, cols: usize) -> Option<u64> {
    let Some(group) = dtype.group() else { return Some(0) };
    let inputs = u64::try_from(cols).ok()?.checked_next_multiple_of(group as u64)?;
    padded_rows(layout, rows)?.checked_mul(inputs / 8 * dtype.bits() as u64)
}

/// Bytes of an int4 or int3 tensor's factors, one for each row and group, which follow the elements; 0 for other types.
pub fn groups_len(dtype: Dtype, layout: Layout, rows: usize, cols: usize) -> Option<u64> {
    let Some(group) = dtype.group() else { return Some(0) };
    padded_rows(layout, rows)?.checked_mul(u64::try_from(cols.div_ceil(group)).ok()?)
}

/// Bytes of a tensor's bfloat16 scales: one a row for integers, padded to 16 rows with 1 where it is tiled; none for other types.
pub fn scales_len(dtype: Dtype, layout: Layout, rows: usize) -> Option<u64> {
    if dtype.has_scales() { padded_rows(layout, rows)?.checked_mul(2) } else { Some(0) }
}

fn padded_rows(layout: Layout, rows: usize) -> Option<u64> {
    let rows = u64::try_from(rows).ok()?;
    if layout.tile().is_some() { rows.checked_next_multiple_of(ROWS as u64) } else { Some(rows) }
}

/// Whether a tensor of this role may be stored this way.
pub(crate) const fn is_allowed(role: Role, dtype: Dtype, layout: Layout) -> bool {
    use Dtype::{F16, F32, Int3G32, Int4G32, Int4G64, Int8};
    matches!(
        (role.kind(), layout, dtype),
        (RoleKind::Table, Layout::RowMajor, F32 | Int8 | Int4G32 | Int4G64 | Int3G32)
            | (RoleKind::Matrix, Layout::Tile16, F32)
            | (RoleKind::Matrix, Layout::Tile16 | Layout::Tile8 | Layout::Tile4, Int8 | Int4G32 | Int4G64 | Int3G32)
            | (RoleKind::Bias, Layout::RowMajor, F32 | F16)
            | (RoleKind::Norm, Layout::RowMajor, F32)
    )
}

/// A tensor's storage, to be checked: by the reader before it trusts a file, by the writer before it makes one.
pub(crate) struct Storage<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) layout: Layout,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) data: &'a [u8],
    pub(crate) scales: &'a [u8],
}

impl Storage<'_> {
    /// Checks that a tensor of this role may be stored this way, the lengths, and every value.
    #[cfg(feature = "alloc")]
    pub(crate) fn check(&self, role: Role) -> Result<(), TensorError> {
        let (dtype, layout) = (self.dtype, self.layout);
        let refused = TensorError::Storage { dtype, layout };
        if !is_allowed(role, dtype, layout) {
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
        self.check_values()
    }

    /// Checks every value of a tensor whose role and lengths are right.
    #[cfg(feature = "alloc")]
    fn check_values(&self) -> Result<(), TensorError> {
        let bad = self.bad_element(0, self.data);
        let bad = bad.or_else(|| self.bad_scale(0..self.rows_of_scales()));
        let bad = bad.or_else(|| self.bad_group(0..self.factors().len()));
        match bad.or_else(|| self.bad_padding()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The first byte or nibble of the layout's padding that is not zero.
    pub(crate) fn bad_padding(&self) -> Option<TensorError> {
        Padding::of(self).filter(|padding| !padding.is_zero()).map(|_| TensorError::TilePadding)
    }

    /// The first element with a value that its type does not allow, in a part of the data that starts at byte `start`.
    pub(crate) fn bad_element(&self, start: usize, block: &[u8]) -> Option<TensorError> {
        match self.dtype {
            Dtype::Int8 => find_least(block).map(|at| TensorError::Element { at: start + at }),
            Dtype::F16 => find(block.as_chunks().0, |&value| u16::from_le_bytes(value) & 0x7C00 == 0x7C00)
                .map(|at| TensorError::NotFinite { at: start / 2 + at }),
            Dtype::F32 => find(block.as_chunks().0, |&value| u32::from_le_bytes(value) & 0x7F80_0000 == 0x7F80_0000)
                .map(|at| TensorError::NotFinite { at: start / 4 + at }),
            // Every pattern of bits is a value.
            Dtype::Int4G32 | Dtype::Int4G64 | Dtype::Int3G32 => None,
        }
    }

    /// How many scales are stored, those of padding rows included.
    pub(crate) fn rows_of_scales(&self) -> usize {
        self.scales.len() / 2
    }

    /// The first of these rows whose scale is not allowed.
    pub(crate) fn bad_scale(&self, rows: Range<usize>) -> Option<TensorError> {
        const LEAST: f32 = 1.0 / MOST;
        const MOST: f32 = (1_u64 << 60) as f32;
        let scales = self.scales.as_chunks::<2>().0.get(rows.clone()).unwrap_or_default();
        let bad = |(row, &scale): (usize, &[u8; 2])| {
            // A bfloat16 is the upper half of an f32. The range rules out NaN, infinities, zero and negative numbers.
            let scale = f32::from_bits(u32::from(u16::from_le_bytes(scale)) << 16);
            let valid = if row < self.rows { (LEAST..=MOST).contains(&scale) } else { scale == 1.0 };
            (!valid).then_some(TensorError::Scale { row })
        };
        rows.zip(scales).find_map(bad)
    }

    /// The factors of an int4 or int3 tensor; nothing for other types.
    pub(crate) fn factors(&self) -> &[u8] {
        let Storage { dtype, layout, rows, cols, .. } = *self;
        let elements = elements_len(dtype, layout, rows, cols).and_then(|len| usize::try_from(len).ok());
        let factors = elements.and_then(|len| self.data.get(len..)).filter(|_| dtype.group().is_some());
        factors.unwrap_or_default()
    }

    /// The first of these factors that is not allowed: they are 1 to 15; those of rows that are padding are 1.
    pub(crate) fn bad_group(&self, places: Range<usize>) -> Option<TensorError> {
        let Storage { dtype, layout, rows, cols, .. } = *self;
        let factors = self.factors();
        // Row-major has all of them; tiles have 16 rows side by side, the last ones perhaps padding.
        let whole = if layout.tile().is_some() { rows / ROWS * ROWS } else { rows };
        let split = whole.saturating_mul(cols.div_ceil(dtype.group().unwrap_or(1))).min(factors.len());
        let (start, end) = (places.start.min(factors.len()), places.end.min(factors.len()));
        let real = factors.get(start..end.min(split)).unwrap_or_default();
        let bad = find(real.as_chunks().0, |&[factor]: &[u8; 1]| factor.wrapping_sub(1) > 14).map(|at| start + at);
        let bad_last = || {
            (start.max(split)..end).find(|&at| {
                let row = whole + (at - split) % ROWS;
                let factor = factors.get(at).copied().unwrap_or(0);
                if row < rows { !(1..=15).contains(&factor) } else { factor != 1 }
            })
        };
        bad.or_else(bad_last).map(|at| TensorError::Group { at })
    }
}

/// Place of the first -128. Bytes are judged four at a time: a processor without vectors takes five instructions for them.
fn find_least(bytes: &[u8]) -> Option<usize> {
    const LEAST: u32 = 0x8080_8080;
    const ONES: u32 = 0x0101_0101;
    /// Words between two looks at the result.
    const BLOCK: usize = 64;
    let (words, _) = bytes.as_chunks::<4>();
    let (blocks, _) = words.as_chunks::<BLOCK>();
    // A byte is -128 where it is zero in `word ^ LEAST`. Subtracting one from each byte sets the upper bit of a byte that
    // had it clear only if the byte was zero, or was one and the zero byte before it borrowed: never without a zero.
    let has_least = |block: &[[u8; 4]; BLOCK]| {
        let signs = block.iter().fold(0, |signs, &word| {
            let word = u32::from_le_bytes(word) ^ LEAST;
            signs | (word.wrapping_sub(ONES) & !word)
        });
        signs & LEAST != 0
    };
    let clean = 4 * BLOCK * blocks.iter().position(has_least).unwrap_or(blocks.len());
    bytes.iter().skip(clean).position(|&byte| byte == 0x80).map(|at| clean + at)
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

#[cfg(test)]
mod tests {
    use super::find_least;

    #[test]
    fn the_first_least_value_is_found_wherever_it_is() {
        // More than two blocks and a rest that is no whole word; all other values occur, beside it too.
        let mut bytes: [u8; 603] = core::array::from_fn(|i| (i * 7 % 255) as u8);
        bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_add(u8::from(*byte >= 0x80)));
        assert_eq!(find_least(&bytes), None);
        for at in 0..bytes.len() {
            let kept = core::mem::replace(&mut bytes[at], 0x80);
            assert_eq!(find_least(&bytes), Some(at));
            assert_eq!(find_least(&bytes[at..]), Some(0));
            assert_eq!(find_least(&bytes[..at]), None);
            bytes[at] = kept;
        }
    }

    #[test]
    fn no_word_of_other_values_is_taken_for_it() {
        for pair in 0..=u16::MAX {
            let pair = pair.to_le_bytes();
            let mut bytes = [0x81; 256];
            bytes[3..5].copy_from_slice(&pair);
            bytes[9..11].copy_from_slice(&pair);
            let expected = pair.iter().position(|&byte| byte == 0x80).map(|at| at + 3);
            assert_eq!(find_least(&bytes), expected, "{pair:?}");
        }
    }
}

//! 4-bit weights.

use crate::layout::{Layout, group_offset, offset_int4};
use crate::operations::NibbleRow;

/// The weight of one nibble of a byte: 8 bits of its product with the scale of its group.
#[inline(always)]
pub(super) fn weight(byte: u8, high: bool, scale: u8) -> i8 {
    let nibble = (if high { byte >> 4 } else { byte & 15 }) as i8;
    (if nibble < 8 { nibble } else { nibble - 16 }).wrapping_mul(scale as i8)
}

pub(super) fn add_dequantized(row: &NibbleRow<'_>, out: &mut [f32]) {
    let k = out.len();
    for (input, out) in out.iter_mut().enumerate() {
        let (at, high) = offset_int4(0, input, k, row.group, Layout::RowMajor);
        let group = row.groups[group_offset(0, input, k, row.group, Layout::RowMajor)];
        *out += f32::from(weight(row.nibbles[at], high, group)) * row.scale;
    }
}

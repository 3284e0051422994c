//! 4-bit weights.

use crate::layout::{Layout, group_offset, offset_int4};
use crate::operations::NibbleRow;

/// One nibble of a byte, sign-extended.
#[inline(always)]
pub(super) fn weight(byte: u8, high: bool) -> i32 {
    let nibble = i32::from(if high { byte >> 4 } else { byte & 15 });
    if nibble < 8 { nibble } else { nibble - 16 }
}

pub(super) fn add_dequantized(row: &NibbleRow<'_>, out: &mut [f32]) {
    let k = out.len();
    for (input, out) in out.iter_mut().enumerate() {
        let (at, high) = offset_int4(0, input, k, row.group, Layout::RowMajor);
        let weight = weight(row.nibbles[at], high);
        let group = i32::from(row.groups[group_offset(0, input, k, row.group, Layout::RowMajor)]);
        *out += (weight * group) as f32 * row.scale;
    }
}

//! 4-bit and 3-bit weights.

use crate::layout::int4::weight as layout_weight;
use crate::layout::{Group, Layout, Width, group_offset};
use crate::operations::GroupedRow;

/// The weight of one nibble of a byte: 8 bits of its product with the scale of its group.
#[inline(always)]
pub(super) fn weight(byte: u8, high: bool, scale: u8) -> i8 {
    let nibble = (if high { byte >> 4 } else { byte & 15 }) as i8;
    (if nibble < 8 { nibble } else { nibble - 16 }).wrapping_mul(scale as i8)
}

/// The weights of a channel, one after the other.
pub(super) fn weights<'a>(
    (packed, width): (&'a [u8], Width),
    (groups, group): (&'a [u8], Group),
    channel: usize,
    k: usize,
    layout: Layout,
) -> impl Iterator<Item = i8> + 'a {
    (0..k).map(move |input| {
        let scale = groups[group_offset(channel, input, k, group, layout)];
        layout_weight(packed, channel, input, k, group, layout, width).wrapping_mul(scale as i8)
    })
}

pub(super) fn add_dequantized(row: &GroupedRow<'_>, out: &mut [f32]) {
    let weights = weights((row.packed, row.width), (row.groups, row.group), 0, out.len(), Layout::RowMajor);
    for (out, weight) in out.iter_mut().zip(weights) {
        *out += f32::from(weight) * row.scale;
    }
}

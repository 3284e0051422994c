//! 4-bit weights: nibbles, and the scales of their groups.

use super::{Layout, PIECE, TILE, check, each, offset_int8};
use crate::matrix::ShapeError;

/// Inputs of a channel that share a group scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// 32 inputs.
    Of32,
    /// 64 inputs.
    Of64,
}

impl Group {
    /// Both.
    pub const ALL: [Group; 2] = [Group::Of32, Group::Of64];

    /// Number of inputs.
    #[inline(always)]
    pub const fn inputs(self) -> usize {
        match self {
            Group::Of32 => 32,
            Group::Of64 => 64,
        }
    }
}

/// Bytes of nibbles of a packed 4-bit matrix; `None` when it overflows.
pub const fn packed_len_int4(n: usize, k: usize, group: Group, layout: Layout) -> Option<usize> {
    match (padded_channels(n, layout), k.checked_next_multiple_of(group.inputs())) {
        (Some(n), Some(k)) => n.checked_mul(k / 2),
        _ => None,
    }
}

/// Number of group scales of a packed 4-bit matrix; `None` when it overflows.
pub const fn group_count(n: usize, k: usize, group: Group, layout: Layout) -> Option<usize> {
    match padded_channels(n, layout) {
        Some(n) => n.checked_mul(k.div_ceil(group.inputs())),
        None => None,
    }
}

const fn padded_channels(n: usize, layout: Layout) -> Option<usize> {
    match layout {
        Layout::RowMajor => Some(n),
        _ => n.checked_next_multiple_of(TILE),
    }
}

/// Where the nibble of `channel` and `input` lies: its byte, and whether it is the high one.
#[inline(always)]
pub const fn offset_int4(channel: usize, input: usize, k: usize, group: Group, layout: Layout) -> (usize, bool) {
    let k = k.next_multiple_of(group.inputs());
    let (offset, piece) = match layout {
        Layout::RowMajor => (channel * k + input, PIECE / 4),
        _ => (offset_int8(channel, input, k, layout), PIECE),
    };
    (offset / (2 * piece) * piece + offset % piece, offset / piece % 2 == 1)
}

/// Where the scale of the group of `input` lies for `channel`.
#[inline(always)]
pub const fn group_offset(channel: usize, input: usize, k: usize, group: Group, layout: Layout) -> usize {
    let (groups, at) = (k.div_ceil(group.inputs()), input / group.inputs());
    match layout {
        Layout::RowMajor => channel * groups + at,
        _ => (channel / TILE * groups + at) * TILE + channel % TILE,
    }
}

/// Packs the `q` of a row-major `[n][k]` matrix, each in [-8, 7].
///
/// # Errors
///
/// When `q` is not `n*k` long or `out` is not [`packed_len_int4`] long.
pub fn pack_int4(q: &[i8], n: usize, k: usize, group: Group, layout: Layout, out: &mut [u8]) -> Result<(), ShapeError> {
    check(n.checked_mul(k), q.len())?;
    check(packed_len_int4(n, k, group, layout), out.len())?;
    out.fill(0);
    each(n, k, |channel, input| {
        let (at, high) = offset_int4(channel, input, k, group, layout);
        let nibble = q[channel * k + input] as u8 & 15;
        out[at] |= if high { nibble << 4 } else { nibble };
    });
    Ok(())
}

/// Packs the group scales of a row-major `[n][k / group, rounded up]` table, each in [1, 15]. Those
/// of padding channels become 1.
///
/// # Errors
///
/// When a slice has another length than the shape needs.
pub fn pack_groups(
    s: &[u8],
    n: usize,
    k: usize,
    group: Group,
    layout: Layout,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    let groups = k.div_ceil(group.inputs());
    check(n.checked_mul(groups), s.len())?;
    check(group_count(n, k, group, layout), out.len())?;
    out.fill(1);
    each(n, groups, |channel, at| {
        out[group_offset(channel, at * group.inputs(), k, group, layout)] = s[channel * groups + at];
    });
    Ok(())
}

/// Unpacks the `q` to row-major `[n][k]`.
///
/// # Errors
///
/// When a slice has another length than the shape needs.
pub fn unpack_int4(
    nibbles: &[u8],
    n: usize,
    k: usize,
    group: Group,
    layout: Layout,
    out: &mut [i8],
) -> Result<(), ShapeError> {
    check(packed_len_int4(n, k, group, layout), nibbles.len())?;
    check(n.checked_mul(k), out.len())?;
    each(n, k, |channel, input| {
        let (at, high) = offset_int4(channel, input, k, group, layout);
        out[channel * k + input] = if high { high_nibble(nibbles[at]) } else { low_nibble(nibbles[at]) };
    });
    Ok(())
}

/// Unpacks the group scales to row-major `[n][k / group, rounded up]`.
///
/// # Errors
///
/// When a slice has another length than the shape needs.
pub fn unpack_groups(
    packed: &[u8],
    n: usize,
    k: usize,
    group: Group,
    layout: Layout,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    let groups = k.div_ceil(group.inputs());
    check(group_count(n, k, group, layout), packed.len())?;
    check(n.checked_mul(groups), out.len())?;
    each(n, groups, |channel, at| {
        out[channel * groups + at] = packed[group_offset(channel, at * group.inputs(), k, group, layout)];
    });
    Ok(())
}

/// The low nibble, sign-extended.
#[inline(always)]
pub(crate) const fn low_nibble(byte: u8) -> i8 {
    (byte << 4) as i8 >> 4
}

/// The high nibble, sign-extended.
#[inline(always)]
pub(crate) const fn high_nibble(byte: u8) -> i8 {
    byte as i8 >> 4
}

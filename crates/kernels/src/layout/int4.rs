//! 4-bit weights: nibbles, and the scales of their groups; and what 3-bit weights share with them.

use super::{Layout, PIECE, TILE, check, each, int3, offset_int8};
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

/// Bits of a weight that has a group scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Three,
    Four,
}

impl Width {
    /// Bytes of some weights, a multiple of 32.
    #[inline(always)]
    pub(crate) const fn bytes(self, weights: usize) -> usize {
        match self {
            Width::Three => weights / 8 * 3,
            Width::Four => weights / 2,
        }
    }
}

/// Bytes of nibbles of a packed 4-bit matrix; `None` when it overflows.
pub const fn packed_len_int4(n: usize, k: usize, group: Group, layout: Layout) -> Option<usize> {
    grouped_len(n, k, group, layout, Width::Four)
}

/// Bytes of the weights of a packed matrix; `None` when it overflows.
pub(crate) const fn grouped_len(n: usize, k: usize, group: Group, layout: Layout, width: Width) -> Option<usize> {
    match (padded_channels(n, layout), k.checked_next_multiple_of(group.inputs())) {
        (Some(n), Some(k)) => n.checked_mul(width.bytes(k)),
        _ => None,
    }
}

/// Number of group scales of a packed 4-bit or 3-bit matrix; `None` when it overflows.
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
        Layout::RowMajor => (channel * k + input, piece(layout)),
        _ => (offset_int8(channel, input, k, layout), piece(layout)),
    };
    (offset / (2 * piece) * piece + offset % piece, offset / piece % 2 == 1)
}

/// Bytes of a piece of a 4-bit matrix.
const fn piece(layout: Layout) -> usize {
    match layout {
        Layout::RowMajor => PIECE / 4,
        _ => PIECE,
    }
}

/// The `q` of `channel` and `input`.
#[inline(always)]
pub(crate) const fn weight(
    packed: &[u8],
    channel: usize,
    input: usize,
    k: usize,
    group: Group,
    layout: Layout,
    width: Width,
) -> i8 {
    let (at, high) = offset_int4(channel, input, k, group, layout);
    let byte = match width {
        Width::Four => packed[at],
        Width::Three => {
            let quarter = piece(layout) / 4;
            match int3::place(at, piece(layout)) {
                (at, true) => packed[at] | 0x11,
                (at, false) => int3::last_quarter(packed[at], packed[at + quarter], packed[at + 2 * quarter]),
            }
        }
    };
    if high { high_nibble(byte) } else { low_nibble(byte) }
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

/// The bytes of nibbles that hold the `q` of `channel` and of four inputs, the first a multiple of
/// four, and whether they are the high ones.
#[inline(always)]
#[cfg_attr(not(any(m_profile = "7e", m_profile = "8")), allow(dead_code, reason = "vectors take whole pieces"))]
pub(crate) fn four(
    packed: &[u8],
    channel: usize,
    input: usize,
    k: usize,
    group: Group,
    layout: Layout,
    width: Width,
) -> ([u8; 4], bool) {
    let (at, high) = offset_int4(channel, input, k, group, layout);
    let take = |at: usize| -> [u8; 4] { core::array::from_fn(|i| packed[at + i]) };
    let bytes = match width {
        Width::Four => take(at),
        Width::Three => match int3::place(at, piece(layout)) {
            (at, true) => take(at).map(|byte| byte | 0x11),
            (at, false) => {
                let [a, b, c] = [0, 1, 2].map(|i| take(at + i * piece(layout) / 4));
                core::array::from_fn(|i| int3::last_quarter(a[i], b[i], c[i]))
            }
        },
    };
    (bytes, high)
}

/// Packs the `q` of a row-major `[n][k]` matrix, each in [-8, 7].
///
/// # Errors
///
/// When `q` is not `n*k` long or `out` is not [`packed_len_int4`] long.
pub fn pack_int4(q: &[i8], n: usize, k: usize, group: Group, layout: Layout, out: &mut [u8]) -> Result<(), ShapeError> {
    pack_grouped(q, n, k, group, layout, Width::Four, out)
}

/// Packs the `q` of a row-major `[n][k]` matrix.
pub(super) fn pack_grouped(
    q: &[i8],
    n: usize,
    k: usize,
    group: Group,
    layout: Layout,
    width: Width,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    check(n.checked_mul(k), q.len())?;
    check(grouped_len(n, k, group, layout, width), out.len())?;
    out.fill(0);
    each(n, k, |channel, input| {
        let (at, high) = offset_int4(channel, input, k, group, layout);
        let nibble = q[channel * k + input] as u8 & 15;
        let byte = if high { nibble << 4 } else { nibble };
        match width {
            Width::Four => out[at] |= byte,
            Width::Three => match int3::place(at, piece(layout)) {
                // Without the lowest bit of the nibble, which is always set.
                (at, true) => out[at] |= byte & 0xee,
                (at, false) => {
                    for (i, bit) in int3::spread(byte).into_iter().enumerate() {
                        out[at + i * piece(layout) / 4] |= bit;
                    }
                }
            },
        }
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
    unpack_grouped(nibbles, n, k, group, layout, Width::Four, out)
}

/// Unpacks the `q` to row-major `[n][k]`.
pub(super) fn unpack_grouped(
    packed: &[u8],
    n: usize,
    k: usize,
    group: Group,
    layout: Layout,
    width: Width,
    out: &mut [i8],
) -> Result<(), ShapeError> {
    check(grouped_len(n, k, group, layout, width), packed.len())?;
    check(n.checked_mul(k), out.len())?;
    each(n, k, |channel, input| {
        out[channel * k + input] = weight(packed, channel, input, k, group, layout, width);
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

//! The bytes, nibbles and bits of a layout that stand for no row or no column: they are zero.

use crate::enums::Dtype;
use crate::storage::{Storage, elements_len};

/// Bytes of a piece of a tile.
const PIECE: usize = 64;

/// A matrix as pieces, each with some inputs of the channels of one tile. An int4 piece is two int8 pieces, one in the low and one in the high nibbles; an int3 piece is one of
/// int4 in three quarters of its bytes. Row-major int4 and int3 are the same with tiles of one channel.
pub(crate) struct Padding<'a> {
    data: &'a [u8],
    rows: usize,
    cols: usize,
    /// Channels of a tile.
    channels: usize,
    /// Bytes of a channel in a piece.
    width: usize,
    /// Pieces of a tile.
    pieces: usize,
    /// Whether a byte is one input or two.
    nibbles: bool,
    /// Whether pieces are stored in three quarters of their bytes.
    three_bits: bool,
}

impl<'a> Padding<'a> {
    /// The pieces of a tensor; `None` if its layout has no padding.
    pub(crate) fn of(storage: &Storage<'a>) -> Option<Self> {
        let Storage { dtype, layout, rows, cols, data, .. } = *storage;
        let (channels, width, pieces) = match (dtype, layout.tile()) {
            (Dtype::F16, _) | (Dtype::F32 | Dtype::Int8, None) => return None,
            // One input of 16 channels is 64 bytes; inputs are not padded.
            (Dtype::F32, Some((channels, _))) => (channels, PIECE / channels, cols),
            (Dtype::Int8, Some((channels, inputs))) => (channels, inputs, cols.div_ceil(inputs)),
            (Dtype::Int4G32 | Dtype::Int4G64 | Dtype::Int3G32, tile) => {
                let (channels, inputs) = tile.unwrap_or((1, 16));
                (channels, inputs, cols.next_multiple_of(dtype.group()?) / (2 * inputs))
            }
        };
        let nibbles = dtype.group().is_some();
        let data =
            if nibbles { data.get(..usize::try_from(elements_len(dtype, layout, rows, cols)?).ok()?)? } else { data };
        // An f32 is 4 bytes of one input: counted in bytes, none of them is padding.
        let cols = if dtype == Dtype::F32 { pieces * width } else { cols };
        Some(Self { data, rows, cols, channels, width, pieces, nibbles, three_bits: dtype.bits() == 3 })
    }

    /// Whether all padding is zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.are_channels_zero() && self.are_inputs_zero()
    }

    /// Pieces of the whole tensor, as they are stored.
    fn all(&self) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.channels * self.width;
        self.data.chunks(if self.three_bits { bytes / 4 * 3 } else { bytes }.max(1))
    }

    /// A piece as one of int8 or int4. Of an int3 one each bit has its own place there.
    fn piece(&self, stored: &[u8]) -> [u8; PIECE] {
        let mut piece = [0; PIECE];
        let quarter = if self.three_bits { stored.len() / 3 } else { stored.len() };
        for (at, (&byte, place)) in stored.iter().zip(0..PIECE).enumerate() {
            piece[place] |= if self.three_bits { byte & 0xEE } else { byte };
            if let (true, Some(last)) = (self.three_bits, piece.get_mut(3 * quarter + at % quarter.max(1))) {
                *last |= (byte & 0x11) << (3 - (at / quarter.max(1)).min(3));
            }
        }
        piece
    }

    /// The channels from `rows` on: the end of the last tile with real ones, and the tiles after it.
    fn are_channels_zero(&self) -> bool {
        let used = self.rows % self.channels * self.width;
        let last = self.all().skip(self.rows / self.channels * self.pieces);
        last.enumerate().all(|(at, piece)| {
            let used = if at < self.pieces { used } else { 0 };
            self.piece(piece).iter().skip(used).all(|&byte| byte == 0)
        })
    }

    /// The inputs from `cols` on: the end of each tile.
    fn are_inputs_zero(&self) -> bool {
        let inputs = if self.nibbles { 2 * self.width } else { self.width };
        (self.cols / inputs..self.pieces).all(|piece| {
            // The bits of each of a channel's bytes that stand for no input.
            let is_padding = |at| piece * inputs + at >= self.cols;
            let mut masks = [0_u8; PIECE];
            for (at, mask) in masks.iter_mut().take(self.width).enumerate() {
                *mask = match (self.nibbles, is_padding(at), is_padding(self.width + at)) {
                    (false, true, _) | (true, true, true) => 0xFF,
                    (true, false, true) => 0xF0,
                    _ => 0,
                };
            }
            let mut tiles = self.all().skip(piece).step_by(self.pieces.max(1));
            tiles.all(|piece| {
                let piece = self.piece(piece);
                piece.chunks(self.width).all(|part| part.iter().zip(masks).all(|(&byte, mask)| byte & mask == 0))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enums::Layout;
    use crate::storage::data_len;
    use std::vec;
    use std::vec::Vec;

    /// The bits of every byte that hold an element, by the formulas of SPEC.md.
    fn used(dtype: Dtype, layout: Layout, rows: usize, cols: usize) -> Vec<u8> {
        let mut bits = vec![0_u8; data_len(dtype, layout, rows, cols).expect("a small tensor") as usize];
        let (c, t) = layout.tile().unwrap_or((1, 16));
        let all = (0..rows).flat_map(|n| (0..cols).map(move |k| (n, k)));
        for (n, k) in all {
            match dtype {
                Dtype::Int8 => bits[((n / c) * cols.div_ceil(t) + k / t) * 64 + (n % c) * t + k % t] = 0xFF,
                Dtype::F32 => bits[((n / 16) * 16 * cols + 16 * k + n % 16) * 4..][..4].fill(0xFF),
                Dtype::Int3G32 => {
                    let kg = cols.next_multiple_of(32);
                    let (p, at) = if layout == Layout::RowMajor {
                        (16, n * (kg / 2) + (k / 32) * 16 + k % 16)
                    } else {
                        (64, ((n / c) * (kg / (2 * t)) + k / (2 * t)) * 64 + (n % c) * t + k % t)
                    };
                    let (start, j, high) = (at / p * (p / 4 * 3), at % p, !(k / t).is_multiple_of(2));
                    if j < p / 4 * 3 {
                        bits[start + j] |= if high { 0xE0 } else { 0x0E };
                    } else {
                        (0..3).for_each(|i| bits[start + j % (p / 4) + i * p / 4] |= if high { 0x10 } else { 0x01 });
                    }
                }
                _ => {
                    let kg = cols.next_multiple_of(dtype.group().expect("int4"));
                    let at = if layout == Layout::RowMajor {
                        n * (kg / 2) + (k / 32) * 16 + k % 16
                    } else {
                        ((n / c) * (kg / (2 * t)) + k / (2 * t)) * 64 + (n % c) * t + k % t
                    };
                    bits[at] |= if (k / t).is_multiple_of(2) { 0x0F } else { 0xF0 };
                }
            }
        }
        bits
    }

    #[test]
    fn every_bit_that_holds_no_element_is_checked_and_no_other() {
        let tiles = [Layout::Tile16, Layout::Tile8, Layout::Tile4];
        let mut ways = vec![(Dtype::F32, Layout::Tile16)];
        ways.extend(tiles.map(|layout| (Dtype::Int8, layout)));
        for dtype in [Dtype::Int4G32, Dtype::Int4G64, Dtype::Int3G32] {
            ways.extend(tiles.into_iter().chain([Layout::RowMajor]).map(|layout| (dtype, layout)));
        }
        let mut padded = 0;
        for (dtype, layout) in ways {
            for (rows, cols) in [(1, 1), (6, 6), (16, 32), (17, 33), (33, 70), (4, 64), (40, 129), (9, 96)] {
                let used = used(dtype, layout, rows, cols);
                let nibbles = elements_len(dtype, layout, rows, cols).expect("a small tensor") as usize;
                let end = if nibbles > 0 { nibbles } else { used.len() };
                let mut data = vec![0; used.len()];
                for at in 0..end {
                    for bit in [0x01, 0x02, 0x08, 0x10, 0x20, 0x80] {
                        data[at] = bit;
                        let storage = Storage { dtype, layout, rows, cols, data: &data, scales: &[] };
                        let zero = Padding::of(&storage).expect("a padded layout").is_zero();
                        assert_eq!(zero, used[at] & bit != 0, "{dtype} {layout} {rows} x {cols}: byte {at}, {bit:#x}");
                        padded += usize::from(!zero);
                    }
                    data[at] = 0;
                }
            }
        }
        assert!(padded > 100_000, "{padded}");
    }
}

//! Blocks of 64 edges, and the search for the n-th set bit.

/// Edges of a block.
pub(crate) const BLOCK_EDGES: u32 = 64;

/// Bytes of a block: 64 labels, three words of bits, two counts.
pub(crate) const BLOCK_LEN: usize = LABELS + 3 * 8 + 2 * 4;
const LABELS: usize = BLOCK_EDGES as usize;
const _: () = assert!(BLOCK_LEN == 96);

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// 64 edges: their labels, their three bits, and two counts that make any place reachable without a scan from the start.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a>(pub(crate) &'a [u8; BLOCK_LEN]);

impl Block<'_> {
    #[inline]
    fn word(&self, at: usize) -> u64 {
        crate::record::Field::load(self.0, at)
    }

    /// Bit n: the node below edge n has children.
    #[inline]
    pub(crate) fn parents(&self) -> u64 {
        self.word(LABELS)
    }

    /// Bit n: edge n is the first of its siblings. The bit after the trie's last edge is set too.
    #[inline]
    pub(crate) fn firsts(&self) -> u64 {
        self.word(LABELS + 8)
    }

    /// Bit n: an entry ends at the node below edge n.
    #[inline]
    pub(crate) fn ends_mask(&self) -> u64 {
        self.word(LABELS + 16)
    }

    /// Whether an entry ends at the node below edge `within`.
    #[inline]
    pub(crate) fn ends(&self, within: u32) -> bool {
        (self.ends_mask() >> within) & 1 != 0
    }

    /// Where the children of this block's edges start: those of its first edge that has any, then those of the second, and so on.
    #[inline]
    pub(crate) fn first_child(&self) -> u32 {
        crate::record::Field::load(self.0, LABELS + 24)
    }

    /// Entries that end in the blocks before.
    #[inline]
    pub(crate) fn ends_before(&self) -> u32 {
        crate::record::Field::load(self.0, LABELS + 28)
    }

    /// The label of edge `within`.
    pub(crate) fn label(&self, within: u32) -> u8 {
        self.0.get(within as usize).copied().unwrap_or(0)
    }

    /// All labels.
    pub(crate) fn labels(&self) -> &[u8] {
        self.0.get(..LABELS).unwrap_or_default()
    }

    /// Which of the `count` edges from `from` on is labelled `byte`. Labels are compared eight at a time, without a branch per label: most nodes have one or two children.
    #[inline]
    pub(crate) fn position(&self, from: u32, count: u32, byte: u8) -> Option<u32> {
        let pattern = u64::from(byte) * ONES;
        let mut at = 0;
        loop {
            // Past the labels this reads bits, which `count` then leaves out.
            let differences = self.word((from + at) as usize) ^ pattern;
            // The lowest top bit marks the first zero byte; higher ones may be carries.
            let zeros = differences.wrapping_sub(ONES) & !differences & TOPS;
            if zeros != 0 {
                let found = at + zeros.trailing_zeros() / 8;
                return (found < count).then_some(found);
            }
            at += 8;
            if at >= count {
                return None;
            }
        }
    }
}

/// What [`select`] finds.
pub(crate) enum Selected {
    /// The bit's number.
    At(u32),
    /// The word has only so many set bits.
    Fewer(u32),
}

/// The set bit number `n` (from 0, lowest first) of a word, by byte sums in one multiplication (Vigna, "Broadword implementation of rank/select queries", 2008).
#[inline]
pub(crate) fn select(word: u64, n: u32) -> Selected {
    let pairs = word - ((word >> 1) & 0x5555_5555_5555_5555);
    let fours = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    // Byte b: set bits in bytes 0 to b.
    let sums = ((fours + (fours >> 4)) & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(ONES);
    let total = (sums >> 56) as u32;
    if n >= total {
        return Selected::Fewer(total);
    }
    // Bytes whose sum is at most n: those before the one searched for. n < 64, so no byte borrows.
    let before = ((u64::from(n) * ONES) | TOPS) - sums;
    let byte = (((before & TOPS) >> 7).wrapping_mul(ONES) >> 56) as u32;
    let rest = (word >> (8 * byte)) & 0xFF;
    let n = u64::from(n) - (((sums << 8) >> (8 * byte)) & 0xFF);
    // The same within the byte: each of its bits as a byte of its own.
    let bits = (rest * ONES) & 0x8040_2010_0804_0201;
    let sums = (((bits + !TOPS) >> 7) & ONES).wrapping_mul(ONES);
    let before = ((n * ONES) | TOPS) - sums;
    let bit = (((before & TOPS) >> 7).wrapping_mul(ONES) >> 56) as u32;
    Selected::At(8 * byte + bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn select_equals_counting() {
        let mut word = 0x9E37_79B9_7F4A_7C15_u64;
        for round in 0..2000 {
            let value = match round % 4 {
                0 => word,
                1 => word & (word >> 7) & (word << 13),
                2 => word | word.rotate_left(21),
                _ => [0, u64::MAX, 1, 1 << 63][round / 4 % 4],
            };
            let bits = (0..64).filter(|bit| value >> bit & 1 == 1);
            let mut n = 0;
            for bit in bits {
                assert!(matches!(select(value, n), Selected::At(at) if at == bit), "{value:x} {n}");
                n += 1;
            }
            for n in n..80 {
                assert!(matches!(select(value, n), Selected::Fewer(ones) if ones == value.count_ones()));
            }
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
        }
    }
}

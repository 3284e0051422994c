//! The record that makes a slot count.

use distil_format::xxh32;

use crate::slots::{Entry, Slot};

/// Bytes of a record, and of the places for records in a slot's first sector.
pub const RECORD_LEN: usize = 64;

const MAGIC: [u8; 8] = *b"\x89DSLOT1\n";
/// Where the record's own checksum is.
const CHECKSUM_AT: usize = RECORD_LEN - 4;

/// The record of a model, little-endian: magic (8 bytes), counter, length, XXH32 of the model (4 each), zeros, XXH32 of all that.
///
/// At the start of a slot, with the model a sector behind it, it is what [`crate::Update`] leaves there: for a first image that is
/// written in the factory.
pub fn record(counter: u32, len: u32, checksum: u32) -> [u8; RECORD_LEN] {
    let mut bytes = [0; RECORD_LEN];
    let fields = MAGIC.into_iter().chain([counter, len, checksum].into_iter().flat_map(u32::to_le_bytes));
    bytes.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
    let sum = xxh32(&bytes[..CHECKSUM_AT], 0).to_le_bytes();
    bytes[CHECKSUM_AT..].copy_from_slice(&sum);
    bytes
}

/// Reads a record; `None` if it is none, or no model so long has room.
pub(crate) fn read(slot: Slot, bytes: &[u8; RECORD_LEN], room: u32) -> Option<Entry> {
    let word = |at: usize| bytes[at..at + 4].iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
    let entry = Entry { slot, counter: word(8), len: word(12), checksum: word(16) };
    // Every bit is given by the three numbers, so a record is good if it is the one that they make.
    let good = *bytes == record(entry.counter, entry.len, entry.checksum) && (1..=room).contains(&entry.len);
    good.then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::{RECORD_LEN, read, record};
    use crate::slots::Slot;

    #[test]
    fn one_bit_makes_it_no_record() {
        let good = record(7, 1000, 0xDEAD_BEEF);
        let entry = read(Slot::First, &good, 1000).expect("a good record");
        assert_eq!((entry.counter, entry.len, entry.checksum), (7, 1000, 0xDEAD_BEEF));
        assert_eq!(read(Slot::First, &good, 999), None, "too long for its slot");
        for bit in 0..RECORD_LEN * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(Slot::First, &bytes, 1 << 20), None, "bit {bit}");
        }
        assert_eq!(read(Slot::First, &[0xFF; RECORD_LEN], 1 << 20), None);
        assert_eq!(read(Slot::First, &[0; RECORD_LEN], 1 << 20), None);
    }
}

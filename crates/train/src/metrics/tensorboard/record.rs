//! TFRecord framing: length, checksum of the length, data, checksum of the data.

/// One record around `data`: `u64` length, masked CRC-32C of its 8 bytes, the data, masked CRC-32C of the data, all little-endian.
pub(super) fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

/// CRC-32C, rotated and offset so that a checksum of data that holds checksums is still one.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The data of every record; panics on a wrong checksum or length.
    pub(in super::super) fn unframe(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at(12);
            let (length, crc) = head.split_at(8);
            assert_eq!(masked_crc(length).to_le_bytes(), crc, "checksum of a length");
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let (data, rest) = rest.split_at(length);
            let (crc, rest) = rest.split_at(4);
            assert_eq!(masked_crc(data).to_le_bytes(), crc, "checksum of the data");
            records.push(data);
            bytes = rest;
        }
        records
    }

    #[test]
    fn frames_as_tensorboardx_does() {
        // tensorboardX 2.6.5: RecordWriter("f").write(b"distil")
        let expected = [6, 0, 0, 0, 0, 0, 0, 0, 115, 105, 213, 55, 100, 105, 115, 116, 105, 108, 6, 48, 166, 62];
        assert_eq!(frame(b"distil"), expected);
        assert_eq!(unframe(&expected), [b"distil"]);
    }

    #[test]
    #[should_panic(expected = "checksum of the data")]
    fn a_changed_byte_is_found() {
        let mut record = frame(b"distil");
        record[13] ^= 1;
        unframe(&record);
    }
}

//! The outer structure: header, section table, alignment and padding.

use core::ops::Range;

use crate::checksum::Xxh32;
use crate::enums::named;
use crate::error::OpenError;
use crate::record::record;

/// The first bytes of every packed file. Like PNG's, they show up a file that was mangled as text.
pub const MAGIC: [u8; 8] = *b"\x89DISTIL\n";
/// The version this crate reads and writes.
pub const VERSION: u16 = 2;
/// A file, its sections and its tensors start at multiples of this many bytes.
pub const ALIGNMENT: usize = 64;

/// Sections of a file.
pub(crate) const SECTIONS: usize = SectionKind::ALL.len();
/// Bytes of header and section table, where the first section starts.
pub(crate) const FRONT_LEN: usize = Header::LEN + SECTIONS * SectionEntry::LEN;
/// Where the checksum is.
pub(crate) const CHECKSUM_AT: usize = core::mem::offset_of!(Header, checksum);

const _: () = assert!(SECTIONS == 6 && FRONT_LEN == 256);
const _: () = assert!(FRONT_LEN.is_multiple_of(ALIGNMENT));
const _: () = assert!(CHECKSUM_AT == 24);

named! {
    /// A part of the file. Every file has all of them, in this order.
    enum SectionKind, "section" {
        /// The configuration.
        Config = 0, "config";
        /// One fixed entry for each tensor.
        TensorTable = 1, "tensor-table";
        /// The tensors' elements and scales.
        Weights = 2, "weights";
        /// The vocabulary.
        Vocabulary = 3, "vocabulary";
        /// The label names.
        Labels = 4, "labels";
        /// Where the model came from: CBOR that only tools read.
        Manifest = 5, "manifest";
    }
}

record! {
    /// The start of a file.
    struct Header = 64 {
        magic: [u8; 8],
        version: u16,
        sections: u16,
        flags: u32,
        length: u64,
        checksum: u32,
        reserved: [u8; 36],
    }
}

record! {
    /// One entry of the section table.
    struct SectionEntry = 32 {
        kind: u32,
        reserved: [u8; 4],
        offset: u64,
        length: u64,
        reserved_end: [u8; 8],
    }
}

/// `length` rounded up to the alignment.
pub(crate) const fn align(length: u64) -> Option<u64> {
    length.checked_next_multiple_of(ALIGNMENT as u64)
}

/// The state of the file's checksum after its header, the checksum field counting as zero, and the bytes after the header.
pub(crate) fn start_checksum(bytes: &[u8]) -> (Xxh32, &[u8]) {
    let mut state = Xxh32::new(0);
    let Some((header, rest)) = bytes.split_first_chunk::<{ Header::LEN }>() else {
        return (state, bytes);
    };
    let mut header = *header;
    for byte in header.iter_mut().skip(CHECKSUM_AT).take(4) {
        *byte = 0;
    }
    state.update(&header);
    (state, rest)
}

/// XXH32 of a file whose checksum field counts as zero.
#[cfg(feature = "alloc")]
pub(crate) fn file_checksum(bytes: &[u8]) -> u32 {
    let (mut state, rest) = start_checksum(bytes);
    state.update(rest);
    state.finish()
}

/// Checks what tells that this is a whole file of this version; gives its header.
pub(crate) fn check_header(bytes: &[u8]) -> Result<Header, OpenError> {
    let Some((header, _)) = bytes.split_first_chunk::<{ Header::LEN }>() else {
        return Err(OpenError::TooShort { actual: bytes.len() });
    };
    let header = Header::decode(header);
    if header.magic != MAGIC {
        return Err(OpenError::Magic);
    }
    if header.version != VERSION {
        return Err(OpenError::Version(header.version));
    }
    if header.flags != 0 {
        return Err(OpenError::Flags(header.flags));
    }
    if usize::try_from(header.length) != Ok(bytes.len()) {
        return Err(OpenError::Length { declared: header.length, actual: bytes.len() });
    }
    Ok(header)
}

/// The sections' ranges: contiguous but for the padding to the alignment, the last one ending with the file.
pub(crate) fn sections(header: &Header, bytes: &[u8]) -> Result<[Range<usize>; SECTIONS], OpenError> {
    if usize::from(header.sections) != SECTIONS || header.reserved != [0; 36] {
        return Err(OpenError::Header);
    }
    let table = bytes.get(Header::LEN..FRONT_LEN).ok_or(OpenError::TooShort { actual: bytes.len() })?;
    let (entries, _) = table.as_chunks::<{ SectionEntry::LEN }>();
    let mut ranges = [const { 0..0 }; SECTIONS];
    let mut end = FRONT_LEN as u64;
    for ((&kind, entry), range) in SectionKind::ALL.iter().zip(entries).zip(&mut ranges) {
        let wrong = OpenError::SectionTable(kind);
        let entry = SectionEntry::decode(entry);
        let start = align(end).ok_or(wrong)?;
        let known = entry.kind == u32::from(kind.code()) && entry.reserved == [0; 4] && entry.reserved_end == [0; 8];
        if !known || entry.offset != start {
            return Err(wrong);
        }
        end = start.checked_add(entry.length).ok_or(wrong)?;
        *range = to_range(start, end).ok_or(wrong)?;
        if range.end > bytes.len() {
            return Err(wrong);
        }
    }
    if end != bytes.len() as u64 {
        return Err(OpenError::SectionTable(SectionKind::Manifest));
    }
    Ok(ranges)
}

/// Whether all bytes are zero, as padding has to be.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// A range in memory from two file offsets.
pub(crate) fn to_range(start: u64, end: u64) -> Option<Range<usize>> {
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

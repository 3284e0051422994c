//! The first bytes of a shard.

use super::VERSION;

/// Length in bytes.
pub(super) const LENGTH: usize = 80;
const MAGIC: &[u8; 8] = b"DSTLTOKS";

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of a token: 2 or 4.
    pub(super) width: usize,
    /// Number of sequences.
    pub(super) sequences: u64,
    /// Number of tokens.
    pub(super) tokens: u64,
    /// SHA-256 of the vocabulary.
    pub(super) vocabulary: [u8; 32],
    /// CRC-32C of the table.
    pub(super) table: u32,
    /// CRC-32C of the tokens.
    pub(super) content: u32,
}

impl Header {
    /// As it stands in the file.
    pub(super) fn to_bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.width as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequences.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.tokens.to_le_bytes());
        bytes[32..64].copy_from_slice(&self.vocabulary);
        bytes[64..68].copy_from_slice(&self.table.to_le_bytes());
        bytes[68..72].copy_from_slice(&self.content.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..76]);
        bytes[76..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of a file and checks it against the file's length.
    pub(super) fn read(file: &[u8]) -> Result<Self, String> {
        let bytes: &[u8; LENGTH] = file.first_chunk().ok_or("it is shorter than its header")?;
        if &bytes[..8] != MAGIC {
            return Err("not a shard of tokens".into());
        }
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let version = u32_at(8);
        if version != VERSION {
            return Err(format!("a shard of version {version}, not {VERSION}"));
        }
        if crc32c::crc32c(&bytes[..76]) != u32_at(76) {
            return Err("its header is damaged".into());
        }
        let header = Self {
            width: u32_at(12) as usize,
            sequences: u64_at(16),
            tokens: u64_at(24),
            vocabulary: bytes[32..64].try_into().expect("32 bytes"),
            table: u32_at(64),
            content: u32_at(68),
        };
        let size = LENGTH as u128 + 4 * u128::from(header.sequences) + header.width as u128 * u128::from(header.tokens);
        if !matches!(header.width, 2 | 4) || header.tokens > u64::from(u32::MAX) {
            return Err("its header makes no sense".into());
        }
        if file.len() as u128 != size {
            return Err(format!("{} bytes, not {size}: it is cut or altered", file.len()));
        }
        Ok(header)
    }
}

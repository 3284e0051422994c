//! The flat image of a program: what a board's firmware loads to memory as it is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Writes the image of a 64-bit ELF file beside it; gives its path.
pub(super) fn image_of(elf: &Path) -> Result<PathBuf> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let image = flatten(&bytes).with_context(|| format!("{} cannot be made an image", elf.display()))?;
    let path = elf.with_extension("img");
    fs::write(&path, image).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The bytes of all segments, the lowest address first, with zeros between them.
fn flatten(elf: &[u8]) -> Result<Vec<u8>> {
    let number = |at: usize, len: usize| -> Result<usize> {
        let bytes = elf.get(at..at + len).context("the ELF file ends too early")?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    // Magic, 64 bits, little-endian.
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        bail!("it is no little-endian 64-bit ELF file");
    }
    let (table, each, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let mut segments = Vec::new();
    for header in (0..count).map(|i| table + i * each) {
        let (kind, offset, address, len) =
            (number(header, 4)?, number(header + 8, 8)?, number(header + 24, 8)?, number(header + 32, 8)?);
        if kind == 1 && len > 0 {
            segments.push((address, elf.get(offset..offset + len).context("a segment lies outside the file")?));
        }
    }
    segments.sort_by_key(|(address, _)| *address);
    let (first, _) = *segments.first().context("it has nothing to load")?;
    let mut image = Vec::new();
    for (address, bytes) in segments {
        let at = address - first;
        if at < image.len() || at > 1 << 28 {
            bail!("its segments overlap or lie far apart");
        }
        image.resize(at, 0);
        image.extend(bytes);
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::flatten;

    /// A file with two segments of four bytes, the later address first.
    fn elf(second_at: u64) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01".to_vec();
        file.resize(64, 0);
        file[32] = 64;
        file[54] = 56;
        file[56] = 2;
        for (offset, address) in [(180u64, second_at), (176, 0x80000)] {
            let start = file.len();
            file.resize(start + 56, 0);
            file[start] = 1;
            file[start + 8..start + 16].copy_from_slice(&offset.to_le_bytes());
            file[start + 24..start + 32].copy_from_slice(&address.to_le_bytes());
            file[start + 32] = 4;
        }
        file.extend(b"abcdefgh");
        file
    }

    #[test]
    fn segments_lie_at_their_addresses() {
        assert_eq!(flatten(&elf(0x80006)).unwrap(), b"abcd\0\0efgh");
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(flatten(&elf(0x80002)).is_err(), "overlap");
        assert!(flatten(&elf(0x80006)[..170]).is_err(), "too short");
        assert!(flatten(b"MZ").is_err());
    }
}

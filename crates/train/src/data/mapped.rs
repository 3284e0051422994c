//! A file mapped into memory, read-only.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// The bytes of a file, brought in by the system as they are read.
#[derive(Debug)]
pub(super) struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a whole file, which must not be empty.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is empty"));
        }
        #[allow(unsafe_code, reason = "mapping a file is unsafe: others may write to it")]
        // SAFETY: the mapping is read-only and lives as long as this value, and nothing takes a reference beyond it. What
        // cannot be ruled out is that another program changes the file meanwhile.
        // - `train prepare` never does: shards are written under another name and renamed, so a new preparation leaves
        //   this file, nameless, to whoever has mapped it.
        // - A program that writes into it changes numbers under our eyes. The bytes are copied out one number at a time,
        //   and every number is checked after it was copied and before it is used as an index, so whatever is read there
        //   leads to an error or to another token, never outside an allocation.
        // - A program that shortens it makes reading fail with SIGBUS, which ends this process: the same as for any
        //   memory-mapped file, and nothing is lost that a checkpoint does not hold.
        // Not mapping would cost the size of the data in memory for each process on the machine.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self(map))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Mapped::open(file.path()).is_err());
        std::fs::write(file.path(), b"some bytes").unwrap();
        assert_eq!(&Mapped::open(file.path()).unwrap()[..], b"some bytes");
    }
}

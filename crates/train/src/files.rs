//! Files that are either complete or absent: written to a temporary name, flushed, renamed.

use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

/// Writes a whole file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Writes a file piece by piece; it appears under its name once `f` has succeeded.
pub fn write_with(path: &Path, f: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let temporary = path.with_file_name(name);
    let attempt = || {
        let mut file = std::io::BufWriter::new(fs::File::create(&temporary)?);
        f(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&temporary, path)
    };
    attempt().map_err(|e| {
        // The half-written file is of no use; a failure to remove it changes nothing.
        let _ = fs::remove_file(&temporary);
        Error::io(path, &e)
    })
}

/// Creates a folder and its parents.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io(path, &e))
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(Error::file(path, "this is a folder", "name a file"));
    }
    fs::read(path).map_err(|e| Error::io(path, &e))
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

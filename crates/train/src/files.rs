//! Files that are either complete or absent: written to a temporary name, flushed, renamed.

use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
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
        fs::rename(&temporary, path)?;
        sync_parent(path)
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

/// Claims a folder for as long as the result lives, so that no two programs write to it.
///
/// # Errors
/// When another program has claimed it.
pub fn claim_folder(path: &Path) -> Result<Option<File>> {
    let claim = path.join(".lock");
    let file = File::create(&claim).map_err(|e| Error::io(&claim, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            let next = "wait for it to end, or choose another folder";
            Err(Error::file(path, "another run is at work in it", next))
        }
        // Some network file systems know no locks.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Gives a folder, whose files are on the disk, its final name.
pub fn rename_folder(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).and_then(|()| sync_parent(to)).map_err(|e| Error::io(to, &e))
}

/// Removes a folder with everything in it. It loses its name first: one that has a name is whole.
pub fn remove_folder(path: &Path) -> Result<()> {
    let doomed = path.with_extension("old.part");
    let remove = || {
        if doomed.exists() {
            fs::remove_dir_all(&doomed)?;
        }
        fs::rename(path, &doomed)?;
        fs::remove_dir_all(&doomed)
    };
    remove().map_err(|e| Error::io(path, &e))
}

/// Removes a file, if there is one.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, &e)),
        _ => Ok(()),
    }
}

/// Flushes the names in a folder to the disk.
pub fn sync_folder(path: &Path) -> Result<()> {
    sync(path).map_err(|e| Error::io(path, &e))
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync(Path::new(".")),
        Some(parent) => sync(parent),
        None => Ok(()),
    }
}

/// Folders can be opened, and so flushed, on Unix alone, and not on every network file system.
fn sync(folder: &Path) -> std::io::Result<()> {
    use std::io::ErrorKind::{InvalidInput, Unsupported};
    if !cfg!(unix) {
        return Ok(());
    }
    match fs::File::open(folder)?.sync_all() {
        Err(e) if matches!(e.kind(), InvalidInput | Unsupported) => Ok(()),
        result => result,
    }
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

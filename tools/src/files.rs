//! Reading packed files into aligned memory, and writing files whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use distil_format::Artifact;
#[cfg(target_os = "linux")]
use memmap2::Advice;
use memmap2::MmapMut;

use crate::error::Error;

/// The content of a file, in memory that starts at a multiple of 64, as a packed file has to.
///
/// The memory is in huge pages where the system has them for the asking: a model is read from end to end for every
/// text, and looking up thousands of small pages takes a part of that time.
#[derive(Debug)]
pub struct FileBytes {
    map: MmapMut,
    len: usize,
}

impl FileBytes {
    /// `len` zero bytes.
    fn zeroed(len: usize) -> io::Result<Self> {
        // A map has at least one byte.
        let map = MmapMut::map_anon(len.max(1))?;
        // Only a wish: the bytes are the same without.
        #[cfg(target_os = "linux")]
        let _ = map.advise(Advice::HugePage);
        Ok(Self { map, len })
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

/// Reads a file into memory of this program, so that nobody can change it meanwhile.
///
/// # Errors
/// [`Error::Read`], which names the file.
pub fn read_aligned(path: &Path) -> Result<FileBytes, Error> {
    let wrap = |error| Error::Read { path: path.to_path_buf(), error };
    let mut file = File::open(path).map_err(wrap)?;
    let about = file.metadata().map_err(wrap)?;
    if !about.is_file() {
        return Err(wrap(io::Error::new(io::ErrorKind::InvalidInput, "not a file")));
    }
    let len = usize::try_from(about.len()).map_err(|_| wrap(io::ErrorKind::FileTooLarge.into()))?;
    let mut bytes = FileBytes::zeroed(len).map_err(wrap)?;
    file.read_exact(&mut bytes.map[..len]).map_err(wrap)?;
    Ok(bytes)
}

/// Opens the packed file `path` whose content is `bytes`.
pub fn open<'a>(path: &Path, bytes: &'a [u8]) -> Result<Artifact<'a>, Error> {
    Artifact::open(bytes).map_err(|error| Error::Open { path: path.to_path_buf(), error })
}

/// Writes `bytes` under a temporary name in the same folder, brings them to the disk, and renames. Whoever looks sees
/// the old file or the new one, never a part; after an error the temporary file is gone.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_with(path, |file| file.write_all(bytes))
}

/// The same for what is written piece by piece.
pub fn write_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let result = write_and_rename(path, write);
    result.map_err(|error| Error::Write { path: path.to_path_buf(), error })
}

fn write_and_rename(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let (folder, name) = parts(path)?;
    let temporary = Temporary(folder.join(format!(".{name}.{}.partial", std::process::id())));
    let file = OpenOptions::new().write(true).create_new(true).open(&temporary.0)?;
    let mut buffered = BufWriter::with_capacity(1 << 16, file);
    write(&mut buffered)?;
    let file = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary.0, path)?;
    // The new name is on the disk only when the folder is; not every system can open a folder.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// The folder that a path lies in, and its name there.
pub(crate) fn parts(path: &Path) -> io::Result<(&Path, String)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((folder, name.to_string_lossy().into_owned()))
}

/// A file that is removed when it is done with; after the rename there is nothing left to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        write_whole(&path, b"first").unwrap();
        write_whole(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_rename_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("by a folder")).unwrap();
        let error = write_whole(&path, b"bytes").unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn bytes_are_aligned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.bin");
        fs::write(&path, [7; 100]).unwrap();
        let bytes = read_aligned(&path).unwrap();
        assert!(bytes.as_ptr().addr().is_multiple_of(64) && bytes[..] == [7; 100]);
    }
}

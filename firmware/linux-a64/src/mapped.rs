//! A file as memory: its pages are read when they are touched, and shared by all programs that map it.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// Maps the whole file.
pub(crate) fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the bytes are constant as long as nobody changes the file in place. A new model has to come as a new file under
    // the same name (as `tools pack` writes it), never over the old bytes.
    unsafe { Mmap::map(&file) }
}

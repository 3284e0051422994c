//! A packed file as something that firmware links in: a C array or an ELF object file, and the header that declares it.

mod c;
mod elf;

use std::path::Path;

use distil_format::Artifact;

use crate::error::Error;
use crate::files::{write_whole, write_with};

pub use c::{identifier, is_identifier};
pub use elf::Target;

/// A packed file and the name it is to have in a program.
pub struct Export<'a> {
    artifact: &'a Artifact<'a>,
    name: &'a str,
    section: String,
    about: String,
}

impl<'a> Export<'a> {
    /// `name` is the array's, one that [`is_identifier`].
    pub fn new(artifact: &'a Artifact<'a>, name: &'a str) -> Self {
        let config = artifact.config();
        let about = format!(
            "A packed model: {}, head {}, {} layers of {}, {} bytes, checksum {:08x}. Written by distil-tools {}.",
            config.architecture,
            config.head,
            config.layers,
            config.hidden,
            artifact.len(),
            artifact.checksum(),
            env!("CARGO_PKG_VERSION"),
        );
        Self { artifact, name, section: format!(".rodata.distil.{name}"), about }
    }

    /// The section that the bytes lie in; a linker script that takes `.rodata.*` takes it too.
    pub fn section(&self) -> &str {
        &self.section
    }

    fn place(&self) -> c::Place<'_> {
        c::Place {
            name: self.name,
            section: &self.section,
            len: self.artifact.len(),
            about: &self.about,
            checksum: self.artifact.checksum(),
        }
    }

    /// Writes the header.
    pub fn header(&self, path: &Path) -> Result<(), Error> {
        write_whole(path, c::header(&self.place()).as_bytes())
    }

    /// Writes the array as C source.
    pub fn source(&self, path: &Path) -> Result<(), Error> {
        write_with(path, |out| c::source(out, &self.place(), self.artifact.bytes()))
    }

    /// Writes the array as an object file.
    pub fn object(&self, path: &Path, target: Target) -> Result<(), Error> {
        let bytes = self.artifact.bytes();
        let object = elf::object(target, &self.section, self.name, bytes.len() as u64).ok_or_else(|| {
            let message = format!("{} bytes do not fit into an object file for {}", bytes.len(), target.name());
            Error::usage(message, "choose a 64-bit target")
        })?;
        write_with(path, |out| {
            out.write_all(&object.before)?;
            out.write_all(bytes)?;
            out.write_all(&object.after)
        })
    }
}

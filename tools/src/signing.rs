//! Keys and signatures as files.
//!
//! A key is a text of two lines: its title and 64 hexadecimal digits. A private key (`NAME.key`) holds the 32-byte seed of
//! RFC 8032, a public key (`NAME.pub`) the 32 bytes that it gives. A signature (`FILE.sig`) is the 64 bytes themselves, over
//! all bytes of the packed file: what `openssl pkeyutl -verify -rawin` checks, too.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use distil_runtime::signature::{self, PUBLIC_KEY_LEN, PUBLIC_KEY_TITLE, SignatureError};
use ed25519_dalek::{Signer, SigningKey};

use crate::error::Error;
use crate::files::write_whole;

/// The first line of a private key's file.
pub const PRIVATE_KEY_TITLE: &str = "distil ed25519 private key 1";

/// A key that signs.
pub struct PrivateKey(SigningKey);

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the key itself.
        f.debug_tuple("PrivateKey").field(&hex(self.0.verifying_key().as_bytes())).finish()
    }
}

impl PrivateKey {
    /// A new key, from the operating system's random numbers.
    ///
    /// # Errors
    /// If there are none.
    pub fn random() -> Result<Self, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| {
            Error::usage(format!("no random numbers: {error}"), "make the key on a machine that has them")
        })?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads a private key.
    ///
    /// # Errors
    /// If the file cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_text(path)?;
        match signature::key_bytes(&text, PRIVATE_KEY_TITLE) {
            Some(seed) => Ok(Self(SigningKey::from_bytes(&seed))),
            None => {
                let message = format!("{}: not a private key made by `tools keygen`", path.display());
                Err(Error::usage(message, "give the file that ends in .key; `tools keygen -o NAME` makes one"))
            }
        }
    }

    /// The public key, in hexadecimal.
    pub fn public(&self) -> String {
        hex(self.0.verifying_key().as_bytes())
    }

    /// Writes the pair: `NAME.key`, which only its owner may read, and `NAME.pub`. Gives their names.
    ///
    /// # Errors
    /// If either exists: a key is never overwritten. If they cannot be written, neither is left.
    pub fn write_pair(&self, name: &Path) -> Result<(PathBuf, PathBuf), Error> {
        let (private, public) = (with_extension(name, "key"), with_extension(name, "pub"));
        let seed = self.0.to_bytes();
        write_new(&private, true, &format!("{PRIVATE_KEY_TITLE}\n{}\n", hex(&seed)))?;
        if let Err(error) = write_new(&public, false, &format!("{PUBLIC_KEY_TITLE}\n{}\n", self.public())) {
            let _ = fs::remove_file(&private);
            return Err(error);
        }
        Ok((private, public))
    }

    /// Signs the content of the packed file `path` and writes the signature beside it. Gives its name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sign(&self, path: &Path, bytes: &[u8]) -> Result<PathBuf, Error> {
        let signature = with_extension(path, "sig");
        write_whole(&signature, &self.0.sign(bytes).to_bytes())?;
        Ok(signature)
    }
}

/// Reads a public key.
///
/// # Errors
/// If the file cannot be read, or is something else.
pub fn read_public_key(path: &Path) -> Result<[u8; PUBLIC_KEY_LEN], Error> {
    signature::public_key(&read_text(path)?).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        Error::usage(message, "give the file that ends in .pub; `tools keygen -o NAME` makes one")
    })
}

/// Checks the signature in a file against the bytes of the packed file `path`.
///
/// # Errors
/// [`Error::Check`] if it is not right, [`Error::Read`] if it cannot be read.
pub fn check(path: &Path, bytes: &[u8], signature: &Path, key: &[u8; PUBLIC_KEY_LEN]) -> Result<(), Error> {
    let read = fs::read(signature).map_err(|error| {
        let message = format!("{}: cannot be read: {error}", signature.display());
        Error::usage(message, "the signature lies beside the packed file; `tools sign FILE --key KEY` makes one")
    })?;
    signature::check(bytes, &read, key).map_err(|error| match error {
        SignatureError::Length { .. } => Error::Check(format!("{}: {error}", signature.display())),
        _ => Error::Check(format!("{}, signature {}: {error}", path.display(), signature.display())),
    })
}

/// `FILE.extension`: the name is kept whole.
pub fn with_extension(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_text(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| {
        let message = format!("{}: cannot be read as a key: {error}", path.display());
        Error::usage(message, "give a key made by `tools keygen`")
    })
}

/// Writes a file that must not exist yet.
fn write_new(path: &Path, is_secret: bool, text: &str) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if is_secret { 0o600 } else { 0o644 });
    let mut file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let message = format!("{}: exists; a key is never overwritten", path.display());
            Error::usage(message, "choose another name, or move the old key away")
        }
        _ => Error::Write { path: path.to_path_buf(), error },
    })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path);
        Error::Write { path: path.to_path_buf(), error }
    })
}

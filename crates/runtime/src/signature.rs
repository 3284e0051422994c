//! Detached Ed25519 signatures: a file is checked before anything in it is looked at.
//!
//! A signature is 64 bytes (RFC 8032, Ed25519 without prehashing or context) over all bytes of the packed file, beside the
//! file or behind it in flash. Verification is strict: the one encoding of every point and number, and no key or signature
//! of small order, so that one signature is not valid for another file or under another key. Needs no allocator; the time
//! is that of SHA-512 over the file, on top of a few milliseconds at 100 MHz and more.
//!
//! The feature `signature` brings this module and its only dependency, `ed25519-dalek`.

use core::fmt;

use distil_format::{Artifact, OpenError};
use ed25519_dalek::{Signature, VerifyingKey};

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;
/// Bytes of a public key.
pub const PUBLIC_KEY_LEN: usize = 32;
/// The first line of a file with a public key; the second has the key in 64 hexadecimal digits.
pub const PUBLIC_KEY_TITLE: &str = "distil ed25519 public key 1";

/// Checks the signature of a file, and nothing else.
///
/// # Errors
/// [`SignatureError`] if the signature is not this key's for these bytes.
pub fn check(bytes: &[u8], signature: &[u8], public_key: &[u8; PUBLIC_KEY_LEN]) -> Result<(), SignatureError> {
    let signature = signature.try_into().map_err(|_| SignatureError::Length { found: signature.len() })?;
    let key = VerifyingKey::from_bytes(public_key).map_err(|_| SignatureError::PublicKey)?;
    if key.is_weak() {
        return Err(SignatureError::PublicKey);
    }
    key.verify_strict(bytes, &Signature::from_bytes(signature)).map_err(|_| SignatureError::Mismatch)
}

/// Opens a file whose signature is right, with all checks of [`Artifact::open`]: whoever signs may be mistaken, too.
///
/// # Errors
/// [`SignedError::Signature`] before anything of the file is looked at, else [`SignedError::Open`].
pub fn open<'a>(
    bytes: &'a [u8],
    signature: &[u8],
    public_key: &[u8; PUBLIC_KEY_LEN],
) -> Result<Artifact<'a>, SignedError> {
    check(bytes, signature, public_key).map_err(SignedError::Signature)?;
    Artifact::open(bytes).map_err(SignedError::Open)
}

/// Reads the text of a public key, as `tools keygen` writes it: a title, 64 hexadecimal digits, a line each. For
/// `include_str!`: a constant with the key is made by the compiler.
///
/// # Errors
/// [`SignatureError::KeyText`].
pub const fn public_key(text: &str) -> Result<[u8; PUBLIC_KEY_LEN], SignatureError> {
    match key_bytes(text, PUBLIC_KEY_TITLE) {
        Some(key) => Ok(key),
        None => Err(SignatureError::KeyText),
    }
}

/// The 32 bytes in the second line of a text whose first is `title`; nothing else may stand there.
pub const fn key_bytes(text: &str, title: &str) -> Option<[u8; 32]> {
    let (text, title) = (text.as_bytes(), title.as_bytes());
    let lines = title.len() + 1 + 64;
    if text.len() < lines || text.len() > lines + 1 || text[title.len()] != b'\n' {
        return None;
    }
    if text.len() > lines && text[lines] != b'\n' {
        return None;
    }
    let mut at = 0;
    while at < title.len() {
        if text[at] != title[at] {
            return None;
        }
        at += 1;
    }
    let mut key = [0; 32];
    let mut at = 0;
    while at < 64 {
        let digit = match text[title.len() + 1 + at] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        key[at / 2] = key[at / 2] << 4 | digit;
        at += 1;
    }
    Some(key)
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// It does not have 64 bytes.
    Length {
        /// Bytes that it has.
        found: usize,
    },
    /// The public key is none that can be trusted: no point of the curve, or one of small order.
    PublicKey,
    /// It is not this key's signature of these bytes: another key, another file, or damage to either.
    Mismatch,
    /// The text is not that of a public key.
    KeyText,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => {
                write!(f, "the signature has {found} bytes, not {SIGNATURE_LEN}; copy it again or sign the file again")
            }
            Self::PublicKey => f.write_str("this is no usable public key; take the one that belongs to the signer's private key"),
            Self::Mismatch => f.write_str(
                "the signature is not this key's for this file; do not use the file unless its origin is otherwise known",
            ),
            Self::KeyText => {
                write!(f, "not a public key: its first line is `{PUBLIC_KEY_TITLE}`, its second 64 hexadecimal digits")
            }
        }
    }
}

impl core::error::Error for SignatureError {}

/// Why a signed file is not opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SignedError {
    /// The signature is refused; the file was not looked at.
    Signature(SignatureError),
    /// The signature is right, and the file is not.
    Open(OpenError),
}

impl fmt::Display for SignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SignedError {}

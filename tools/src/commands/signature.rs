//! `tools keygen`, `tools sign`, and what `tools verify` needs to check a signature.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::json_line;
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::signing::{PrivateKey, check, hex, read_public_key, with_extension};

const KEYGEN_DETAILS: &str = "\
Writes NAME.key, which only you may read and which signs, and NAME.pub, for everyone who checks. Both are texts of two \
lines: a title, and the Ed25519 key in 64 hexadecimal digits. Neither replaces a file that exists. Whoever has NAME.key \
can sign as you; there is no password on it.";

const SIGN_DETAILS: &str = "\
The signature is 64 bytes over the whole packed file, in FILE.sig. Check it with `tools verify FILE --key NAME.pub`; on a \
device, with the runtime's feature `signature`.";

/// Arguments of `tools keygen`.
#[derive(Debug, clap::Args)]
#[command(after_help = KEYGEN_DETAILS)]
pub struct KeygenArgs {
    /// Name of the keys: NAME.key and NAME.pub are written
    #[arg(short, long, value_name = "NAME")]
    output: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `tools sign`.
#[derive(Debug, clap::Args)]
#[command(after_help = SIGN_DETAILS)]
pub struct SignArgs {
    /// Packed file
    file: PathBuf,
    /// Private key that `tools keygen` made
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// The arguments of `tools verify` about a signature.
#[derive(Debug, clap::Args)]
pub(super) struct SignedArgs {
    /// Public key whose signature the file has to have
    #[arg(long, value_name = "PUB")]
    key: Option<PathBuf>,
    /// The signature [default: FILE.sig beside the file]
    #[arg(value_name = "SIGNATURE", requires = "key")]
    signature: Option<PathBuf>,
}

/// A signature that is right.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Signed {
    file: PathBuf,
    signature: PathBuf,
    /// The public key, in hexadecimal.
    pub(super) key: String,
}

#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Keys {
    private: PathBuf,
    public: PathBuf,
    key: String,
}

/// Says where the signature is, if there is one.
pub(super) fn say(out: &mut dyn Write, signature: Option<&Path>) -> Result<(), Error> {
    signature.map_or(Ok(()), |signature| Ok(writeln!(out, "signed: {}", signature.display())?))
}

impl KeygenArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let key = PrivateKey::random()?;
        let (private, public) = key.write_pair(&self.output)?;
        let keys = Keys { private, public, key: key.public() };
        if self.json {
            return json_line(out, &keys);
        }
        writeln!(out, "{}: signs; keep it to yourself", keys.private.display())?;
        Ok(writeln!(out, "{}: checks; its key is {}", keys.public.display(), keys.key)?)
    }
}

impl SignArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let key = PrivateKey::read(&self.key)?;
        let bytes = read_aligned(&self.file)?;
        // A signature says that somebody stands behind a model: not behind a file that none can use.
        open(&self.file, &bytes)?;
        let signature = key.sign(&self.file, &bytes)?;
        let signed = Signed { file: self.file.clone(), signature, key: key.public() };
        if self.json {
            return json_line(out, &signed);
        }
        Ok(writeln!(
            out,
            "{}: the signature of {} by {}",
            signed.signature.display(),
            signed.file.display(),
            signed.key
        )?)
    }
}

impl SignedArgs {
    /// Checks the signature of a file that was read, if that was asked for; nothing of the file has to be right.
    pub(super) fn check(&self, file: &Path, bytes: &[u8]) -> Result<Option<Signed>, Error> {
        let Some(path) = &self.key else { return Ok(None) };
        let key = read_public_key(path)?;
        let signature = self.signature.clone().unwrap_or_else(|| with_extension(file, "sig"));
        check(file, bytes, &signature, &key)?;
        Ok(Some(Signed { file: file.to_path_buf(), signature, key: hex(&key) }))
    }
}

impl Signed {
    /// Says that the signature and the file's structure are right.
    pub(super) fn print(&self, out: &mut dyn Write, json: bool) -> Result<(), Error> {
        if json {
            return json_line(out, self);
        }
        writeln!(out, "{}: signature and file are right", self.file.display())?;
        Ok(writeln!(out, "signature: {}, by {}", self.signature.display(), self.key)?)
    }
}

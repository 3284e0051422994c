//! One error type for the whole crate: every message names the thing, the reason and the next step.

use std::path::Path;

/// Result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. `Display` is lower case, one line, without a backtrace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read, written or understood.
    #[error("{path}: {reason}; {next}")]
    File {
        /// The file as the user named it.
        path: String,
        /// What is wrong with it.
        reason: String,
        /// What to do about it.
        next: String,
    },
    /// Options or configuration values that do not fit together.
    #[error("{0}")]
    Config(String),
    /// A batch, corpus or vocabulary that cannot be trained on.
    #[error("{0}")]
    Data(String),
    /// The GPU that was asked for cannot be used.
    #[error("{0}")]
    Device(String),
    /// The user ended the program.
    #[error("{0}")]
    Interrupted(String),
    /// A loss or gradient became NaN or infinite.
    #[error(
        "{what} is {value} at step {step}: training has diverged; \
         lower --learning-rate, lengthen the warm-up or check the data"
    )]
    NonFinite {
        /// "the loss" or "the gradient norm".
        what: &'static str,
        /// The value met.
        value: f64,
        /// Optimizer step, from 1.
        step: usize,
    },
    /// A tensor operation failed: a shape or device problem that no earlier check caught.
    #[error("tensor computation failed: {0}")]
    Tensor(String),
}

impl Error {
    /// A problem with one file.
    pub fn file(path: impl AsRef<Path>, reason: impl std::fmt::Display, next: impl Into<String>) -> Self {
        Self::File { path: path.as_ref().display().to_string(), reason: reason.to_string(), next: next.into() }
    }

    /// An input/output failure on `path`, in plain words.
    pub fn io(path: impl AsRef<Path>, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{NotFound, PermissionDenied, StorageFull};
        let (reason, next) = match error.kind() {
            NotFound => ("no such file or folder".into(), "check the path"),
            PermissionDenied => ("permission denied".into(), "check the permissions"),
            StorageFull => ("the disk is full".into(), "free some space and run again"),
            _ => (error.to_string(), "check the file and the disk"),
        };
        Self::file(path, reason, next)
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(plain(&error))
    }
}

/// The text of a candle error without the backtrace it captures when `RUST_BACKTRACE` is set.
fn plain(error: &candle_core::Error) -> String {
    use candle_core::Error::{Context, WithBacktrace, WithPath};
    match error {
        WithBacktrace { inner, .. } => plain(inner),
        WithPath { inner, path } => format!("{}: {}", path.display(), plain(inner)),
        Context { inner, context } => format!("{context}: {}", plain(inner)),
        other => other.to_string(),
    }
}

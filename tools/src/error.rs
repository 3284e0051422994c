//! Every way a command can fail: what went wrong, with which file, and the next step.

use std::io;
use std::path::{Path, PathBuf};

use distil_format::{OpenError, WriteError};
use distil_runtime::{ModelError, RunError, SessionError};

use crate::fixture::FixtureError;
use crate::hf::HfError;

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A Hugging Face folder or a text file is not usable.
    #[error(transparent)]
    Folder(#[from] HfError),
    /// A packed file cannot be read.
    #[error("{}: cannot be read: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A packed file is refused. The reason says the next step.
    #[error("{}: {error}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// A line of input cannot be used.
    #[error("{source_name}: line {line}: {reason}")]
    Line {
        /// The file, or `standard input`.
        source_name: String,
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
        /// What to do about it.
        next: &'static str,
    },
    /// What was asked for does not fit the file or this machine.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do about it.
        next: String,
    },
    /// The model is outside the bounds of the packed format.
    #[error("{}: cannot be packed: {error}", .folder.display())]
    Pack {
        /// The model's folder.
        folder: PathBuf,
        /// Why.
        error: WriteError,
    },
    /// A model cannot run.
    #[error("{}: {error}", .path.display())]
    Model {
        /// The packed file.
        path: PathBuf,
        /// Why.
        error: ModelError,
    },
    /// A session cannot start.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// An input got no answer. The reason says the next step.
    #[error("{0}")]
    Run(#[from] RunError),
    /// A fixture cannot be made.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// An output file cannot be written. Nothing of it is left.
    #[error("{}: cannot be written: {error}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// The command worked, and what it checked does not hold.
    #[error("{0}")]
    Check(String),
    /// Two files differ, and standard output says how: nothing is wrong.
    #[error("the files differ")]
    Different,
}

impl Error {
    /// 1: a check did not hold, or an output could not be written. 2: the command line or an input is unusable.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Check(_)
            | Self::Different
            | Self::Write { .. }
            | Self::Output(_)
            | Self::Fixture(FixtureError::Io { .. }) => 1,
            _ => 2,
        }
    }

    /// What the user can do about it, unless the message says it.
    pub fn next_step(&self) -> Option<&str> {
        match self {
            Self::Folder(error) => Some(error.problem.next_step()),
            Self::Read { .. } => Some("give a file made by `tools pack`"),
            Self::Line { next, .. } => Some(next),
            Self::Usage { next, .. } => Some(next),
            Self::Pack { .. } => Some("the bounds of the format are in crates/format/SPEC.md"),
            Self::Write { .. } | Self::Output(_) => Some("is there room on the disk, and may you write there?"),
            Self::Run(RunError::TooLong { .. } | RunError::Question { .. }) => {
                Some("`tools run --truncate` cuts texts at the length the model takes")
            }
            _ => None,
        }
    }

    /// A usage error.
    pub fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), next: next.into() }
    }

    /// Attaches the packed file to a reason for not running it.
    pub fn model(path: &Path) -> impl Fn(ModelError) -> Self {
        move |error| Self::Model { path: path.to_path_buf(), error }
    }
}

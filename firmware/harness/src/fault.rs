//! Why a machine cannot answer, each with a code of its own.

use core::fmt;

use distil_runtime::{ModelError, OpenError, RunError, SessionError};

use crate::app::UnknownApp;
use crate::check::CheckError;

/// The program did what it should; the self-test: everything was equal to the host.
pub const EXIT_OK: u8 = 0;
/// The self-test found bits that differ.
pub const EXIT_DIFFERENT: u8 = 1;
/// The program panicked; used by the machines' panic handlers.
pub const EXIT_PANIC: u8 = 101;
/// The processor took a fault; used by the machines' exception handlers.
pub const EXIT_FAULT: u8 = 102;

/// Why a machine cannot answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// No program has the name that was asked for.
    App,
    /// There is no valid model at its address.
    Open(OpenError),
    /// There is nothing at the model's address: every byte of its header is that of erased flash.
    Erased,
    /// There is no valid check file at its address.
    Check(CheckError),
    /// The check file belongs to another model.
    OtherModel {
        /// Checksum of the model that was checked.
        checked: u32,
        /// Checksum of the model that is loaded.
        found: u32,
    },
    /// The kernels cannot run the model.
    Model(ModelError),
    /// No memory of this machine holds the arena.
    Ram {
        /// Bytes that are needed.
        needed: usize,
        /// Bytes of the largest memory.
        most: usize,
    },
    /// The session cannot start.
    Session(SessionError),
    /// A text has no answer.
    Run(RunError),
    /// A line of input is longer than the buffer.
    LongLine {
        /// Bytes that it may have.
        most: usize,
    },
    /// A line of input is not UTF-8.
    Utf8 {
        /// Bytes before the one that is wrong.
        at: usize,
    },
}

impl Fault {
    /// The code to exit with, and the number that the message begins with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Check(_) | Self::OtherModel { .. } => 2,
            Self::Erased | Self::Open(OpenError::Magic | OpenError::TooShort { .. } | OpenError::Misaligned) => 3,
            Self::Open(OpenError::Version(_) | OpenError::Flags(_)) => 4,
            Self::Open(_) => 5,
            Self::Model(_) => 6,
            Self::Ram { .. } | Self::Session(_) => 7,
            Self::Run(RunError::TooLong { .. } | RunError::Question { .. }) | Self::LongLine { .. } => 8,
            Self::Utf8 { .. } => 9,
            Self::Run(_) => 10,
            Self::App => 11,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App => UnknownApp.fmt(f),
            Self::Open(error) => write!(f, "no model: {error}"),
            Self::Erased => f.write_str("no model: its place is erased flash; write a packed model there"),
            Self::Check(error) => error.fmt(f),
            Self::OtherModel { checked, found } => write!(
                f,
                "the check file is for the model {checked:#010x} and {found:#010x} is loaded; make it again with `tools check`"
            ),
            Self::Model(error) => error.fmt(f),
            Self::Ram { needed, most } => {
                write!(
                    f,
                    "the arena needs {needed} bytes and this machine has {most} in one piece; shorten the sentences or load a smaller model"
                )
            }
            Self::Session(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
            Self::LongLine { most } => write!(f, "the line has more than {most} bytes; shorten it"),
            Self::Utf8 { at } => write!(f, "the line is not UTF-8 behind its first {at} bytes; send it again as UTF-8"),
        }
    }
}

impl core::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use distil_runtime::{OpenError, RunError};

    use super::Fault;
    use crate::check::CheckError;

    #[test]
    fn codes_tell_causes_apart() {
        let faults = [
            (Fault::Check(CheckError::Missing), 2),
            (Fault::Erased, 3),
            (Fault::Open(OpenError::Magic), 3),
            (Fault::Open(OpenError::Version(9)), 4),
            (Fault::Open(OpenError::Checksum { declared: 1, computed: 2 }), 5),
            (Fault::Ram { needed: 2, most: 1 }, 7),
            (Fault::Run(RunError::TooLong { tokens: 9, most: 8 }), 8),
            (Fault::LongLine { most: 1024 }, 8),
            (Fault::Utf8 { at: 3 }, 9),
            (Fault::App, 11),
        ];
        for (fault, code) in faults {
            assert_eq!(fault.exit_code(), code, "{fault}");
        }
    }
}

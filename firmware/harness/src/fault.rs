//! Why a machine cannot answer, each with its number of docs/error-codes.md.

use core::fmt;

use distil_runtime::{Code, ModelError, OpenError, RunError, SessionError};

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
/// [`Machine::alive`](crate::Machine::alive) was no longer called; used by machines with a watchdog.
pub const EXIT_WATCHDOG: u8 = 103;

/// A line of input is not UTF-8; the C interface has the same number for a text.
const UTF8: u8 = 63;
/// There is no check file that can be read.
const CHECK: u8 = 80;
/// The check file belongs to another model.
const OTHER_MODEL: u8 = 81;
/// There is no program of that name.
const APP: u8 = 82;
/// A line of input is longer than the buffer.
const LONG_LINE: u8 = 83;

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
    /// The code to exit with, and the number that the message begins with: that of [`Code`] where the runtime has one.
    pub fn exit_code(&self) -> u8 {
        let code = match *self {
            Self::Check(_) => return CHECK,
            Self::OtherModel { .. } => return OTHER_MODEL,
            Self::App => return APP,
            Self::LongLine { .. } => return LONG_LINE,
            Self::Utf8 { .. } => return UTF8,
            Self::Erased => Code::NoModel,
            Self::Ram { .. } => Code::Memory,
            Self::Open(error) => error.into(),
            Self::Model(error) => error.into(),
            Self::Session(error) => error.into(),
            Self::Run(error) => error.into(),
        };
        code.number()
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
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::string::{String, ToString};
    use std::vec::Vec;

    use distil_runtime::{Code, Isa, Kernels, ModelError, OpenError, RunError, SessionError};

    use super::{EXIT_DIFFERENT, EXIT_FAULT, EXIT_OK, EXIT_PANIC, EXIT_WATCHDOG, Fault};
    use crate::check::CheckError;

    /// Each kind of fault, with its number.
    fn faults() -> Vec<(Fault, u8)> {
        let missing = Isa::ALL.into_iter().find_map(|isa| Kernels::with_isa(isa).err());
        let mut faults = std::vec![
            (Fault::Open(OpenError::Misaligned), 10),
            (Fault::Open(OpenError::TooShort { actual: 7 }), 11),
            (Fault::Erased, 12),
            (Fault::Open(OpenError::Magic), 12),
            (Fault::Open(OpenError::Version(9)), 13),
            (Fault::Open(OpenError::Flags(1)), 14),
            (Fault::Open(OpenError::Length { declared: 2, actual: 1 }), 15),
            (Fault::Open(OpenError::Checksum { declared: 1, computed: 2 }), 16),
            (Fault::Open(OpenError::Labels), 17),
            (Fault::Model(ModelError::Tensor("word embedding")), 31),
            (Fault::Ram { needed: 2, most: 1 }, 32),
            (Fault::Session(SessionError::Arena { needed: 2, given: 1 }), 32),
            (Fault::Session(SessionError::Tokens { asked: 1, most: 2 }), 33),
            (Fault::Run(RunError::TooLong { tokens: 9, most: 8 }), 40),
            (Fault::Run(RunError::NotFinite), 47),
            (Fault::Utf8 { at: 3 }, 63),
            (Fault::Check(CheckError::Missing), 80),
            (Fault::OtherModel { checked: 1, found: 2 }, 81),
            (Fault::App, 82),
            (Fault::LongLine { most: 1024 }, 83),
        ];
        // No machine has every instruction set.
        faults.push((Fault::Model(ModelError::Isa(missing.expect("an instruction set that is not here"))), 30));
        faults
    }

    /// Numbers and meanings of docs/error-codes.md.
    fn documented() -> BTreeMap<u8, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/error-codes.md");
        let table = std::fs::read_to_string(&path).unwrap();
        let rows = table.lines().filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            Some((cells.next()?.parse().ok()?, cells.nth(1)?.to_string()))
        });
        rows.collect()
    }

    #[test]
    fn causes_have_the_numbers_of_the_runtime() {
        for (fault, code) in faults() {
            assert_eq!(fault.exit_code(), code, "{fault}");
        }
    }

    #[test]
    fn every_number_is_documented_and_every_documented_one_is_used() {
        let documented = documented();
        let ends = [EXIT_OK, EXIT_DIFFERENT, EXIT_PANIC, EXIT_FAULT, EXIT_WATCHDOG];
        let used: Vec<u8> = faults().into_iter().map(|(_, code)| code).chain(ends).collect();
        let of_runtime = Code::ALL.map(Code::number);
        for code in used.iter().chain(&of_runtime) {
            assert!(documented.contains_key(code), "docs/error-codes.md lacks {code}");
        }
        for (code, meaning) in documented.iter().filter(|(_, meaning)| meaning.starts_with("a program on a device: ")) {
            assert!(used.contains(code), "nothing exits with {code}: {meaning}");
        }
    }
}

//! What a machine reports, as data: each machine chooses how it gets out.

use core::fmt;

use distil_runtime::{Config, Isa, ModelError, OpenError, RunError, SessionError};

use crate::check::{CheckError, Difference};

/// One step of a run. Its text is one or more lines, without a line break at the end.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// The model is open.
    Start {
        /// The machine.
        board: &'static str,
        /// The kernels in use.
        isa: Isa,
        /// The model's configuration.
        config: &'e Config,
        /// Bytes of the packed file.
        model_bytes: usize,
        /// Bytes of the program's code and constants.
        code_bytes: usize,
        /// Instructions it took to check the file.
        opening: u64,
    },
    /// The arena has its place.
    Arena {
        /// Its length.
        bytes: usize,
        /// The memory it is in.
        place: &'static str,
        /// Tokens it suffices for.
        tokens: usize,
    },
    /// A sentence is answered.
    Answer {
        /// Which one, from 1.
        number: u32,
        /// The sentence.
        text: &'e str,
        /// The answer in words.
        answer: &'e str,
        /// Tokens of the sentence, `[CLS]` and `[SEP]` included.
        tokens: usize,
        /// Instructions from text to answer.
        instructions: u64,
        /// The first output that is not the host's.
        difference: Option<Difference>,
    },
    /// All sentences are answered.
    End {
        /// How many there were.
        sentences: u32,
        /// How many had the host's bits in every output.
        equal: u32,
    },
    /// The machine has to stop early.
    Fault(Fault),
}

/// Why a machine cannot answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// There is no valid model at its address.
    Open(OpenError),
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
    /// A sentence has no answer.
    Run(RunError),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "no model: {error}"),
            Self::Check(error) => error.fmt(f),
            Self::OtherModel { checked, found } => write!(
                f,
                "the check file is for the model {checked:#010x} and {found:#010x} is loaded; make it again with `tools check`"
            ),
            Self::Model(error) => error.fmt(f),
            Self::Ram { needed, most } => {
                write!(
                    f,
                    "the arena needs {needed} bytes and this machine has {most} in one piece; shorten the sentences"
                )
            }
            Self::Session(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Fault {}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { board, isa, config, model_bytes, code_bytes, opening } => {
                writeln!(f, "{board}, kernels: {isa}")?;
                writeln!(
                    f,
                    "model: {} with {} head, {} layers of {}, {} vocabulary entries, {model_bytes} bytes",
                    config.architecture, config.head, config.layers, config.hidden, config.vocab_size
                )?;
                writeln!(f, "code: {code_bytes} bytes")?;
                write!(f, "opened in {opening} instructions")
            }
            Self::Arena { bytes, place, tokens } => write!(f, "arena: {bytes} bytes in {place} for {tokens} tokens"),
            Self::Answer { number, text, answer, tokens, instructions, difference } => {
                writeln!(f, "{number}. {text}")?;
                writeln!(f, "   {answer}")?;
                writeln!(f, "   {tokens} tokens, {instructions} instructions")?;
                match difference {
                    None => write!(f, "   bits: equal to the host"),
                    Some(difference) => write!(f, "   bits: DIFFERENT: {difference}"),
                }
            }
            Self::End { sentences, equal } if sentences == equal => {
                write!(f, "all {sentences} sentences: equal to the host, bit for bit")
            }
            Self::End { sentences, equal } => {
                write!(f, "{} of {sentences} sentences: DIFFERENT from the host", sentences - equal)
            }
            Self::Fault(fault) => write!(f, "error: {fault}"),
        }
    }
}

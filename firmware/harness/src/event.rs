//! What a machine reports, as data: each machine chooses how it gets out.

use core::fmt;

use distil_runtime::{Config, Head, Isa, Operation};

use crate::check::Difference;
use crate::classify::prompt;
use crate::fault::Fault;
use crate::machine::Unit;
use crate::profile::{Operations, Profile};

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
        /// What it took to check the file.
        opening: u64,
        /// In this unit.
        unit: Unit,
    },
    /// The kernels were compared with the reference.
    Kernels {
        /// The kernels.
        isa: Isa,
        /// How many results were compared, or the operation that differs.
        result: Result<u32, &'static str>,
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
        /// From text to answer.
        count: u64,
        /// In this unit.
        unit: Unit,
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
    /// Texts can be typed now.
    Ready {
        /// What the model answers with.
        head: Head,
    },
    /// What was typed is answered.
    Reply {
        /// The answer in words.
        answer: &'e str,
        /// Tokens of the text, `[CLS]` and `[SEP]` included.
        tokens: usize,
        /// From text to answer.
        count: u64,
        /// In this unit.
        unit: Unit,
    },
    /// Nothing more is answered.
    Bye {
        /// Texts that were answered.
        texts: u32,
    },
    /// A text of some length was measured.
    Bench {
        /// Its tokens, `[CLS]` and `[SEP]` included.
        tokens: usize,
        /// From text to answer.
        count: u64,
        /// In this unit.
        unit: Unit,
        /// Bytes of the arena.
        arena: usize,
        /// The memory it is in.
        place: &'static str,
    },
    /// What the parts of that text cost.
    Profile {
        /// The parts.
        profile: Profile,
        /// In this unit.
        unit: Unit,
    },
    /// What the operations of that text's layers cost on one core.
    Operations {
        /// One for each of [`Operation::ALL`].
        operations: &'e Operations,
        /// In this unit.
        unit: Unit,
    },
    /// What each core did of the text that was measured last, one core at a time.
    Cores {
        /// The first core's part, then the others'.
        parts: &'e [u64],
        /// In this unit.
        unit: Unit,
    },
    /// The stack at its deepest.
    Stack {
        /// Bytes that were in use.
        used: usize,
        /// Bytes that there are.
        of: usize,
    },
    /// The machine has to stop, or a text has no answer.
    Fault(Fault),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { board, isa, config, model_bytes, code_bytes, opening, unit } => {
                writeln!(f, "{board}, kernels: {isa}")?;
                writeln!(
                    f,
                    "model: {} with {} head, {} layers of {}, {} vocabulary entries, {model_bytes} bytes",
                    config.architecture, config.head, config.layers, config.hidden, config.vocab_size
                )?;
                writeln!(f, "code: {code_bytes} bytes")?;
                write!(f, "opened in {opening} {}", unit.name())
            }
            Self::Kernels { isa, result: Ok(0) } => write!(f, "kernels: {isa} has nothing to be compared with"),
            Self::Kernels { isa, result: Ok(count) } => {
                write!(f, "kernels: {count} results of {isa} are equal to the reference")
            }
            Self::Kernels { isa, result: Err(operation) } => {
                write!(f, "kernels: DIFFERENT: {operation} of {isa} is not equal to the reference")
            }
            Self::Arena { bytes, place, tokens } => write!(f, "arena: {bytes} bytes in {place} for {tokens} tokens"),
            Self::Answer { number, text, answer, tokens, count, unit, difference } => {
                writeln!(f, "{number}. {text}")?;
                writeln!(f, "   {answer}")?;
                writeln!(f, "   {tokens} tokens, {count} {}", unit.name())?;
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
            Self::Ready { head } => {
                write!(f, "ready: {} and press enter; `quit` or the end of input ends", prompt(*head))
            }
            Self::Reply { answer, tokens, count, unit } => {
                writeln!(f, "{answer}")?;
                write!(f, "   {tokens} tokens, {count} {}", unit.name())
            }
            Self::Bye { texts } => write!(f, "answered {texts} texts"),
            Self::Bench { tokens, count, unit, arena, place } => {
                write!(f, "{tokens} tokens: {count} {}, arena {arena} bytes in {place}", unit.name())
            }
            Self::Profile { profile: Profile { text, embeddings, layers, head }, unit } => {
                let unit = unit.name();
                write!(
                    f,
                    "   text {text} {unit}, embeddings {embeddings} {unit}, layers {layers} {unit}, head {head} {unit}"
                )
            }
            Self::Operations { operations, unit } => {
                let parts = Operation::ALL.into_iter().zip(*operations).enumerate();
                parts.into_iter().try_for_each(|(at, (operation, count))| {
                    // Lines that can be read: the rows to heads, attention, the rest.
                    let before = match at {
                        0 => "   ",
                        5 | 9 => "\n   ",
                        _ => ", ",
                    };
                    write!(f, "{before}{} {count} {}", operation.name(), unit.name())
                })
            }
            Self::Cores { parts, unit } => {
                write!(f, "   in turns:")?;
                parts.iter().enumerate().try_for_each(|(core, part)| {
                    write!(f, "{} core {core} {part} {}", if core == 0 { "" } else { "," }, unit.name())
                })
            }
            Self::Stack { used, of } => write!(f, "stack: {used} bytes of {of}"),
            Self::Fault(fault) => write!(f, "error {}: {fault}", fault.exit_code()),
        }
    }
}

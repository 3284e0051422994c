//! What a machine brings: its memory, its counter, and its way to a person.

use distil_runtime::Executor;

use crate::event::Event;

/// A part of RAM that may serve as the arena.
#[derive(Debug)]
pub struct Ram<'b> {
    /// What the machine calls it.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: &'b mut [u8],
}

/// What a machine's counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Instructions: an emulator's.
    Instructions,
    /// Cycles of the processor's clock: a board's.
    Cycles,
}

impl Unit {
    /// Its name, in the plural.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Cycles => "cycles",
        }
    }
}

/// The parts of a machine, each for the program to use as long as it runs.
pub struct Board<'b> {
    /// The machine and its processor.
    pub name: &'static str,
    /// What [`Machine::count`] counts.
    pub unit: Unit,
    /// The region where the model lies, longer than any model that fits.
    pub model: &'b [u8],
    /// The region where the check file lies; only the self-test reads it.
    pub check: &'b [u8],
    /// Where the arena may be, the best place first.
    pub ram: &'b mut [Ram<'b>],
    /// The processor's cores.
    pub executor: &'b dyn Executor,
    /// Bytes of the program's code and constants.
    pub code_bytes: usize,
}

/// What the harness needs of a machine while it runs.
pub trait Machine {
    /// Shows one event to the person at the other end.
    fn report(&mut self, event: &Event<'_>);

    /// Waits until something is typed and puts at least one byte of it into `buffer`; 0 is the end of all input.
    fn read(&mut self, buffer: &mut [u8]) -> usize;

    /// Most bytes of stack that were in use at any time, and how many there are; `None` where that is not known.
    fn stack(&mut self) -> Option<(usize, usize)>;

    /// A sign of life, for a watchdog to be fed: called between the slices in which the model is opened, before each text,
    /// behind its embeddings and each of its layers, and for each `[MASK]` that is filled. What takes longest between two
    /// calls is a layer, a part of the vocabulary's proof, or the scores of all vocabulary entries for a `[MASK]`.
    fn alive(&mut self) {}

    /// With `true`, only one core works at a time from now on. Where all cores share a counter, as in an emulator, what each
    /// of them does can then be told apart.
    fn take_turns(&mut self, _in_turns: bool) {}

    /// What a core has counted at work so far, without waiting for others.
    fn worked(&mut self, _core: usize) -> u64 {
        0
    }

    /// Instructions or cycles since some fixed moment.
    fn count() -> u64;
}

/// Reads the machine's counter, always in pairs: where work that is measured begins, and where it ends.
///
/// A function of its own in every program, because profilers of the emulator look for it: what runs between the first
/// and the second call of a pair is what they count.
#[inline(never)]
pub(crate) fn read_counter<M: Machine>() -> u64 {
    M::count()
}

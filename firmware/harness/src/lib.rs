//! What every machine does with its model: open it where it lies, answer the sentences of the check file, compare
//! every output with the host's bit for bit, and report.
//!
//! A machine brings its memory ([`Board`]), a place for the report and a counter of instructions ([`Machine`]);
//! everything else is here and is the same on all of them. Nothing allocates, and nothing here is unsafe.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod check;
#[cfg(feature = "defmt")]
mod defmt_format;
mod event;
mod line;
mod sentence;

pub use check::{Check, CheckError, Difference, Expected};
pub use event::{Event, Fault};
pub use line::Line;

use distil_runtime::{Artifact, Model, OpenError, Plan, Session, SingleThread, arena_len};

use sentence::Saved;

/// Everything was equal to the host.
pub const EXIT_EQUAL: u8 = 0;
/// An output differs from the host's.
pub const EXIT_DIFFERENT: u8 = 1;
/// There is no model or no check file, or one of them is not valid.
pub const EXIT_NO_MODEL: u8 = 2;
/// The program panicked; used by the machines' panic handlers.
pub const EXIT_PANIC: u8 = 101;
/// The processor took a fault; used by the machines' exception handlers.
pub const EXIT_FAULT: u8 = 102;

/// A part of RAM that may serve as the arena.
#[derive(Debug)]
pub struct Ram<'b> {
    /// What the machine calls it.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: &'b mut [u8],
}

/// The memory of a machine.
#[derive(Debug)]
pub struct Board<'b> {
    /// The machine and its processor.
    pub name: &'static str,
    /// The region where the model lies, longer than any model that fits.
    pub model: &'b [u8],
    /// The region where the check file lies.
    pub check: &'b [u8],
    /// Where the arena may be, the best place first.
    pub ram: &'b mut [Ram<'b>],
    /// Bytes of the program's code and constants.
    pub code_bytes: usize,
}

/// What the harness needs of a machine while it runs.
pub trait Machine {
    /// Shows one event to the person at the other end.
    fn report(&mut self, event: &Event<'_>);
    /// Instructions executed since some fixed moment.
    fn instructions(&mut self) -> u64;
}

/// Does everything and returns the code to exit with.
pub fn run<'b>(board: Board<'b>, machine: &mut impl Machine) -> u8 {
    match answer_all(board, machine) {
        Ok((sentences, equal)) => {
            machine.report(&Event::End { sentences, equal });
            if equal == sentences { EXIT_EQUAL } else { EXIT_DIFFERENT }
        }
        Err(fault) => {
            machine.report(&Event::Fault(fault));
            EXIT_NO_MODEL
        }
    }
}

/// Returns how many sentences there were and how many of them were equal to the host.
fn answer_all<'b>(board: Board<'b>, machine: &mut impl Machine) -> Result<(u32, u32), Fault> {
    let before = read_counter(machine);
    let artifact = open(board.model).map_err(Fault::Open)?;
    let opening = read_counter(machine).wrapping_sub(before);
    let check = Check::parse(board.check).map_err(Fault::Check)?;
    if check.model_checksum() != artifact.checksum() {
        return Err(Fault::OtherModel { checked: check.model_checksum(), found: artifact.checksum() });
    }
    let model = Model::new(&artifact).map_err(Fault::Model)?;
    let config = artifact.config();
    machine.report(&Event::Start {
        board: board.name,
        isa: model.isa(),
        config,
        model_bytes: artifact.len(),
        code_bytes: board.code_bytes,
        opening,
    });

    let max_tokens = check.sentences().map(|sentence| sentence.tokens).max().unwrap_or(0) as usize;
    let saved_len = Saved::len(config);
    let most = board.ram.iter().map(|ram| ram.bytes.len()).max().unwrap_or(0);
    // The fast plan where it fits, else the small one: the answers are the same.
    let needs = |plan| arena_len(&artifact, max_tokens, plan).saturating_add(saved_len);
    let plan = if needs(Plan::FAST) <= most { Plan::FAST } else { Plan::SMALL };
    let (needed, total) = (arena_len(&artifact, max_tokens, plan), needs(plan));
    let ram = board.ram.iter_mut().find(|ram| ram.bytes.len() >= total).ok_or(Fault::Ram { needed: total, most })?;
    machine.report(&Event::Arena { bytes: needed, place: ram.name, tokens: max_tokens });

    let (saved, rest) = ram.bytes.split_at_mut(saved_len);
    let mut session =
        Session::with_plan(&model, &mut rest[..needed], max_tokens, plan, &SingleThread).map_err(Fault::Session)?;
    let mut first = Saved::new(saved);
    let (mut sentences, mut equal) = (0, 0);
    for expected in check.sentences() {
        sentences += 1;
        let outcome = sentence::answer(&mut session, &artifact, &expected, &mut first, machine).map_err(Fault::Run)?;
        equal += u32::from(outcome.difference.is_none());
        machine.report(&Event::Answer {
            number: sentences,
            text: expected.text,
            answer: outcome.answer.as_str(),
            tokens: outcome.tokens,
            instructions: outcome.instructions,
            difference: outcome.difference,
        });
    }
    Ok((sentences, equal))
}

/// Reads the machine's counter, always in pairs: where work that is measured begins, and where it ends.
///
/// A function of its own in every program, because profilers of the emulator look for it: what runs between the first
/// and the second call of a pair is what they count.
#[inline(never)]
fn read_counter(machine: &mut impl Machine) -> u64 {
    machine.instructions()
}

/// Opens the file at the start of a longer region; the header says where it ends.
fn open(region: &[u8]) -> Result<Artifact<'_>, OpenError> {
    match Artifact::open(region) {
        Err(OpenError::Length { declared, actual }) => {
            let file = usize::try_from(declared).ok().and_then(|len| region.get(..len));
            Artifact::open(file.ok_or(OpenError::Length { declared, actual })?)
        }
        result => result,
    }
}

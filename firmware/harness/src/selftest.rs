//! The self-test: the kernels against the reference, then the sentences of the check file, every output against the
//! host's.

use distil_runtime::{Kernels, Model, Session};

use crate::answer::{self, Saved};
use crate::check::Check;
use crate::event::Event;
use crate::fault::{EXIT_DIFFERENT, EXIT_OK, Fault};
use crate::machine::{Board, Machine};
use crate::{kernels, start};

/// Runs it; the exit code says whether everything was equal.
pub(crate) fn run<M: Machine>(board: Board<'_>, machine: &mut M) -> Result<u8, Fault> {
    let (artifact, opening) = start::open(&board, machine)?;
    let check = Check::parse(board.check).map_err(Fault::Check)?;
    if check.model_checksum() != artifact.checksum() {
        return Err(Fault::OtherModel { checked: check.model_checksum(), found: artifact.checksum() });
    }
    let model = Model::new(&artifact).map_err(Fault::Model)?;
    start::report(&board, &model, opening, machine);

    machine.alive();
    let kernels = kernels::compare(Kernels::detect());
    machine.report(&Event::Kernels { isa: model.isa(), result: kernels });

    let tokens = check.sentences().map(|sentence| sentence.tokens).max().unwrap_or(0) as usize;
    let needs = start::needs(&artifact, tokens, &board)?;
    let unit = board.unit;
    let executor = board.executor;
    let ram = start::place(board.ram, &needs)?;
    machine.report(&Event::Arena { bytes: needs.arena, place: ram.name, tokens });

    let (saved, rest) = ram.bytes.split_at_mut(Saved::len(artifact.config()));
    let arena = &mut rest[..needs.arena];
    let mut session = Session::with_plan(&model, arena, tokens, needs.plan, executor).map_err(Fault::Session)?;
    let mut first = Saved::new(saved);
    let (mut sentences, mut equal) = (0, 0);
    for expected in check.sentences() {
        sentences += 1;
        let mut comparison = expected.compare();
        let outcome = answer::answer(&mut session, &artifact, expected.text, &mut comparison, &mut first, machine)
            .map_err(Fault::Run)?;
        let difference = comparison.finish();
        equal += u32::from(difference.is_none());
        machine.report(&Event::Answer {
            number: sentences,
            text: expected.text,
            answer: outcome.answer.as_str(),
            tokens: outcome.tokens,
            count: outcome.count,
            unit,
            difference,
        });
    }
    machine.report(&Event::End { sentences, equal });
    Ok(if equal == sentences && kernels.is_ok() { EXIT_OK } else { EXIT_DIFFERENT })
}

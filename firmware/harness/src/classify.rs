//! Answers what is typed: a text a line, or with question answering a question, a tab and a context.

use distil_runtime::{Artifact, Head, Model, Session};

use crate::answer::{self, Saved};
use crate::check::Comparison;
use crate::event::Event;
use crate::fault::{EXIT_OK, Fault};
use crate::input::Lines;
use crate::machine::{Board, Machine};
use crate::start::{self, Needs};

/// Most tokens of a text, where the model has positions and the machine has memory for them.
const MOST_TOKENS: usize = 128;

/// Answers until `quit` or the end of input.
pub(crate) fn run<M: Machine>(board: Board<'_>, machine: &mut M) -> Result<u8, Fault> {
    let (artifact, opening) = start::open(&board, machine)?;
    let model = Model::new(&artifact).map_err(Fault::Model)?;
    start::report(&board, &model, opening, machine);
    let (tokens, needs) = longest(&artifact, &board)?;
    let unit = board.unit;
    let executor = board.executor;
    let ram = start::place(board.ram, &needs)?;
    machine.report(&Event::Arena { bytes: needs.arena, place: ram.name, tokens });

    let (saved, rest) = ram.bytes.split_at_mut(Saved::len(artifact.config()));
    let arena = &mut rest[..needs.arena];
    let session = Session::with_plan(&model, arena, tokens, needs.plan, executor).map_err(Fault::Session)?;
    let mut session = session.answers_only(true);
    let mut first = Saved::new(saved);
    let mut lines = Lines::new();
    machine.report(&Event::Ready { head: artifact.config().head });
    let mut texts = 0;
    while let Some(line) = lines.next(machine) {
        let text = match line {
            Ok("quit") => break,
            Ok(text) if text.trim().is_empty() => continue,
            Ok(text) => text,
            Err(fault) => {
                machine.report(&Event::Fault(fault));
                continue;
            }
        };
        match answer::answer(&mut session, &artifact, text, &mut Comparison::none(), &mut first, machine) {
            Ok(outcome) => {
                texts += 1;
                let (answer, tokens, count) = (outcome.answer.as_str(), outcome.tokens, outcome.count);
                machine.report(&Event::Reply { answer, tokens, count, unit });
            }
            Err(error) => machine.report(&Event::Fault(Fault::Run(error))),
        }
    }
    machine.report(&Event::Bye { texts });
    Ok(EXIT_OK)
}

/// As many tokens as there may be: half as many for as long as no memory holds the arena.
fn longest(artifact: &Artifact<'_>, board: &Board<'_>) -> Result<(usize, Needs), Fault> {
    let mut tokens = MOST_TOKENS.min(artifact.config().max_positions as usize);
    loop {
        match start::needs(artifact, tokens, board) {
            Ok(needs) => return Ok((tokens, needs)),
            Err(fault) if tokens < 16 => return Err(fault),
            Err(_) => tokens /= 2,
        }
    }
}

/// What to type for this head.
pub(crate) const fn prompt(head: Head) -> &'static str {
    match head {
        Head::MaskedLm => "type a text with a [MASK]",
        Head::QuestionAnswering => "type a question, a tab and a text that has the answer",
        _ => "type a text",
    }
}

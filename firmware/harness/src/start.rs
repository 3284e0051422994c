//! What the three programs begin with: the model where it lies, and the memory it needs.

use distil_runtime::{Artifact, Model, OpenError, Opening, Plan, arena_len};

use crate::answer::Saved;
use crate::event::Event;
use crate::fault::Fault;
use crate::machine::{Board, Machine, Ram, read_counter};

/// Bytes of the model that are checked between two signs of life.
const SLICE: usize = 64 << 10;

/// Checks the model in its region, in slices.
pub(crate) fn open<'b, M: Machine>(board: &Board<'b>, machine: &mut M) -> Result<(Artifact<'b>, u64), Fault> {
    let before = read_counter::<M>();
    let artifact = open_region(board.model, || machine.alive())?;
    Ok((artifact, read_counter::<M>().wrapping_sub(before)))
}

/// Says what was opened.
pub(crate) fn report<M: Machine>(board: &Board<'_>, model: &Model<'_>, opening: u64, machine: &mut M) {
    machine.report(&Event::Start {
        board: board.name,
        isa: model.isa(),
        config: model.config(),
        model_bytes: model.artifact().len(),
        code_bytes: board.code_bytes,
        opening,
        unit: board.unit,
    });
}

/// Opens the file at the start of a longer region; the header says where it ends.
fn open_region(region: &[u8], mut alive: impl FnMut()) -> Result<Artifact<'_>, Fault> {
    /// Bytes of a file's header.
    const HEADER: usize = 64;
    let mut open = |bytes| {
        let mut opening = Opening::new(bytes);
        loop {
            alive();
            if let Some(artifact) = opening.step(SLICE)? {
                return Ok(artifact);
            }
        }
    };
    let result = match open(region) {
        Err(OpenError::Length { declared, actual }) => {
            let file = usize::try_from(declared).ok().and_then(|len| region.get(..len));
            file.ok_or(OpenError::Length { declared, actual }).and_then(open)
        }
        result => result,
    };
    let erased = region.iter().take(HEADER).all(|&byte| byte == 0xff);
    result.map_err(|error| if error == OpenError::Magic && erased { Fault::Erased } else { Fault::Open(error) })
}

/// How sessions of up to so many tokens run.
#[derive(Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) plan: Plan,
    /// Bytes of the arena.
    pub(crate) arena: usize,
    /// With what is kept beside it.
    pub(crate) total: usize,
}

/// The fast plan where some memory has room for it, else the small one: the answers are the same.
pub(crate) fn needs(artifact: &Artifact<'_>, tokens: usize, board: &Board<'_>) -> Result<Needs, Fault> {
    let most = board.ram.iter().map(|ram| ram.bytes.len()).max().unwrap_or(0);
    let of = |plan: Plan| {
        let plan = plan.with_threads(board.executor.threads());
        let arena = arena_len(artifact, tokens, plan);
        Needs { plan, arena, total: arena.saturating_add(Saved::len(artifact.config())) }
    };
    let (fast, small) = (of(Plan::FAST), of(Plan::SMALL));
    let chosen = if fast.total <= most { fast } else { small };
    if chosen.total <= most { Ok(chosen) } else { Err(Fault::Ram { needed: chosen.total, most }) }
}

/// The first memory with room.
pub(crate) fn place<'r, 'b>(ram: &'r mut [Ram<'b>], needs: &Needs) -> Result<&'r mut Ram<'b>, Fault> {
    let most = ram.iter().map(|ram| ram.bytes.len()).max().unwrap_or(0);
    let found = ram.iter_mut().find(|ram| ram.bytes.len() >= needs.total);
    found.ok_or(Fault::Ram { needed: needs.total, most })
}

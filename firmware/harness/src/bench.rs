//! What texts of several lengths cost: instructions or cycles, whole and by part, arena, stack.

use distil_runtime::{Head, Model, Session, SingleThread};

use crate::answer::{self, Saved};
use crate::check::Comparison;
use crate::event::Event;
use crate::fault::{EXIT_OK, Fault};
use crate::machine::{Board, Machine};
use crate::profile::{self, Ids};
use crate::start;

/// Tokens of the texts.
const LENGTHS: [usize; 5] = [8, 16, 32, 64, 128];
/// More cores are not told apart.
const MOST_CORES: usize = 8;

/// Measures every length that the model has positions for and the machine memory.
pub(crate) fn run<M: Machine>(board: Board<'_>, machine: &mut M) -> Result<u8, Fault> {
    let (artifact, opening) = start::open(&board, machine)?;
    let model = Model::new(&artifact).map_err(Fault::Model)?;
    start::report(&board, &model, opening, machine);
    let config = artifact.config();
    for tokens in LENGTHS.into_iter().filter(|&tokens| tokens <= config.max_positions as usize) {
        let needs = match start::needs(&artifact, tokens, &board) {
            Ok(needs) => needs,
            Err(fault) => {
                machine.report(&Event::Fault(fault));
                break;
            }
        };
        let (unit, executor) = (board.unit, board.executor);
        let ram = start::place(board.ram, &needs)?;
        let (saved, rest) = ram.bytes.split_at_mut(Saved::len(config));
        let arena = &mut rest[..needs.arena];
        let session = Session::with_plan(&model, arena, tokens, needs.plan, executor).map_err(Fault::Session)?;
        let mut session = session.answers_only(true);
        let mut letters = Letters::new();
        let text = letters.text(tokens - 2, config.head == Head::MaskedLm);
        let outcome =
            answer::answer(&mut session, &artifact, text, &mut Comparison::none(), &mut Saved::new(saved), machine)
                .map_err(Fault::Run)?;
        machine.report(&Event::Bench {
            tokens: outcome.tokens,
            count: outcome.count,
            unit,
            arena: needs.arena,
            place: ram.name,
        });
        let ids = Ids::<MOST_TOKENS>::of(&session);
        let profile =
            profile::parts(&mut session, &artifact, (text, &ids), outcome.count, machine).map_err(Fault::Run)?;
        machine.report(&Event::Profile { profile, unit });
        let cores = executor.threads().min(MOST_CORES);
        if cores > 1 {
            let worked = |machine: &mut M| {
                let mut parts = [0; MOST_CORES];
                parts[..cores].iter_mut().enumerate().for_each(|(core, part)| *part = machine.worked(core));
                parts
            };
            machine.take_turns(true);
            let before = worked(machine);
            session.observe(text, None, |_, _| machine.alive()).map_err(Fault::Run)?;
            let mut parts = worked(machine);
            machine.take_turns(false);
            parts.iter_mut().zip(before).for_each(|(part, before)| *part = part.wrapping_sub(before));
            machine.report(&Event::Cores { parts: &parts[..cores], unit });
        }
        // One core at a time can be told apart by operation, and needs no more memory than several.
        let plan = needs.plan.with_threads(1);
        let session = Session::with_plan(&model, arena, tokens, plan, &SingleThread).map_err(Fault::Session)?;
        let mut session = session.answers_only(true);
        let operations = profile::operations(&mut session, &ids, machine).map_err(Fault::Run)?;
        machine.report(&Event::Operations { operations: &operations, unit });
    }
    if let Some((used, of)) = machine.stack() {
        machine.report(&Event::Stack { used, of });
    }
    Ok(EXIT_OK)
}

/// Tokens of the longest text.
const MOST_TOKENS: usize = LENGTHS[LENGTHS.len() - 1];
/// Most words of a text.
const MOST_WORDS: usize = MOST_TOKENS;

/// Words of one letter, which every vocabulary has as tokens.
struct Letters([u8; 2 * MOST_WORDS + MASK.len()]);

const MASK: &[u8] = b"[MASK]";

impl Letters {
    const fn new() -> Self {
        Self([b' '; 2 * MOST_WORDS + MASK.len()])
    }

    /// So many words, each a token, where `masked` the first is `[MASK]`.
    fn text(&mut self, words: usize, masked: bool) -> &str {
        let mut len = 0;
        let mut push = |word: &[u8]| {
            self.0[len..len + word.len()].copy_from_slice(word);
            len += word.len() + 1;
        };
        for i in 0..words {
            if masked && i == 0 { push(MASK) } else { push(&[b'a' + (i % 26) as u8]) }
        }
        core::str::from_utf8(&self.0[..len.saturating_sub(1)]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{LENGTHS, Letters};

    #[test]
    fn texts_have_as_many_words_as_they_should() {
        assert_eq!(Letters::new().text(3, false), "a b c");
        assert_eq!(Letters::new().text(3, true), "[MASK] b c");
        for words in LENGTHS {
            assert_eq!(Letters::new().text(words, words % 16 == 0).split(' ').count(), words);
        }
    }
}

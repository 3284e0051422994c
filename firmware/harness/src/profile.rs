//! What the parts of a text's answer cost, and the operations of its layers.

use core::ops::ControlFlow;
use core::sync::atomic::{AtomicU32, Ordering};

use distil_runtime::{Artifact, Operation, RunError, Session, tokenizer};

use crate::machine::Machine;

/// What the parts of a text's answer cost.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// From the text to its tokens.
    pub text: u64,
    /// From the tokens to the first hidden states.
    pub embeddings: u64,
    /// All layers.
    pub layers: u64,
    /// From the last hidden states to the answer.
    pub head: u64,
}

/// Token ids of a text.
pub(crate) struct Ids<const N: usize> {
    ids: [u32; N],
    len: usize,
}

impl<const N: usize> Ids<N> {
    /// Those encoded last.
    pub(crate) fn of(session: &Session<'_>) -> Self {
        let mut ids = [0; N];
        let len = session.ids().len().min(N);
        ids[..len].copy_from_slice(&session.ids()[..len]);
        Self { ids, len }
    }

    fn as_slice(&self) -> &[u32] {
        &self.ids[..self.len]
    }
}

/// Runs the parts of an answer that cost `whole` once more, one by one; the head is what is left.
pub(crate) fn parts<M: Machine, const N: usize>(
    session: &mut Session<'_>,
    artifact: &Artifact<'_>,
    (text, ids): (&str, &Ids<N>),
    whole: u64,
    machine: &mut M,
) -> Result<Profile, RunError> {
    let reader = tokenizer(artifact.config(), artifact.vocabulary());
    let start = M::count();
    let _ = reader.for_each(text, |_| ControlFlow::<()>::Continue(()));
    let text = M::count().wrapping_sub(start);

    let start = M::count();
    let (mut first, mut last) = (start, start);
    session.observe_ids(ids.as_slice(), None, |layer, _| {
        machine.alive();
        last = M::count();
        if layer == 0 {
            first = last;
        }
    })?;
    let (embeddings, layers) = (first.wrapping_sub(start), last.wrapping_sub(first));
    let head = whole.saturating_sub(text).saturating_sub(embeddings).saturating_sub(layers);
    Ok(Profile { text, embeddings, layers, head })
}

/// What the operations of all layers cost, in the order of [`Operation::ALL`].
pub type Operations = [u64; Operation::ALL.len()];

/// Runs the layers once more on one core, reading the counter behind every operation. What the reading itself counts is
/// measured before and taken off.
pub(crate) fn operations<M: Machine, const N: usize>(
    session: &mut Session<'_>,
    ids: &Ids<N>,
    machine: &mut M,
) -> Result<Operations, RunError> {
    /// Readings that the cost of one is taken from.
    const TRIALS: u32 = 256;
    let empty = Laps::new();
    let start = M::count();
    empty.skip::<M>();
    (0..TRIALS).for_each(|_| empty.lap::<M>(Operation::Quantize));
    let reading = M::count().wrapping_sub(start) / u64::from(TRIALS);

    let laps = Laps::new();
    let observe = |_, _: &[f32]| {
        machine.alive();
        laps.skip::<M>();
    };
    session.watch_ids(ids.as_slice(), None, observe, &|operation| laps.lap::<M>(operation))?;
    Ok(Operation::ALL.map(|operation| {
        let (count, times) = laps.of(operation);
        count.saturating_sub(times * reading)
    }))
}

/// Counts by operation. Shared, as a [`Session`] wants it, but for one core: processors without atomic arithmetic have it,
/// too.
struct Laps {
    last: Wide,
    counts: [Wide; Operation::ALL.len()],
    times: [AtomicU32; Operation::ALL.len()],
}

impl Laps {
    const fn new() -> Self {
        Self {
            last: Wide::new(),
            counts: [const { Wide::new() }; Operation::ALL.len()],
            times: [const { AtomicU32::new(0) }; Operation::ALL.len()],
        }
    }

    /// What was counted since the last call is nobody's.
    fn skip<M: Machine>(&self) {
        self.last.set(M::count());
    }

    /// What was counted since the last call is the operation's.
    fn lap<M: Machine>(&self, operation: Operation) {
        let (now, at) = (M::count(), operation as usize);
        self.counts[at].set(self.counts[at].get().wrapping_add(now.wrapping_sub(self.last.get())));
        self.times[at].store(self.times[at].load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.last.set(now);
    }

    /// The operation's count, and how often it was told of.
    fn of(&self, operation: Operation) -> (u64, u64) {
        let at = operation as usize;
        (self.counts[at].get(), u64::from(self.times[at].load(Ordering::Relaxed)))
    }
}

/// 64 bits in two words.
struct Wide(AtomicU32, AtomicU32);

impl Wide {
    const fn new() -> Self {
        Self(AtomicU32::new(0), AtomicU32::new(0))
    }

    fn get(&self) -> u64 {
        u64::from(self.1.load(Ordering::Relaxed)) << 32 | u64::from(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, value: u64) {
        self.0.store(value as u32, Ordering::Relaxed);
        self.1.store((value >> 32) as u32, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU32, Ordering};

    use distil_runtime::Operation;

    use super::{Laps, Wide};
    use crate::event::Event;
    use crate::machine::Machine;

    static CLOCK: AtomicU32 = AtomicU32::new(0);

    struct Clocked;

    impl Machine for Clocked {
        fn report(&mut self, _: &Event<'_>) {}
        fn read(&mut self, _: &mut [u8]) -> usize {
            0
        }
        fn stack(&mut self) -> Option<(usize, usize)> {
            None
        }
        fn count() -> u64 {
            u64::from(CLOCK.load(Ordering::Relaxed))
        }
    }

    fn pass(ticks: u32) {
        CLOCK.fetch_add(ticks, Ordering::Relaxed);
    }

    #[test]
    fn laps_are_their_operations_and_skipped_ones_nobodys() {
        let laps = Laps::new();
        pass(3);
        laps.skip::<Clocked>();
        for (ticks, operation) in [(5, Operation::Keys), (7, Operation::Norm), (11, Operation::Keys)] {
            pass(ticks);
            laps.lap::<Clocked>(operation);
        }
        pass(13);
        laps.skip::<Clocked>();
        pass(1);
        laps.lap::<Clocked>(Operation::Norm);
        assert_eq!((laps.of(Operation::Keys), laps.of(Operation::Norm)), ((16, 2), (8, 2)));
        assert_eq!(laps.of(Operation::Softmax), (0, 0));
    }

    #[test]
    fn two_words_hold_64_bits() {
        let wide = Wide::new();
        wide.set(0x1234_5678_9abc_def0);
        assert_eq!(wide.get(), 0x1234_5678_9abc_def0);
    }
}

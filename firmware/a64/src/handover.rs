//! Handing a job to another core and waiting for it: the protocol, apart from what a core is.
//!
//! Each helping core has a slot. Whoever wants help claims an idle slot, puts the address of a job into it, does its own
//! half, and waits until the helper says that the job is done. The job lies in the frame of the waiting `join`, and may
//! call `join` itself, on the helper. Waiting is a tree: every core waits only for jobs that it handed out, so the last
//! ones always finish.
//!
//! | state | who may touch the job | who moves on |
//! |---|---|---|
//! | absent | nobody | the helper, once, when it has started: idle |
//! | idle | nobody | any core, by compare-exchange: claimed |
//! | claimed | the core that claimed it | that core: ready |
//! | ready | the helper | the helper, after the job has returned: done |
//! | done | nobody | the core that claimed it: idle |
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

const ABSENT: u32 = 0;
const IDLE: u32 = 1;
const CLAIMED: u32 = 2;
const READY: u32 = 3;
const DONE: u32 = 4;

/// What the protocol needs of a processor.
pub trait Processor {
    /// The number of the core that asks, from 0.
    fn core() -> usize;
    /// Instructions or cycles since some fixed moment; never smaller than before on the same core.
    fn count() -> u64;
    /// Sleeps until [`Processor::signal`] is called on some core, or a little less. A signal between the last look at the
    /// state and this call must not be lost.
    fn wait();
    /// Wakes every core that waits, after all that this core has written can be seen by them.
    fn signal();
}

/// A job in the frame of the `join` that waits for it.
type Job = *mut (dyn FnMut() + Send);

/// One core's part of the protocol, in cache lines of its own.
#[repr(align(128))]
struct Slot {
    state: AtomicU32,
    job: UnsafeCell<Option<Job>>,
    /// What this core counted while it waited for others, and, on a helper, while it had a job.
    waited: AtomicU64,
    busy: AtomicU64,
}

// SAFETY: the states in the table above give `job` to one core at a time, and each change of hands is a release store that
// the next owner reads with acquire. The job itself is `Send`.
unsafe impl Sync for Slot {}

impl Slot {
    const fn new() -> Self {
        Self {
            state: AtomicU32::new(ABSENT),
            job: UnsafeCell::new(None),
            waited: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        }
    }

    fn wait_for<P: Processor>(&self, state: u32) {
        while self.state.load(Ordering::Acquire) != state {
            P::wait();
        }
    }
}

/// The cores of a machine: `N` of them, the first being the one that asks for help in the beginning.
pub struct Handover<const N: usize> {
    slots: [Slot; N],
    in_turns: AtomicBool,
}

impl<const N: usize> Handover<N> {
    /// Nobody helps yet.
    pub const fn new() -> Self {
        Self { slots: [const { Slot::new() }; N], in_turns: AtomicBool::new(false) }
    }

    /// Cores that work, the first one included.
    pub fn cores(&self) -> usize {
        1 + self.slots.iter().skip(1).filter(|slot| slot.state.load(Ordering::Acquire) != ABSENT).count()
    }

    /// With `true`, only one core at a time works: a half begins when the other is over. Answers are the same; but where
    /// all cores share one counter, as in an emulator, [`Handover::worked`] then knows what each of them did.
    pub fn take_turns(&self, in_turns: bool) {
        self.in_turns.store(in_turns, Ordering::Relaxed);
    }

    /// What a core has counted at work, without waiting; of the first core, since its counter began.
    pub fn worked<P: Processor>(&self, core: usize) -> u64 {
        let Some(slot) = self.slots.get(core) else { return 0 };
        let busy = if core == 0 { P::count() } else { slot.busy.load(Ordering::Acquire) };
        busy.wrapping_sub(slot.waited.load(Ordering::Acquire))
    }

    /// What a helping core does from its start on; returns at once if there is no slot for it.
    pub fn serve<P: Processor>(&self) {
        let Some(slot) = self.slots.get(P::core()).filter(|_| P::core() > 0) else { return };
        slot.state.store(IDLE, Ordering::Release);
        P::signal();
        loop {
            slot.wait_for::<P>(READY);
            // SAFETY: in this state `job` is this core's alone (the acquire load above saw the release store after it was
            // written).
            let Some(job) = (unsafe { (*slot.job.get()).take() }) else { return };
            let before = P::count();
            // SAFETY: the pointer comes from a `&mut` that `join` holds and does not use until this slot is done, so it is
            // valid and nobody else has it; what it points to is `Send`, so this core may run it. A panic in it ends the
            // machine; it does not come back here.
            unsafe { (*job)() };
            let busy = P::count().wrapping_sub(before);
            slot.busy.fetch_add(busy, Ordering::Release);
            slot.state.store(DONE, Ordering::Release);
            P::signal();
        }
    }

    /// Runs both jobs and returns when both are over: `right` on another core if one is idle.
    pub fn join<P: Processor>(&self, left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
        let Some(slot) = self.claim() else {
            left();
            right();
            return;
        };
        let job: *mut (dyn FnMut() + Send + '_) = right;
        // SAFETY: only the lifetime changes. The helper uses the pointer before it says `DONE`, and this function does not
        // return, nor touch `right`, before it has seen that. Nothing unwinds past it: the machines abort on a panic.
        let job = unsafe { mem::transmute::<*mut (dyn FnMut() + Send + '_), Job>(job) };
        // SAFETY: the slot is claimed, so `job` is this core's alone.
        unsafe { *slot.job.get() = Some(job) };
        slot.state.store(READY, Ordering::Release);
        P::signal();
        if self.in_turns.load(Ordering::Relaxed) {
            self.wait_until_done::<P>(slot);
            left();
        } else {
            left();
            self.wait_until_done::<P>(slot);
        }
        slot.state.store(IDLE, Ordering::Release);
    }

    fn wait_until_done<P: Processor>(&self, slot: &Slot) {
        let before = P::count();
        slot.wait_for::<P>(DONE);
        if let Some(own) = self.slots.get(P::core()) {
            own.waited.fetch_add(P::count().wrapping_sub(before), Ordering::Release);
        }
    }

    /// Of the idle cores the one that has done least.
    fn claim(&self) -> Option<&Slot> {
        let is_idle = |slot: &&Slot| slot.state.load(Ordering::Relaxed) == IDLE;
        loop {
            let least = |slot: &&Slot| slot.busy.load(Ordering::Relaxed);
            let slot = self.slots.iter().skip(1).filter(is_idle).min_by_key(least)?;
            // Another core may have been faster; then another slot may be idle.
            if slot.state.compare_exchange(IDLE, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Some(slot);
            }
        }
    }

    /// Lets the helpers return, once they are idle; for tests.
    #[cfg(test)]
    fn dismiss(&self) {
        for slot in &self.slots[1..] {
            slot.wait_for::<tests::Thread>(IDLE);
            slot.state.store(READY, Ordering::Release);
        }
    }
}

impl<const N: usize> Default for Handover<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;

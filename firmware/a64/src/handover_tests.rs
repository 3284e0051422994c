//! The protocol, with threads for cores.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::{Handover, Processor};

thread_local! {
    static CORE: Cell<usize> = const { Cell::new(0) };
}

/// A counter that all cores share, as in an emulator.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A thread that plays a core.
pub(super) struct Thread;

impl Processor for Thread {
    fn core() -> usize {
        CORE.get()
    }
    fn count() -> u64 {
        COUNT.load(Ordering::SeqCst)
    }
    fn wait() {
        thread::yield_now();
    }
    fn signal() {}
}

/// Runs `work` on the first of `N` cores, with the others helping.
fn with_cores<const N: usize>(work: impl FnOnce(&Handover<N>)) {
    let cores = Handover::<N>::new();
    thread::scope(|scope| {
        for core in 1..N {
            let cores = &cores;
            scope.spawn(move || {
                CORE.set(core);
                cores.serve::<Thread>();
            });
        }
        while cores.cores() < N {
            thread::yield_now();
        }
        work(&cores);
        cores.dismiss();
    });
}

/// Cuts the slice in two again and again, as the runtime cuts its rows, and squares every number.
fn square<const N: usize>(cores: &Handover<N>, numbers: &mut [u64]) {
    if numbers.len() < 2 {
        numbers.iter_mut().for_each(|x| {
            *x *= *x;
            COUNT.fetch_add(1, Ordering::SeqCst);
        });
        return;
    }
    let (left, right) = numbers.split_at_mut(numbers.len() / 2);
    cores.join::<Thread>(&mut || square(cores, left), &mut || square(cores, right));
}

fn squares<const N: usize>(rounds: usize, in_turns: bool) {
    with_cores::<N>(|cores| {
        cores.take_turns(in_turns);
        for round in 0..rounds as u64 {
            let mut numbers: Vec<u64> = (round..round + 37).collect();
            square(cores, &mut numbers);
            assert!(numbers.iter().zip(round..).all(|(found, x)| *found == x * x), "{numbers:?}");
        }
    });
}

/// Miri looks at every access and is a thousand times slower.
const ROUNDS: usize = if cfg!(miri) { 3 } else { 2000 };

#[test]
fn every_job_runs_once_on_any_number_of_cores() {
    squares::<1>(ROUNDS, false);
    squares::<2>(ROUNDS, false);
    squares::<4>(ROUNDS, false);
    squares::<4>(ROUNDS, true);
}

/// What one core does while another has its turn is nothing: so a shared counter tells them apart.
#[test]
fn in_turns_the_parts_add_up() {
    with_cores::<4>(|cores| {
        cores.take_turns(true);
        let before: Vec<u64> = (0..4).map(|core| cores.worked::<Thread>(core)).collect();
        let start = Thread::count();
        let mut numbers: Vec<u64> = (0..64).collect();
        // Other tests count at the same time: their numbers are in the sums here, but never twice.
        square(cores, &mut numbers);
        let parts: Vec<u64> = (0..4).map(|core| cores.worked::<Thread>(core) - before[core]).collect();
        let whole = Thread::count() - start;
        assert!(whole >= 64 && parts.iter().all(|part| *part > 0), "{whole} {parts:?}");
        assert!(parts.iter().sum::<u64>() <= whole, "{whole} {parts:?}");
    });
}

#[test]
fn a_core_without_a_slot_does_not_stay() {
    let cores = Handover::<1>::new();
    CORE.set(3);
    cores.serve::<Thread>();
    CORE.set(0);
    assert_eq!((cores.cores(), cores.worked::<Thread>(9)), (1, 0));
}

//! Threads, as the caller has them.
//!
//! The encoder cuts its work in two and hands both halves to the caller's [`Executor`], again and
//! again until every thread has a part. What a part computes does not depend on how many there are,
//! so the results have the same bits with any number of threads.

/// Runs two jobs, at the same time if it can.
///
/// With `rayon`, whose threads persist, an implementation is:
///
/// ```
/// struct Pool(rayon::ThreadPool);
///
/// impl distil_runtime::Executor for Pool {
///     fn threads(&self) -> usize {
///         self.0.current_num_threads()
///     }
///     fn join(&self, left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
///         self.0.join(left, right);
///     }
/// }
/// ```
///
/// On bare metal, `join` can hand `right` to another core and run `left` on this one.
pub trait Executor: Sync {
    /// How many jobs can run at the same time, at least 1.
    fn threads(&self) -> usize;

    /// Runs both jobs, each exactly once, and returns when both are over. A job may call `join`
    /// again.
    fn join(&self, left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send));
}

/// One thread: the caller's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleThread;

impl Executor for SingleThread {
    fn threads(&self) -> usize {
        1
    }

    fn join(&self, left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
        left();
        right();
    }
}

/// Work that can be cut in two.
pub(crate) trait Work: Sized + Send {
    /// How many pieces it has.
    fn pieces(&self) -> usize;

    /// The first `pieces` pieces with memory for `threads` threads, and the rest.
    fn split(self, pieces: usize, threads: usize) -> (Self, Self);
}

/// Gives each of `threads` threads a part of the work, all parts nearly equal.
pub(crate) fn distribute<W: Work>(executor: &dyn Executor, threads: usize, work: W, run: &(impl Fn(W) + Sync)) {
    if threads < 2 || work.pieces() < 2 {
        return run(work);
    }
    let half = threads / 2;
    let pieces = (work.pieces() * half).div_ceil(threads);
    let (left, right) = work.split(pieces, half);
    let (mut left, mut right) = (Some(left), Some(right));
    executor.join(
        &mut || {
            if let Some(left) = left.take() {
                distribute(executor, half, left, run);
            }
        },
        &mut || {
            if let Some(right) = right.take() {
                distribute(executor, threads - half, right, run);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::sync::Mutex;
    use std::vec::Vec;

    use super::{Executor, SingleThread, Work, distribute};

    /// A range of numbers and the threads it has memory for.
    struct Numbers(core::ops::Range<usize>, usize);

    impl Work for Numbers {
        fn pieces(&self) -> usize {
            self.0.len()
        }
        fn split(self, pieces: usize, threads: usize) -> (Self, Self) {
            let middle = self.0.start + pieces;
            (Self(self.0.start..middle, threads), Self(middle..self.0.end, self.1 - threads))
        }
    }

    #[test]
    fn every_piece_is_run_once_in_nearly_equal_parts() {
        for threads in 1..9 {
            for pieces in [0, 1, 2, 3, 12, 128] {
                let parts = Mutex::new(Vec::new());
                let executor: &dyn Executor = &SingleThread;
                distribute(executor, threads, Numbers(0..pieces, threads), &|part| {
                    parts.lock().unwrap().push((part.0.start, part.0.len(), part.1));
                });
                let mut parts = parts.into_inner().unwrap();
                parts.sort_unstable();
                assert_eq!(parts.iter().map(|part| part.1).sum::<usize>(), pieces);
                assert!(parts.windows(2).all(|pair| pair[0].0 + pair[0].1 == pair[1].0));
                assert!(parts.iter().all(|part| part.2 >= 1), "every part has memory for a thread");
                let most = parts.iter().map(|part| part.1).max().unwrap();
                assert!(most <= pieces.div_ceil(threads) + 1, "{threads} threads, {pieces} pieces: {parts:?}");
            }
        }
    }
}

//! One thread reads, many work, one writes: in order, and with a fixed number of items in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Runs the three stages to the end of the reader or the first error of the writer.
///
/// `read` gets a function that takes a filled item and gives an empty one, or none once the writer has given up. `worker`
/// is called once in each of `threads` threads and returns what works on one item; `write` gets the items in the order in
/// which they were read. Items are made once and used again, `2 x threads + 2` of them, so a slow writer holds up the
/// reader instead of filling the memory.
///
/// Returns what the reader returned and the states of the workers, in no order.
///
/// # Errors
///
/// The writer's; the reader's result, error or not, is part of the success.
pub(super) fn run<T, R, W, E>(
    threads: usize,
    read: impl FnOnce(T, &mut dyn FnMut(T) -> Option<T>) -> R + Send,
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, &mut T) + Sync,
    mut write: impl FnMut(&mut T) -> Result<(), E>,
) -> Result<(R, Vec<W>), E>
where
    T: Default + Send,
    R: Send,
    W: Send,
{
    let (give_back, empty) = channel::<T>();
    let (give_work, waiting) = channel::<(u64, T)>();
    let (give_done, done) = channel::<Option<(u64, T)>>();
    for _ in 0..2 * threads + 1 {
        // The receiver is here: nothing can fail.
        let _ = give_back.send(T::default());
    }
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut number = 0;
            read(T::default(), &mut |item| {
                give_work.send((number, item)).ok()?;
                number += 1;
                empty.recv().ok()
            })
        });
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                let (waiting, worker, work, give_done) = (&waiting, &worker, &work, give_done.clone());
                scope.spawn(move || {
                    let alarm = Alarm(&give_done);
                    let mut state = worker();
                    while let Some((number, mut item)) = next(waiting) {
                        work(&mut state, &mut item);
                        if give_done.send(Some((number, item))).is_err() {
                            break;
                        }
                    }
                    std::mem::forget(alarm);
                    state
                })
            })
            .collect();
        drop(give_done);
        let written = in_order(&done, |mut item| {
            write(&mut item)?;
            item_back(&give_back, item);
            Ok(())
        });
        // Whoever still waits for one of these gives up.
        drop((done, give_back));
        let states = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        let states = states.collect();
        let result = reader.join().unwrap_or_else(|e| std::panic::resume_unwind(e));
        written.map(|()| (result, states))
    })
}

fn item_back<T>(give_back: &Sender<T>, item: T) {
    // The reader may have ended already.
    let _ = give_back.send(item);
}

fn next<T>(waiting: &Mutex<Receiver<T>>) -> Option<T> {
    // A thread that panicked while it waited left the queue as it was.
    waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).recv().ok()
}

/// Calls `write` with the items by number until all have come, a worker has panicked or `write` fails.
fn in_order<T, E>(done: &Receiver<Option<(u64, T)>>, mut write: impl FnMut(T) -> Result<(), E>) -> Result<(), E> {
    let (mut early, mut expected) = (BTreeMap::new(), 0u64);
    while let Ok(Some((number, item))) = done.recv() {
        early.insert(number, item);
        while let Some(item) = early.remove(&expected) {
            expected += 1;
            write(item)?;
        }
    }
    Ok(())
}

/// Tells the writer of a worker that panicked: the item it had will never come.
struct Alarm<'a, T>(&'a Sender<Option<T>>);

impl<T> Drop for Alarm<'_, T> {
    fn drop(&mut self) {
        let _ = self.0.send(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(threads: usize, count: u64, stop_at: u64) -> (Result<Option<u64>, u64>, Vec<u64>) {
        let mut written = vec![];
        let read = |mut item: (u64, u64), give: &mut dyn FnMut((u64, u64)) -> Option<(u64, u64)>| {
            for i in 0..count {
                item.0 = i;
                item = give(item)?;
            }
            Some(count)
        };
        let result = run(
            threads,
            read,
            || 0u64,
            |sum, item| {
                if item.0 % 7 == 0 {
                    thread::sleep(std::time::Duration::from_micros(300));
                }
                item.1 = item.0 * item.0;
                *sum += item.1;
            },
            |item| {
                written.push(item.1);
                if item.0 == stop_at { Err(item.0) } else { Ok(()) }
            },
        );
        let result = result.map(|(read, sums)| {
            assert_eq!(sums.iter().sum::<u64>(), written.iter().sum::<u64>());
            read
        });
        (result, written)
    }

    #[test]
    fn all_in_order() {
        for threads in [1, 2, 5] {
            for count in [0, 1, 3, 500] {
                let (result, written) = squares(threads, count, u64::MAX);
                assert_eq!(result, Ok(Some(count)));
                assert!(written.into_iter().eq((0..count).map(|i| i * i)));
            }
        }
    }

    #[test]
    fn the_writer_stops_everything() {
        let (result, written) = squares(3, 100_000, 10);
        assert_eq!((result, written.len()), (Err(10), 11));
    }

    #[test]
    #[should_panic(expected = "worker broke")]
    fn a_panic_is_passed_on_and_nobody_waits() {
        let read = |mut item: u64, give: &mut dyn FnMut(u64) -> Option<u64>| {
            while let Some(next) = give(item) {
                item = next;
            }
        };
        let write = |_: &mut u64| Ok::<(), ()>(());
        let _ = run(2, read, || (), |(), _| panic!("worker broke"), write);
    }
}

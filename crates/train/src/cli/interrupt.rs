//! Ctrl-C and requests to end.

use crate::comm;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Exit code of an interrupted run, as shells have it.
pub(super) const EXIT_CODE: u8 = 130;

static STOP: AtomicBool = AtomicBool::new(false);

/// A second request that comes sooner is the first one once more: from a terminal, a signal reaches launchers and the processes
/// they started, and many launchers pass it on.
const REPEATED: Duration = Duration::from_secs(1);

/// A flag that the first Ctrl-C or SIGTERM sets; a later one ends the program at once.
pub(super) fn listen() -> &'static AtomicBool {
    let mut first: Option<Instant> = None;
    let handler = move || {
        STOP.store(true, Ordering::Relaxed);
        match first {
            None => {
                first = Some(Instant::now());
                if comm::speaks() {
                    eprintln!("finishing this step, then saving; once more to end at once");
                }
            }
            Some(first) if first.elapsed() > REPEATED => std::process::exit(EXIT_CODE.into()),
            Some(_) => {}
        }
    };
    if let Err(e) = ctrlc::set_handler(handler) {
        eprintln!("note: Ctrl-C will end the run without saving ({e})");
    }
    &STOP
}

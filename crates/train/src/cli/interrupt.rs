//! Ctrl-C and requests to end.

use crate::comm;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Exit code of an interrupted run, as shells have it.
pub(super) const EXIT_CODE: u8 = 130;

static STOP: AtomicBool = AtomicBool::new(false);

/// A second request that comes sooner is the first one once more: from a terminal, a signal reaches launchers and the processes
/// they started, and many launchers pass it on.
const REPEATED: Duration = Duration::from_secs(1);

/// Calls `stop` at the first Ctrl-C or SIGTERM; a later one ends the program at once.
pub(super) fn on_first(stop: impl Fn() + Send + 'static) {
    let mut first: Option<Instant> = None;
    let handler = move || match first {
        None => {
            first = Some(Instant::now());
            stop();
        }
        Some(first) if first.elapsed() > REPEATED => std::process::exit(EXIT_CODE.into()),
        Some(_) => {}
    };
    if let Err(e) = ctrlc::set_handler(handler) {
        eprintln!("note: Ctrl-C will end the program without saving ({e})");
    }
}

/// A flag that the first Ctrl-C or SIGTERM sets, the same for all runs of a program.
pub(super) fn listen() -> &'static AtomicBool {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        on_first(|| {
            STOP.store(true, Ordering::Relaxed);
            if comm::speaks() {
                eprintln!("finishing this step, then saving; once more to end at once");
            }
        });
    });
    &STOP
}

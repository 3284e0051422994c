//! Ctrl-C and requests to end.

use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of an interrupted run, as shells have it.
pub(super) const EXIT_CODE: u8 = 130;

static STOP: AtomicBool = AtomicBool::new(false);

/// A flag that the first Ctrl-C or SIGTERM sets; the second one ends the program at once.
pub(super) fn listen() -> &'static AtomicBool {
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(EXIT_CODE.into());
        }
        eprintln!("finishing this step, then saving; once more to end at once");
    };
    if let Err(e) = ctrlc::set_handler(handler) {
        eprintln!("note: Ctrl-C will end the run without saving ({e})");
    }
    &STOP
}

//! What every machine does with its model: three programs that are the same on all of them.
//!
//! - [`App::Selftest`]: the kernels against the reference, then the sentences of the check file against what the host
//!   answered, bit for bit.
//! - [`App::Classify`]: answers what a person types.
//! - [`App::Bench`]: what texts of several lengths cost, in instructions or cycles, arena and stack.
//!
//! A machine brings its memory ([`Board`]), a way to show and read lines, and a counter ([`Machine`]); everything else
//! is here. Nothing allocates, and nothing here is unsafe.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod answer;
mod app;
mod bench;
mod check;
mod classify;
#[cfg(feature = "defmt")]
mod defmt_format;
mod event;
mod fault;
mod input;
mod kernels;
mod line;
mod machine;
mod profile;
mod selftest;
mod start;

pub use app::{App, UnknownApp};
pub use check::{Check, CheckError, Difference, Expected};
pub use distil_runtime::{Artifact, Executor, OpenError, SingleThread};
pub use event::Event;
pub use fault::{EXIT_DIFFERENT, EXIT_FAULT, EXIT_OK, EXIT_PANIC, EXIT_WATCHDOG, Fault};
pub use line::Line;
pub use machine::{Board, Machine, Ram, Unit};
pub use profile::{Operations, Profile};

/// Runs a program and returns the code to exit with.
pub fn run<'b, M: Machine>(app: Result<App, UnknownApp>, board: Board<'b>, machine: &mut M) -> u8 {
    let result = match app {
        Ok(App::Selftest) => selftest::run(board, machine),
        Ok(App::Classify) => classify::run(board, machine),
        Ok(App::Bench) => bench::run(board, machine),
        Err(UnknownApp) => Err(Fault::App),
    };
    result.unwrap_or_else(|fault| {
        machine.report(&Event::Fault(fault));
        fault.exit_code()
    })
}

//! What the start-up code calls on these boards.
#![allow(unsafe_code)]

use core::fmt::Write;

use distil_a64::cores;
use distil_a64::fault::Fault;
use distil_a64::{counter, mmu};

use crate::memory::TABLES;
use crate::{board, stop};

/// The first core, entered at level 2.
// SAFETY: the name is the one that the start-up code calls, once, on a stack of its own.
#[unsafe(no_mangle)]
extern "C" fn machine_main(entered_at: u64) -> ! {
    mmu::enable(&TABLES);
    counter::start();
    let board = board::this();
    board.start_serial();
    crate::main(&board, cores::start(board.wake(entered_at), cores::MOST))
}

/// Each other core.
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn machine_other() -> ! {
    mmu::enable(&TABLES);
    cores::serve()
}

// SAFETY: the name and the signature are the ones that the start-up code's crate declares.
#[unsafe(no_mangle)]
fn machine_fault(fault: &Fault) -> ! {
    let mut serial = board::this().serial;
    let _ = writeln!(serial, "{fault}");
    stop()
}

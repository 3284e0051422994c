//! What the start-up code calls on this machine.
#![allow(unsafe_code)]

use core::fmt::Write;

use distil_a64::cores::{self, Wake};
use distil_a64::fault::Fault;
use distil_a64::{counter, mmu, semihosting};
use distil_harness::EXIT_FAULT;

use crate::memory::{SERIAL, SPIN_TABLE, TABLES};

/// The first core: the level at which it was entered does not matter here.
// SAFETY: the name is the one that the start-up code calls, once, on a stack of its own.
#[unsafe(no_mangle)]
extern "C" fn machine_main(_entered_at: u64) -> ! {
    mmu::enable(&TABLES);
    counter::start();
    crate::main(cores::start(Wake::SpinTable(SPIN_TABLE), cores::MOST))
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
    let mut serial = SERIAL;
    let _ = writeln!(serial, "{fault}");
    semihosting::exit(EXIT_FAULT)
}

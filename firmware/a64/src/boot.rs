//! The start-up code, and the way from an exception to the machine's report.
#![allow(unsafe_code)]

use core::arch::global_asm;

use crate::fault::Fault;
use crate::processor;

global_asm!(include_str!("boot.s"));

// SAFETY: every machine defines this function, with this signature.
unsafe extern "Rust" {
    safe fn machine_fault(fault: &Fault) -> !;
}

// SAFETY: the name is this crate's own; only `boot.s` refers to it.
#[unsafe(no_mangle)]
extern "C" fn a64_exception(entry: u64, syndrome: u64, instruction: u64, address: u64) -> ! {
    machine_fault(&Fault { core: processor::core(), entry, syndrome, instruction, address })
}

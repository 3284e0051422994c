//! The entry points that `boot.s` calls.
#![allow(unsafe_code)]

use core::arch::global_asm;
use core::fmt::Write;

use distil_harness::EXIT_FAULT;

use crate::serial::Serial;
use crate::{counter, mmu, semihosting};

global_asm!(include_str!("boot.s"));

// SAFETY: the name is this program's own; only `boot.s` refers to it.
#[unsafe(no_mangle)]
extern "C" fn rust_main() -> ! {
    mmu::enable();
    counter::start();
    crate::main()
}

// SAFETY: the name is this program's own; only `boot.s` refers to it.
#[unsafe(no_mangle)]
extern "C" fn rust_fault(esr: u64, elr: u64, far: u64) -> ! {
    let _ = writeln!(Serial, "fault at {elr:#x}: esr={esr:#x} far={far:#x}");
    semihosting::exit(EXIT_FAULT)
}

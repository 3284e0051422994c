//! Distil on an emulated 64-bit ARM machine without an operating system: QEMU's `virt` with a Cortex-A53 or
//! later, reporting through its serial port.
#![no_std]
#![no_main]

mod boot;
mod counter;
mod memory;
mod mmu;
mod processor;
mod semihosting;
mod serial;

use core::fmt::Write;

use distil_harness::{Board, EXIT_FAULT, EXIT_PANIC, Event, Machine, Ram, run};

use semihosting::exit;
use serial::Serial;

/// Reports go to the serial port as text; instructions come from the cycle counter.
struct A64;

impl Machine for A64 {
    fn report(&mut self, event: &Event<'_>) {
        // The serial port takes everything.
        let _ = writeln!(Serial, "{event}");
    }

    fn instructions(&mut self) -> u64 {
        counter::instructions()
    }
}

/// Called by the start-up code, once, with MMU and counter on.
fn main() -> ! {
    let Some(memory) = memory::take() else { exit(EXIT_FAULT) };
    let mut ram = [Ram { name: "DDR", bytes: memory.arena }];
    let board = Board {
        name: processor::board(),
        model: memory.model,
        check: memory.check,
        ram: &mut ram,
        code_bytes: memory.code_bytes,
    };
    exit(run(board, &mut A64))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial, "{info}");
    exit(EXIT_PANIC)
}

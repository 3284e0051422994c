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
mod stack;

use core::fmt::Write;

use distil_harness::{App, Board, EXIT_FAULT, EXIT_PANIC, Event, Machine, Ram, SingleThread, Unit, run};

use semihosting::{command_line, exit};
use serial::Serial;

/// Reports go to the serial port as text; instructions come from the cycle counter.
struct A64;

impl Machine for A64 {
    fn report(&mut self, event: &Event<'_>) {
        // The serial port takes everything.
        let _ = writeln!(Serial, "{event}");
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        Serial.read(buffer)
    }

    fn stack(&mut self) -> Option<(usize, usize)> {
        Some(stack::used())
    }

    fn count() -> u64 {
        counter::instructions()
    }
}

/// Called by the start-up code, once, with MMU and counter on.
fn main() -> ! {
    let Some(memory) = memory::take() else { exit(EXIT_FAULT) };
    let mut ram = [Ram { name: "DDR", bytes: memory.arena }];
    let board = Board {
        name: processor::board(),
        unit: Unit::Instructions,
        model: memory.model,
        check: memory.check,
        ram: &mut ram,
        executor: &SingleThread,
        code_bytes: memory.code_bytes,
    };
    let mut line = [0; 256];
    exit(run(App::of_command_line(command_line(&mut line)), board, &mut A64))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial, "{info}");
    exit(EXIT_PANIC)
}

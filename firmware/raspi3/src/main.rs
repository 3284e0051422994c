//! Distil on the Raspberry Pi 3 that QEMU emulates (`raspi3b`): four Cortex-A53 without an operating system, at the serial
//! port. The boards themselves are served by `../raspberry-pi`.
#![no_std]
#![no_main]

mod boot;
mod memory;

use core::fmt::Write;

use distil_a64::console::Console;
use distil_a64::cores::Cores;
use distil_a64::semihosting::{command_line, exit};
use distil_harness::{App, Board, EXIT_FAULT, EXIT_PANIC, Ram, Unit, run};

use memory::SERIAL;

/// Called by the start-up code, once, with MMU and counter on and the other cores waiting for work.
fn main(cores: Cores) -> ! {
    let Some(memory) = memory::take() else { exit(EXIT_FAULT) };
    let mut ram = [Ram { name: "DDR", bytes: memory.arena }];
    let board = Board {
        name: "raspi3b, Cortex-A53",
        unit: Unit::Instructions,
        model: memory.model,
        check: memory.check,
        ram: &mut ram,
        executor: &cores,
        code_bytes: memory.code_bytes,
    };
    let app = App::of_command_line(command_line(&mut [0; 256]));
    exit(run(app, board, &mut Console { serial: SERIAL, cores }))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut serial = SERIAL;
    let _ = writeln!(serial, "{info}");
    exit(EXIT_PANIC)
}

//! Distil on an emulated 64-bit ARM machine without an operating system: QEMU's `virt` with four Cortex-A53 or
//! later, at its serial port.
#![no_std]
#![no_main]

mod boot;
mod memory;

use core::fmt::Write;

use distil_a64::console::Console;
use distil_a64::cores::Cores;
use distil_a64::processor::{self, Part};
use distil_a64::semihosting::{command_line, exit};
use distil_harness::{App, Board, EXIT_FAULT, EXIT_PANIC, Ram, Unit, run};

use memory::SERIAL;

/// Called by the start-up code, once, with MMU and counter on and the other cores waiting for work.
fn main(cores: Cores) -> ! {
    let Some(memory) = memory::take() else { exit(EXIT_FAULT) };
    let mut ram = [Ram { name: "DDR", bytes: memory.arena }];
    let board = Board {
        name: match processor::part() {
            Part::A53 => "virt, Cortex-A53",
            Part::A57 => "virt, Cortex-A57",
            Part::A72 => "virt, Cortex-A72",
            Part::A76 => "virt, Cortex-A76",
            Part::N1 => "virt, Neoverse-N1",
            Part::Other => "virt, a processor without a name here",
        },
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

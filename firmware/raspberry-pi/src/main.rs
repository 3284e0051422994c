//! Distil on a Raspberry Pi Zero 2 W, 3, 4 or 5 without an operating system: `kernel8.img` and the model come from the SD
//! card, a person sits at the serial port. First the self-test, then the measurements, then texts are answered.
#![no_std]
#![no_main]

mod board;
mod boot;
mod memory;

use core::fmt::Write;

use distil_a64::console::Console;
use distil_a64::cores::Cores;
use distil_harness::{App, Board, Ram, Unit, run};

/// Called by the start-up code, once, with MMU, counter and serial port on and the other cores waiting for work.
fn main(this: &board::Board, cores: Cores) -> ! {
    let mut console = Console { serial: this.serial, cores };
    let Some(memory) = memory::take() else { stop() };
    for app in [App::Selftest, App::Bench, App::Classify] {
        let mut ram = [Ram { name: "SDRAM", bytes: &mut *memory.arena }];
        let board = Board {
            name: this.name,
            unit: Unit::Cycles,
            model: memory.model,
            check: memory.check,
            ram: &mut ram,
            executor: &cores,
            code_bytes: memory.code_bytes,
        };
        let code = run(Ok(app), board, &mut console);
        let _ = writeln!(console.serial, "{} ended with code {code}", app.name());
    }
    stop()
}

/// Nothing more happens until the power is switched off.
fn stop() -> ! {
    board::this().serial.flush();
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut serial = board::this().serial;
    let _ = writeln!(serial, "{info}");
    stop()
}

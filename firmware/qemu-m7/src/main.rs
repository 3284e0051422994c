//! Distil on an emulated Cortex-M7: QEMU's `mps2-an500`, reporting through defmt over semihosting.
#![no_std]
#![no_main]

// Timer and faults are those of every processor of this profile.
#[path = "../../qemu-m55/src/counter.rs"]
mod counter;
#[path = "../../qemu-m55/src/fault.rs"]
mod fault;
mod memory;

use cortex_m_rt::entry;
use defmt_semihosting as _;
use distil_harness::{Board, EXIT_FAULT, EXIT_PANIC, Event, Machine, Ram, run};
use semihosting::process;

use counter::Counter;

/// Reports go to the host as defmt frames; instructions come from the system timer.
struct M7(Counter);

impl Machine for M7 {
    fn report(&mut self, event: &Event<'_>) {
        match event {
            Event::Fault(_) => defmt::error!("{}", event),
            _ => defmt::info!("{}", event),
        }
    }

    fn instructions(&mut self) -> u64 {
        self.0.instructions()
    }
}

#[entry]
fn main() -> ! {
    let Some(peripherals) = cortex_m::Peripherals::take() else { process::exit(i32::from(EXIT_FAULT)) };
    let mut machine = M7(Counter::start(peripherals.SYST));
    let Some(memory) = memory::take() else { process::exit(i32::from(EXIT_FAULT)) };
    let mut ram = [Ram { name: "SRAM", bytes: memory.sram }, Ram { name: "DDR", bytes: memory.ddr }];
    let board = Board {
        name: memory.board,
        model: memory.model,
        check: memory.check,
        ram: &mut ram,
        code_bytes: memory.code_bytes,
    };
    let code = run(board, &mut machine);
    process::exit(i32::from(code))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    process::exit(i32::from(EXIT_PANIC))
}

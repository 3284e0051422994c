//! A machine inside QEMU: the report leaves as defmt frames, input comes from the emulator's standard input, and the
//! program is chosen on its command line.

use defmt_semihosting as _;
use distil_harness::{App, Board, EXIT_FAULT, Event, Machine, Ram, SingleThread, Unit, run};
use semihosting::experimental::env;
use semihosting::io::{self, Read};

use crate::memory::Memory;
use crate::{counter, exit, stack};

struct Emulated;

impl Machine for Emulated {
    fn report(&mut self, event: &Event<'_>) {
        match event {
            Event::Fault(_) => defmt::error!("{}", event),
            _ => defmt::info!("{}", event),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        // Input that cannot be read has ended.
        io::stdin().and_then(|mut stdin| stdin.read(buffer)).unwrap_or(0)
    }

    fn stack(&mut self) -> Option<(usize, usize)> {
        Some(stack::used())
    }

    fn count() -> u64 {
        counter::instructions()
    }
}

/// Runs the program that the command line names; `memory` is `None` if it was taken before.
pub fn main(memory: Option<Memory>) -> ! {
    let (Some(peripherals), Some(memory)) = (cortex_m::Peripherals::take(), memory) else { exit(EXIT_FAULT) };
    counter::start(peripherals.SYST);
    // Moved here, so that it is borrowed for as long as the program runs and no longer.
    let mut ram: [Ram<'_>; 2] = memory.ram;
    let board = Board {
        name: memory.board,
        unit: Unit::Instructions,
        model: memory.model,
        check: memory.check,
        ram: &mut ram,
        executor: &SingleThread,
        code_bytes: memory.code_bytes,
    };
    // Without a command line it is the self-test.
    let app = env::args::<256>().map_or(Ok(App::default()), |arguments| {
        App::named((&arguments).nth(1).and_then(Result::ok).unwrap_or_default())
    });
    exit(run(app, board, &mut Emulated))
}

//! A machine inside QEMU: the report leaves as defmt frames, input comes from the emulator's standard input, and the
//! program is chosen on its command line.

use defmt_semihosting as _;
use distil_harness::{App, Board, EXIT_FAULT, Event, Machine, Ram, SingleThread, Unit, run};
use semihosting::experimental::env;
use semihosting::io::{self, Read};

use crate::memory::Memory;
use crate::watchdog::Watchdog;
use crate::{counter, exit, stack};

/// The first sign of life at which a program does what a third word on its command line says: the model is open by then.
const TRIAL_AT: u32 = 8;
/// How many times a slow program lets half of the watchdog's time pass: more than its time in all.
const SLOW_TIMES: u32 = 3;

/// What is wrong with a program, to try its watchdog.
#[derive(Clone, Copy, PartialEq)]
enum Trial {
    Nothing,
    /// It gives no sign of life any more.
    Hang,
    /// It takes long between signs of life, but not too long.
    Slow,
}

struct Emulated {
    watchdog: Option<Watchdog>,
    /// Signs of life so far.
    lives: u32,
    trial: Trial,
}

impl Machine for Emulated {
    fn report(&mut self, event: &Event<'_>) {
        match event {
            Event::Fault(_) => defmt::error!("{}", event),
            _ => defmt::info!("{}", event),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        // Somebody who thinks is no program that hangs.
        self.watchdog.iter_mut().for_each(Watchdog::stop);
        // Input that cannot be read has ended.
        let len = io::stdin().and_then(|mut stdin| stdin.read(buffer)).unwrap_or(0);
        self.watchdog.iter_mut().for_each(Watchdog::start);
        len
    }

    fn alive(&mut self) {
        let Some(watchdog) = &mut self.watchdog else { return };
        watchdog.feed();
        self.lives = self.lives.wrapping_add(1);
        let within = (TRIAL_AT..TRIAL_AT + SLOW_TIMES).contains(&self.lives);
        match self.trial {
            Trial::Hang if within => loop {
                cortex_m::asm::nop();
            },
            Trial::Slow if within => watchdog.wait(),
            _ => {}
        }
    }

    fn stack(&mut self) -> Option<(usize, usize)> {
        Some(stack::used())
    }

    fn count() -> u64 {
        counter::instructions()
    }
}

/// Runs the program that the command line names; `memory` is `None` if it was taken before. With a watchdog the program is
/// stopped when it gives no sign of life; a third word on the command line makes it `hang`, or `slow`.
pub fn main(memory: Option<Memory>, watchdog: Option<Watchdog>) -> ! {
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
    let (app, trial) = env::args::<256>().map_or((Ok(App::default()), Trial::Nothing), |arguments| {
        let mut words = (&arguments).skip(1).map(|word| word.unwrap_or_default());
        let app = App::named(words.next().unwrap_or_default());
        let trial = match words.next() {
            Some("hang") => Trial::Hang,
            Some("slow") => Trial::Slow,
            _ => Trial::Nothing,
        };
        (app, trial)
    });
    let mut machine = Emulated { watchdog, lives: 0, trial };
    machine.watchdog.iter_mut().for_each(Watchdog::start);
    exit(run(app, board, &mut machine))
}

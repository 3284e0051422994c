//! A real board: the log leaves over RTT, a person types at the serial port, and cycles come from the processor's own
//! counter.

use core::cell::Cell;
use core::fmt::{self, Write};

use cortex_m::Peripherals;
use cortex_m::interrupt::Mutex;
use cortex_m::peripheral::{DCB, DWT, SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use defmt_rtt as _;
use distil_harness::{App, Board, EXIT_WATCHDOG, Event, Machine, Ram, SingleThread, Unit, run};

use crate::memory::Memory;
use crate::{exit, stack};

/// The serial port of a board.
pub trait Console {
    /// Sends all bytes.
    fn send(&mut self, bytes: &[u8]);
    /// A byte, if one has arrived. It has to be asked for often: a port may keep no more than one.
    fn receive(&mut self) -> Option<u8>;
}

/// A board's port, and how its watchdog is fed, if it has one.
struct OnBoard<C, F> {
    console: C,
    feed: F,
}

impl<C: Console, F> Write for OnBoard<C, F> {
    /// Terminals want a carriage return before each line feed.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, line) in text.split('\n').enumerate() {
            if i > 0 {
                self.console.send(b"\r\n");
            }
            self.console.send(line.as_bytes());
        }
        Ok(())
    }
}

impl<C: Console, F: FnMut()> Machine for OnBoard<C, F> {
    fn report(&mut self, event: &Event<'_>) {
        match event {
            Event::Fault(_) => defmt::error!("{}", event),
            _ => defmt::info!("{}", event),
        }
        // The port takes everything.
        let _ = writeln!(self, "{event}");
    }

    /// One byte, sent back: a terminal does not show what it sends.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let Some(place) = buffer.first_mut() else { return 0 };
        *place = loop {
            // Somebody who thinks is no program that hangs, and a watchdog of these chips cannot be stopped.
            (self.feed)();
            if let Some(byte) = self.console.receive() {
                break byte;
            }
        };
        if *place == b'\r' {
            self.console.send(b"\r\n")
        } else {
            self.console.send(&[*place])
        }
        1
    }

    fn alive(&mut self) {
        (self.feed)();
    }

    fn stack(&mut self) -> Option<(usize, usize)> {
        Some(stack::used())
    }

    fn count() -> u64 {
        cycles()
    }
}

/// The cycle counter has 32 bits, which is seconds: here are the times that it began anew, and its last value.
static EXTENDED: Mutex<Cell<(u32, u32)>> = Mutex::new(Cell::new((0, 0)));

/// Cycles since the start.
fn cycles() -> u64 {
    cortex_m::interrupt::free(|guard| {
        let (high, last) = EXTENDED.borrow(guard).get();
        let now = DWT::cycle_count();
        let high = if now < last { high.wrapping_add(1) } else { high };
        EXTENDED.borrow(guard).set((high, now));
        u64::from(high) << 32 | u64::from(now)
    })
}

/// Looks at the counter far more often than it begins anew: every 2^24 cycles.
#[exception]
fn SysTick() {
    cycles();
}

/// Switches caches and cycle counter on.
pub fn caches_and_counter(peripherals: &mut Peripherals) {
    peripherals.SCB.enable_icache();
    peripherals.SCB.enable_dcache(&mut peripherals.CPUID);
    start(&mut peripherals.DCB, &mut peripherals.DWT, &mut peripherals.SYST);
}

fn start(dcb: &mut DCB, dwt: &mut DWT, timer: &mut SYST) {
    dcb.enable_trace();
    // Some processors lock the unit until this key is written.
    DWT::unlock();
    dwt.set_cycle_count(0);
    dwt.enable_cycle_counter();
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(0x00ff_ffff);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}

/// Says that the watchdog ended the program that ran before this one, if it did.
pub fn report_reset(by_watchdog: bool) {
    if by_watchdog {
        defmt::error!(
            "error {=u8}: the last program gave no sign of life, and the watchdog reset the chip",
            EXIT_WATCHDOG
        );
    }
}

/// Runs the program of that name, the one that answers what is typed if none was chosen when this was built; `feed`
/// feeds the watchdog, where one runs.
pub fn main(memory: Memory, console: impl Console, app: Option<&str>, feed: impl FnMut()) -> ! {
    let mut ram: [Ram<'_>; 2] = memory.ram;
    let board = Board {
        name: memory.board,
        unit: Unit::Cycles,
        model: memory.model,
        check: memory.check,
        ram: &mut ram,
        executor: &SingleThread,
        code_bytes: memory.code_bytes,
    };
    let app = app.map_or(Ok(App::Classify), App::named);
    exit(run(app, board, &mut OnBoard { console, feed }))
}

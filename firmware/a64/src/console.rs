//! A person at the serial port, as the harness wants one.

use core::fmt::Write;

use distil_harness::{Event, Machine};

use crate::cores::Cores;
use crate::pl011::Pl011;
use crate::{counter, stack};

/// The machine while a program runs.
#[derive(Debug)]
pub struct Console {
    /// Where reports go and texts come from.
    pub serial: Pl011,
    /// All cores.
    pub cores: Cores,
}

impl Machine for Console {
    fn report(&mut self, event: &Event<'_>) {
        // The serial port takes everything.
        let _ = writeln!(self.serial, "{event}");
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        self.serial.read(buffer)
    }

    fn stack(&mut self) -> Option<(usize, usize)> {
        Some(stack::used())
    }

    fn take_turns(&mut self, in_turns: bool) {
        self.cores.take_turns(in_turns);
    }

    fn worked(&mut self, core: usize) -> u64 {
        self.cores.worked(core)
    }

    fn count() -> u64 {
        counter::count()
    }
}

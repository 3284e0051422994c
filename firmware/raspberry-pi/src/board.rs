//! Which board this is, by its processor, and its serial port.
#![allow(unsafe_code)]

use core::ptr;

use distil_a64::cores::Wake;
use distil_a64::pl011::Pl011;
use distil_a64::processor::{Part, part};

use crate::memory::SPIN_TABLE;

/// Speed of the serial port.
const SPEED: u32 = 115_200;
/// What the port divides, as config.txt sets it (`init_uart_clock`), in Hz.
const CLOCK: u32 = 48_000_000;

/// A family of boards.
pub(crate) struct Board {
    pub(crate) name: &'static str,
    /// A PL011.
    pub(crate) serial: Pl011,
    /// The registers that choose what the pins are; `None` where the firmware has set the port up.
    pins: Option<usize>,
}

/// The board.
pub(crate) fn this() -> Board {
    // Registers of devices begin at another address on each; the port is 0x20_1000 and the pins 0x20_0000 from there.
    let (name, devices) = match part() {
        Part::A53 => ("Raspberry Pi Zero 2 W or 3, Cortex-A53", 0x3f00_0000),
        Part::A72 => ("Raspberry Pi 4, Cortex-A72", 0xfe00_0000),
        _ => {
            // The Pi 5: the port of its debug connector.
            // SAFETY: it is a PL011, in the device memory of the tables; nothing else drives it.
            let serial = unsafe { Pl011::at(0x10_7d00_1000) };
            return Board { name: "Raspberry Pi 5, Cortex-A76", serial, pins: None };
        }
    };
    // SAFETY: these boards have a PL011 there, in the device memory of the tables; nothing else drives it.
    let serial = unsafe { Pl011::at(devices + 0x20_1000) };
    Board { name, serial, pins: Some(devices + 0x20_0000) }
}

impl Board {
    /// How the other cores are woken.
    pub(crate) fn wake(&self, entered_at: u64) -> Wake {
        if self.pins.is_some() { Wake::SpinTable(SPIN_TABLE) } else { Wake::Psci { entered_at } }
    }

    /// Sets the serial port up: pins 14 (out) and 15 (in) of the header.
    pub(crate) fn start_serial(&self) {
        let Some(pins) = self.pins else { return };
        // Three bits for each pin from 10 on, those of 14 and 15 from bit 12; 4 is the first alternative, the PL011.
        let select = ptr::with_exposed_provenance_mut::<u32>(pins + 4);
        // SAFETY: a register of the pins, in the device memory of the tables; only this program uses it.
        unsafe { select.write_volatile(select.read_volatile() & !(0o77 << 12) | 0o44 << 12) };
        self.serial.start(CLOCK, SPEED);
    }
}

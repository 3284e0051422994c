//! The serial port: a PL011, as most machines have one.
#![allow(unsafe_code)]

use core::fmt;
use core::ptr;

const DATA: usize = 0x00;
const FLAGS: usize = 0x18;
const INTEGER_DIVISOR: usize = 0x24;
const FRACTION_DIVISOR: usize = 0x28;
const LINE_CONTROL: usize = 0x2c;
const CONTROL: usize = 0x30;

const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;
const BUSY: u32 = 1 << 3;

/// A port by the address of its registers.
#[derive(Clone, Copy, Debug)]
pub struct Pl011 {
    base: usize,
}

impl Pl011 {
    /// The port at this address.
    ///
    /// # Safety
    /// A PL011 is there, mapped as device memory before the first use, and nothing else drives it.
    pub const unsafe fn at(base: usize) -> Self {
        Self { base }
    }

    fn register(self, offset: usize) -> *mut u32 {
        ptr::with_exposed_provenance_mut(self.base + offset)
    }

    fn register_value(self, offset: usize) -> u32 {
        // SAFETY: a register of the port (`at`), which takes 32-bit accesses at any time.
        unsafe { self.register(offset).read_volatile() }
    }

    fn write(self, offset: usize, value: u32) {
        // SAFETY: a register of the port (`at`), which takes 32-bit accesses at any time.
        unsafe { self.register(offset).write_volatile(value) }
    }

    /// Sets the port to this speed, 8 bits, no parity, one stop bit; `clock` is what it divides, in Hz.
    pub fn start(self, clock: u32, speed: u32) {
        while self.register_value(FLAGS) & BUSY != 0 {}
        self.write(CONTROL, 0);
        // A divisor of 16 bits and 6 of fraction: clock / (16 * speed), rounded.
        let divisor = (4 * clock + speed / 2) / speed;
        self.write(INTEGER_DIVISOR, divisor >> 6);
        self.write(FRACTION_DIVISOR, divisor & 0x3f);
        // Writing this one takes the divisors over: 8 bits, with the queues.
        self.write(LINE_CONTROL, (3 << 5) | (1 << 4));
        // The port, its sender and its receiver.
        self.write(CONTROL, 1 | (1 << 8) | (1 << 9));
    }

    /// Waits for a byte and takes it. It is sent back, since a terminal at the other end does not show what it sends; one
    /// at a time, so that a line is shown when it is taken and not while the one before is answered.
    pub fn read(self, buffer: &mut [u8]) -> usize {
        let Some(place) = buffer.first_mut() else { return 0 };
        while self.register_value(FLAGS) & RECEIVE_EMPTY != 0 {}
        *place = self.register_value(DATA) as u8;
        self.send(if *place == b'\r' { b'\n' } else { *place });
        1
    }

    /// Sends a byte, and before a line break what a terminal needs to begin at the left; waits while the port is full.
    fn send(self, byte: u8) {
        if byte == b'\n' {
            self.send(b'\r');
        }
        while self.register_value(FLAGS) & TRANSMIT_FULL != 0 {}
        self.write(DATA, byte.into());
    }

    /// Waits until the last byte has left.
    pub fn flush(self) {
        while self.register_value(FLAGS) & BUSY != 0 {}
    }
}

impl fmt::Write for Pl011 {
    /// Never fails.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.send(byte));
        Ok(())
    }
}

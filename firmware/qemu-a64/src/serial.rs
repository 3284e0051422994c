//! The serial port: a PL011, which QEMU has ready without any setting up.
#![allow(unsafe_code)]

use core::fmt;
use core::ptr;

const BASE: usize = 0x0900_0000;
const DATA: usize = 0x00;
const FLAGS: usize = 0x18;
const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;

/// The port.
pub(crate) struct Serial;

/// A register of it.
fn register(offset: usize) -> *mut u32 {
    ptr::with_exposed_provenance_mut(BASE + offset)
}

impl Serial {
    /// Waits for a byte and takes it. It is sent back, since a terminal at the other end does not show what it sends; one
    /// at a time, so that a line is shown when it is taken and not while the one before is answered.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let Some(place) = buffer.first_mut() else { return 0 };
        // SAFETY: as in `send`.
        let byte = unsafe {
            while register(FLAGS).read_volatile() & RECEIVE_EMPTY != 0 {}
            (register(DATA).read_volatile() & 0xff) as u8
        };
        *place = byte;
        self.send(if byte == b'\r' { b'\n' } else { byte });
        1
    }

    fn send(&mut self, byte: u8) {
        // SAFETY: `virt` has a PL011 at this address, mapped as device memory; these two registers take 32-bit accesses
        // at any time.
        unsafe {
            while register(FLAGS).read_volatile() & TRANSMIT_FULL != 0 {}
            register(DATA).write_volatile(u32::from(byte));
        }
    }
}

impl fmt::Write for Serial {
    /// Never fails; waits while the port is full.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.send(byte));
        Ok(())
    }
}

//! The serial port: a PL011, which QEMU has ready without any setting up.
#![allow(unsafe_code)]

use core::fmt;
use core::ptr;

const BASE: usize = 0x0900_0000;
const DATA: usize = 0x00;
const FLAGS: usize = 0x18;
const TRANSMIT_FULL: u32 = 1 << 5;

/// Writes to the port.
pub(crate) struct Serial;

impl fmt::Write for Serial {
    /// Never fails; waits while the port is full.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let register = |offset| ptr::with_exposed_provenance_mut::<u32>(BASE + offset);
        for byte in text.bytes() {
            // SAFETY: `virt` has a PL011 at this address, mapped as device memory; these two registers take
            // 32-bit accesses at any time.
            unsafe {
                while register(FLAGS).read_volatile() & TRANSMIT_FULL != 0 {}
                register(DATA).write_volatile(u32::from(byte));
            }
        }
        Ok(())
    }
}

//! Distil on an emulated Cortex-M33: QEMU's `mps2-an505` with no more memory than a small part has.
#![no_std]
#![no_main]

mod memory;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    distil_cortex_m::main(memory::take(), Some(memory::watchdog()))
}

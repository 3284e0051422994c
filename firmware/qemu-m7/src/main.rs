//! Distil on an emulated Cortex-M7: QEMU's `mps2-an500`, reporting through defmt over semihosting.
#![no_std]
#![no_main]

mod memory;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    distil_cortex_m::main(memory::take(), None)
}

//! Distil on an emulated Cortex-M55: QEMU's `mps3-an547`, reporting through defmt over semihosting.
#![no_std]
#![no_main]

mod memory;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    distil_cortex_m::main(memory::take(), None)
}

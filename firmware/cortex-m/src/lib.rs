//! What the Cortex-M machines have in common: their memory as data, the painted stack, faults and panics, and for the
//! emulated ones the counter, the watchdog and the host behind semihosting.
#![no_std]

#[cfg(feature = "board")]
pub mod board;
#[cfg(feature = "emulated")]
mod counter;
#[cfg(feature = "emulated")]
mod emulated;
mod fault;
pub mod memory;
pub mod stack;
#[cfg(feature = "emulated")]
mod watchdog;

#[cfg(feature = "emulated")]
pub use emulated::main;
#[cfg(feature = "emulated")]
pub use watchdog::Watchdog;

use distil_harness::EXIT_PANIC;

/// Ends the program with a code.
#[cfg(feature = "emulated")]
pub fn exit(code: u8) -> ! {
    semihosting::process::exit(i32::from(code))
}

/// Ends the program: with a debugger that takes the code, or by sleeping for ever.
#[cfg(all(feature = "board", not(feature = "emulated")))]
pub fn exit(code: u8) -> ! {
    if cortex_m::peripheral::DCB::is_debugger_attached() {
        semihosting::process::exit(i32::from(code))
    }
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    exit(EXIT_PANIC)
}

//! Distil on ST's STM32H747I-DISCO: a Cortex-M7 that reads its model in place from the quad flash.
#![no_std]
#![no_main]

mod clocks;
mod flash;
mod memory;
mod mpu;
mod serial;
mod watchdog;

use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use distil_cortex_m::{board, exit};
use distil_harness::EXIT_FAULT;
use embassy_stm32::SharedData;
use embassy_stm32::usart::{self, Uart};

/// What the two cores of the chip would share; the Cortex-M4 has no program here.
static SHARED: MaybeUninit<SharedData> = MaybeUninit::uninit();

#[entry]
#[allow(unsafe_code)]
fn main() -> ! {
    let Some(mut core) = cortex_m::Peripherals::take() else { exit(EXIT_FAULT) };
    let chip = embassy_stm32::init_primary(clocks::config(), &SHARED);
    let console = match Uart::new_blocking(chip.USART1, chip.PA10, chip.PA9, usart::Config::default()) {
        Ok(port) => serial::Port(port),
        Err(error) => {
            defmt::error!("no serial port: {}", defmt::Debug2Format(&error));
            exit(EXIT_FAULT)
        }
    };
    // Before anything can touch the flash's addresses, even by speculation.
    mpu::protect(&mut core.MPU);
    flash::map(flash::Pins {
        peripheral: chip.QUADSPI,
        clock: chip.PF10,
        select: (chip.PG6, chip.PC11),
        first: (chip.PD11, chip.PF9, chip.PF7, chip.PF6),
        second: (chip.PH2, chip.PH3, chip.PG9, chip.PG14),
    });
    board::caches_and_counter(&mut core);
    board::report_reset(watchdog::was_it());
    // SAFETY: the flash is mapped.
    let Some(memory) = (unsafe { memory::take() }) else { exit(EXIT_FAULT) };
    let mut watchdog = option_env!("DISTIL_WATCHDOG").map(|_| watchdog::start(chip.IWDG1));
    board::main(memory, console, option_env!("DISTIL_APP"), || {
        watchdog.iter_mut().for_each(|watchdog| watchdog.pet());
    })
}

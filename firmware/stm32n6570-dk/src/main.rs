//! Distil on ST's STM32N6570-DK: a Cortex-M55 that reads its model in place from the octo flash.
#![no_std]
#![no_main]

mod clocks;
mod flash;
mod memory;
mod mpu;
mod serial;
mod watchdog;

use cortex_m_rt::entry;
use distil_cortex_m::{board, exit};
use distil_harness::EXIT_FAULT;
use embassy_stm32::usart::{self, Uart};

#[entry]
#[allow(unsafe_code)]
fn main() -> ! {
    let Some(mut core) = cortex_m::Peripherals::take() else { exit(EXIT_FAULT) };
    let chip = embassy_stm32::init(clocks::config());
    clocks::enable_sram();
    let console = match Uart::new_blocking(chip.USART1, chip.PE6, chip.PE5, usart::Config::default()) {
        Ok(port) => serial::Port(port),
        Err(error) => {
            defmt::error!("no serial port: {}", defmt::Debug2Format(&error));
            exit(EXIT_FAULT)
        }
    };
    let pins = flash::Pins {
        peripheral: chip.XSPI2,
        clock: chip.PN6,
        select: chip.PN1,
        data: (chip.PN2, chip.PN3, chip.PN4, chip.PN5, chip.PN8, chip.PN9, chip.PN10, chip.PN11),
    };
    if let Err(error) = flash::map(pins) {
        defmt::error!("the octo flash cannot be read in place: {}", defmt::Display2Format(&error));
        exit(EXIT_FAULT)
    }
    mpu::protect(&mut core.MPU);
    board::caches_and_counter(&mut core);
    board::report_reset(watchdog::was_it());
    // SAFETY: the flash is mapped and AXISRAM1 is on.
    let Some(memory) = (unsafe { memory::take() }) else { exit(EXIT_FAULT) };
    let mut watchdog = option_env!("DISTIL_WATCHDOG").map(|_| watchdog::start(chip.IWDG));
    board::main(memory, console, option_env!("DISTIL_APP"), || {
        watchdog.iter_mut().for_each(|watchdog| watchdog.pet());
    })
}

//! The quad flash, an MT25TL01G: two dies of 64 MiB that answer together, each on four lines, read in place at
//! 0x9000_0000. Even bytes lie in one die, odd bytes in the other, as ST's loader for this board writes them.

use embassy_stm32::Peri;
use embassy_stm32::peripherals::{PC11, PD11, PF6, PF7, PF9, PF10, PG6, PG9, PG14, PH2, PH3, QUADSPI};
use embassy_stm32::qspi::enums::{
    AddressSize, ChipSelectHighTime, DummyCycles, FIFOThresholdLevel, MemorySize, QspiWidth, SampleShifting,
};
use embassy_stm32::qspi::{Config, Qspi, TransferConfig};

/// The interface and its pins. The dies share one chip select, PG6; the interface has a second one, which is on no part
/// of the board that is used here.
pub(crate) struct Pins {
    pub(crate) peripheral: Peri<'static, QUADSPI>,
    pub(crate) clock: Peri<'static, PF10>,
    pub(crate) select: (Peri<'static, PG6>, Peri<'static, PC11>),
    /// Lines 0 to 3 of the first die.
    pub(crate) first: (Peri<'static, PD11>, Peri<'static, PF9>, Peri<'static, PF7>, Peri<'static, PF6>),
    /// Lines 0 to 3 of the second.
    pub(crate) second: (Peri<'static, PH2>, Peri<'static, PH3>, Peri<'static, PG9>, Peri<'static, PG14>),
}

/// Reads on four lines behind an address of four bytes, whatever mode of addresses the flash is in.
const QUAD_READ_4_BYTES: u8 = 0x6c;
const RESET_ENABLE: u8 = 0x66;
const RESET: u8 = 0x99;

/// Maps the flash.
pub(crate) fn map(pins: Pins) {
    let mut config = Config::default();
    config.memory_size = MemorySize::_128MiB;
    config.address_size = AddressSize::_32bit;
    // 200 MHz / 4.
    config.prescaler = 3;
    config.fifo_threshold = FIFOThresholdLevel::_4Bytes;
    config.cs_high_time = ChipSelectHighTime::_4Cycle;
    config.sample_shifting = SampleShifting::HalfCycle;
    config.dual_flash = true;
    let (a, b) = (pins.first, pins.second);
    let (select, other) = pins.select;
    let mut flash = Qspi::new_blocking_dual_bank(
        pins.peripheral,
        a.0,
        a.1,
        a.2,
        a.3,
        b.0,
        b.1,
        b.2,
        b.3,
        pins.clock,
        select,
        other,
        config,
    );
    for instruction in [RESET_ENABLE, RESET] {
        flash.blocking_command(TransferConfig { iwidth: QspiWidth::SING, instruction, ..TransferConfig::default() });
    }
    // A reset takes 40 microseconds when nothing is being written: here a hundred at 400 MHz.
    cortex_m::asm::delay(40_000);
    flash.enable_memory_map(&TransferConfig {
        iwidth: QspiWidth::SING,
        awidth: QspiWidth::SING,
        dwidth: QspiWidth::QUAD,
        instruction: QUAD_READ_4_BYTES,
        address: None,
        dummy: DummyCycles::_8,
    });
    // The interface stays as it is for as long as the program runs.
    core::mem::forget(flash);
}

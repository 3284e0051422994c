//! The octo flash, an MX66UW1G45G of 128 MiB at XSPI2, read in place at 0x7000_0000.
//!
//! After reset it speaks plain SPI. It is asked who it is, a piece is read, it is switched to eight lines (a write to its
//! second configuration register), and the piece is read again in place: if it is not the same, the lines or the clock
//! are wrong, and nothing that is read can be trusted.

use core::{fmt, ptr};

use embassy_stm32::Peri;
use embassy_stm32::peripherals::{PN1, PN2, PN3, PN4, PN5, PN6, PN8, PN9, PN10, PN11, XSPI2};
use embassy_stm32::xspi::{
    AddressSize, ChipSelectHighTime, Config, DummyCycles, FIFOThresholdLevel, MemorySize, MemoryType, TransferConfig,
    Xspi, XspiError, XspiWidth,
};

/// The interface and its pins.
pub(crate) struct Pins {
    pub(crate) peripheral: Peri<'static, XSPI2>,
    pub(crate) clock: Peri<'static, PN6>,
    pub(crate) select: Peri<'static, PN1>,
    pub(crate) data: Data,
}

/// The data lines, 0 to 7.
type Data = (
    Peri<'static, PN2>,
    Peri<'static, PN3>,
    Peri<'static, PN4>,
    Peri<'static, PN5>,
    Peri<'static, PN8>,
    Peri<'static, PN9>,
    Peri<'static, PN10>,
    Peri<'static, PN11>,
);

/// Why the flash cannot be used.
#[derive(Debug)]
pub(crate) enum FlashError {
    /// Its interface refused a command.
    Interface(XspiError),
    /// It is another one, or does not answer.
    Identity([u8; 3]),
    /// Eight lines read something else than one.
    Octal,
}

impl From<XspiError> for FlashError {
    fn from(error: XspiError) -> Self {
        Self::Interface(error)
    }
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(error) => write!(f, "its interface refused a command ({error:?})"),
            Self::Identity(found) => write!(f, "it says that it is {found:02x?}, not an MX66UW1G45G"),
            Self::Octal => f.write_str("eight lines read something else than one"),
        }
    }
}

impl core::error::Error for FlashError {}

const MAPPED_AT: usize = 0x7000_0000;
/// Manufacturer, type, density.
const IDENTITY: [u8; 3] = [0xc2, 0x85, 0x3b];

/// Commands of the MX66UW1G45G: with one line a byte, with eight lines a byte and its complement.
const WRITE_ENABLE: u32 = 0x06;
const READ_IDENTITY: u32 = 0x9f;
const READ_4_BYTES: u32 = 0x13;
const WRITE_CONFIGURATION_2: u32 = 0x72;
const OCTAL_READ: u32 = 0xec13;
/// The value of the second configuration register, at address 0, for eight lines and one byte a clock.
const OCTAL: u8 = 1;

/// Maps the flash.
pub(crate) fn map(pins: Pins) -> Result<(), FlashError> {
    let config = Config {
        fifo_threshold: FIFOThresholdLevel::_4Bytes,
        memory_type: MemoryType::Macronix,
        device_size: MemorySize::_128MiB,
        chip_select_high_time: ChipSelectHighTime::_2Cycle,
        // 100 MHz / 2: half of what the flash takes with its usual 20 dummy cycles.
        clock_prescaler: 1,
        ..Config::default()
    };
    let (d0, d1, d2, d3, d4, d5, d6, d7) = pins.data;
    let mut flash =
        Xspi::new_blocking_xspi(pins.peripheral, pins.clock, d0, d1, d2, d3, d4, d5, d6, d7, pins.select, config);
    let command = |instruction| TransferConfig {
        iwidth: XspiWidth::SING,
        instruction: Some(instruction),
        ..TransferConfig::default()
    };
    let mut identity = [0; 3];
    flash.blocking_read(&mut identity, TransferConfig { dwidth: XspiWidth::SING, ..command(READ_IDENTITY) })?;
    if identity != IDENTITY {
        return Err(FlashError::Identity(identity));
    }
    let at = |address, instruction| TransferConfig {
        adwidth: XspiWidth::SING,
        adsize: AddressSize::_32bit,
        address: Some(address),
        dwidth: XspiWidth::SING,
        ..command(instruction)
    };
    let mut piece = [0; 64];
    flash.blocking_read(&mut piece, at(0, READ_4_BYTES))?;
    flash.blocking_command(&command(WRITE_ENABLE))?;
    flash.blocking_write(&[OCTAL], at(0, WRITE_CONFIGURATION_2))?;

    let read = TransferConfig {
        iwidth: XspiWidth::OCTO,
        instruction: Some(OCTAL_READ),
        isize: AddressSize::_16bit,
        adwidth: XspiWidth::OCTO,
        adsize: AddressSize::_32bit,
        dwidth: XspiWidth::OCTO,
        dummy: DummyCycles::_20,
        ..TransferConfig::default()
    };
    // Nothing is ever written in place, so that command does not matter.
    flash.enable_memory_mapped_mode(read, read)?;
    let same = piece.iter().enumerate().all(|(i, &byte)| byte == mapped(i));
    // The interface stays as it is for as long as the program runs.
    core::mem::forget(flash);
    if same { Ok(()) } else { Err(FlashError::Octal) }
}

/// A byte of the flash in its place.
#[allow(unsafe_code)]
fn mapped(at: usize) -> u8 {
    // SAFETY: called for the first bytes of the flash, which the interface maps there by now. Volatile, because the
    // compiler knows nothing of it.
    unsafe { ptr::with_exposed_provenance::<u8>(MAPPED_AT + at).read_volatile() }
}

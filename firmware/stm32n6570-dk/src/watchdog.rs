//! The independent watchdog (IWDG): on a clock of its own, 32 kHz, it resets the chip when it is not fed in time. Once it
//! runs, nothing stops it but a reset.

use embassy_stm32::pac::rcc::vals::{RsrIwdgrstf, RsrRmvf};
use embassy_stm32::peripherals::IWDG;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Peri, pac};

/// Microseconds from one meal to the next. A layer takes longest: of the 66M model, with 128 tokens, an estimated third of
/// a second for its instructions and half a second for its weights.
const PATIENCE: u32 = 8_000_000;

/// Starts it.
pub(crate) fn start(peripheral: Peri<'static, IWDG>) -> IndependentWatchdog<'static, IWDG> {
    let mut watchdog = IndependentWatchdog::new(peripheral, PATIENCE);
    watchdog.unleash();
    watchdog
}

/// Whether it caused the last reset; the next call says no.
pub(crate) fn was_it() -> bool {
    let it = pac::RCC.rsr().read().iwdgrstf() == RsrIwdgrstf::OCCURRED;
    pac::RCC.rsr().modify(|flags| flags.set_rmvf(RsrRmvf::CLEAR));
    it
}

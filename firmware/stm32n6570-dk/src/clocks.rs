//! 600 MHz for the processor from the internal oscillator, and the memory that is off after reset.
//!
//! PLL1: 64 MHz / 4 x 75 = 1200 MHz. The processor takes half of it; 800 MHz need a higher core voltage, which the
//! board sets through a regulator of its own. Buses take a third, 400 MHz, the flash interface a twelfth, 100 MHz.

use embassy_stm32::rcc::{CpuClk, IcConfig, Icint, Icsel, Pll, Plldivm, Pllpdiv, Pllsel, SysClk, XspiClkSrc};
use embassy_stm32::{Config, pac};

/// PLL1 divided by so much.
fn divided(by: u8) -> Option<IcConfig> {
    Some(IcConfig { source: Icsel::PLL1, divider: Icint::from_bits(by - 1) })
}

/// What `embassy_stm32::init` takes.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.rcc.pll1 = Some(Pll::Oscillator {
        source: Pllsel::HSI,
        divm: Plldivm::from_bits(4),
        fractional: 0,
        divn: 75,
        divp1: Pllpdiv::from_bits(1),
        divp2: Pllpdiv::from_bits(1),
    });
    config.rcc.cpu = CpuClk::Ic1;
    config.rcc.ic1 = divided(2);
    config.rcc.sys = SysClk::Ic2;
    config.rcc.ic2 = divided(3);
    config.rcc.ic6 = divided(3);
    config.rcc.ic11 = divided(3);
    config.rcc.ic4 = divided(12);
    config.rcc.mux.xspi2sel = XspiClkSrc::IC4;
    // The flash and its pins run at 1.8 V.
    config.rcc.vddio3_1v8 = true;
    config
}

/// Switches AXISRAM1 on; AXISRAM2 is, since the boot ROM needs it.
pub(crate) fn enable_sram() {
    pac::RCC.memenr().modify(|memories| memories.set_axisram1en(true));
}

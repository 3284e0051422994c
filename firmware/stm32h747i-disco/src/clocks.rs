//! 400 MHz for the Cortex-M7 from the board's 25 MHz: 25 / 5 x 160 / 2. The chip can do 480 MHz in voltage scale 0, which its
//! linear regulator gives; this board feeds the core by the switching regulator alone, and scale 1 is as high as that goes.

use embassy_stm32::Config;
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Hse, HseMode, Pll, PllDiv, PllMul, PllPreDiv, PllSource, SupplyConfig, Sysclk,
    VoltageScale,
};
use embassy_stm32::time::Hertz;

/// What `embassy_stm32::init_primary` takes.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.rcc.supply_config = SupplyConfig::DirectSMPS;
    config.rcc.voltage_scale = VoltageScale::Scale1;
    config.rcc.hse = Some(Hse { freq: Hertz(25_000_000), mode: HseMode::Oscillator });
    config.rcc.pll1 = Some(Pll {
        source: PllSource::HSE,
        prediv: PllPreDiv::DIV5,
        mul: PllMul::MUL160,
        divp: Some(PllDiv::DIV2),
        divq: Some(PllDiv::DIV8),
        divr: None,
    });
    config.rcc.sys = Sysclk::PLL1_P;
    // Buses and memories 200 MHz, slow peripherals 100.
    config.rcc.ahb_pre = AHBPrescaler::DIV2;
    config.rcc.apb1_pre = APBPrescaler::DIV2;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.apb3_pre = APBPrescaler::DIV2;
    config.rcc.apb4_pre = APBPrescaler::DIV2;
    config
}

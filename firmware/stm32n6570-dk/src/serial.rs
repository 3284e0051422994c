//! The serial port behind the board's ST-LINK: 115200 baud, 8 bits, no parity.

use distil_cortex_m::board::Console;
use embassy_stm32::mode::Blocking;
use embassy_stm32::usart::Uart;
use embedded_hal_nb::serial::Read;

/// The port.
pub(crate) struct Port(pub(crate) Uart<'static, Blocking>);

impl Console for Port {
    fn send(&mut self, bytes: &[u8]) {
        // Sending knows no error.
        let _ = self.0.blocking_write(bytes);
    }

    fn receive(&mut self) -> Option<u8> {
        // What arrived with an error of the line is not taken.
        self.0.read().ok()
    }
}

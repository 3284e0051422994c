//! A fault of the processor ends the program, with the registers that say why.

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use distil_harness::EXIT_FAULT;

use crate::exit;

/// Configurable fault status and the addresses of memory and bus faults, after the SCB's other registers.
#[allow(unsafe_code)]
fn status() -> (u32, u32, u32) {
    let scb = SCB::PTR;
    // SAFETY: SCB::PTR is where the architecture puts this block, and reading these registers changes nothing.
    unsafe { ((*scb).cfsr.read(), (*scb).mmfar.read(), (*scb).bfar.read()) }
}

/// Every fault arrives here, because the specific handlers are not enabled.
///
/// # Safety
/// Called by the processor only.
#[allow(unsafe_code)]
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    let (cfsr, mmfar, bfar) = status();
    defmt::error!(
        "fault at {=u32:#010x}: cfsr={=u32:#010x} mmfar={=u32:#010x} bfar={=u32:#010x}",
        frame.pc(),
        cfsr,
        mmfar,
        bfar
    );
    exit(EXIT_FAULT)
}

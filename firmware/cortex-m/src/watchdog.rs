//! The watchdog of QEMU's boards, Arm's CMSDK: not fed in time it first calls the processor, which ends the program with a
//! code of its own; a processor that does not answer within as much time again is reset.

use core::ptr;

use cortex_m_rt::exception;
use distil_harness::EXIT_WATCHDOG;

use crate::exit;

/// Offsets of the registers.
const LOAD: usize = 0x0;
const VALUE: usize = 0x4;
const CONTROL: usize = 0x8;
const CLEAR: usize = 0xc;
const LOCK: usize = 0xc00;
/// Writes are let in after this was written to `LOCK`, and kept out after anything else.
const KEY: u32 = 0x1acc_e551;
/// Count down and call, then reset.
const ON: u32 = 0b11;

/// The watchdog of a machine.
#[derive(Debug)]
pub struct Watchdog {
    at: usize,
    ticks: u32,
}

impl Watchdog {
    /// One that wants to be fed within so many ticks of its clock.
    ///
    /// # Safety
    /// The registers of a CMSDK watchdog are at `at`, and nothing else uses them.
    #[allow(unsafe_code)]
    pub const unsafe fn new(at: usize, ticks: u32) -> Self {
        Self { at, ticks }
    }

    pub(crate) fn start(&mut self) {
        self.write(LOAD, self.ticks);
        self.write(CONTROL, ON);
    }

    /// Stops it for as long as the program waits for somebody.
    pub(crate) fn stop(&mut self) {
        self.write(CONTROL, 0);
    }

    pub(crate) fn feed(&mut self) {
        self.write(CLEAR, 1);
    }

    /// Lets half of the time pass.
    #[allow(unsafe_code)]
    pub(crate) fn wait(&self) {
        // SAFETY: as in `write`; reading changes nothing.
        let value = || unsafe { ptr::with_exposed_provenance::<u32>(self.at + VALUE).read_volatile() };
        let start = value();
        while start.wrapping_sub(value()) < self.ticks / 2 {
            // The emulator is slow at reading registers.
            cortex_m::asm::delay(1_000_000);
        }
    }

    /// Writes a register, which nothing else can do by accident.
    #[allow(unsafe_code)]
    fn write(&mut self, register: usize, value: u32) {
        for (offset, value) in [(LOCK, KEY), (register, value), (LOCK, 0)] {
            // SAFETY: a word of the registers that the caller of `new` vouched for; writing them touches no memory.
            unsafe { ptr::with_exposed_provenance_mut::<u32>(self.at + offset).write_volatile(value) }
        }
    }
}

/// The watchdog calls: nothing else can, on these machines.
///
/// # Safety
/// Called by the processor only.
#[allow(unsafe_code)]
#[exception]
unsafe fn NonMaskableInt() -> ! {
    defmt::error!("error {=u8}: the program gave no sign of life, and the watchdog stopped it", EXIT_WATCHDOG);
    exit(EXIT_WATCHDOG)
}

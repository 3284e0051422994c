//! Instructions, counted by the system timer.
//!
//! QEMU's cycle counter (DWT) reads 0 on Cortex-M. With `-icount shift=0` its clock advances by one nanosecond for
//! each instruction, and the system timer runs on that clock, so ticks are instructions in larger units: 31.25 of
//! them at the 32 MHz of mps3-an547. The factor is not trusted but measured once, on a loop whose length is known.
//! A reading is good to one tick. Without `-icount` the numbers mean nothing.

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

/// The timer counts down from here to 0 and starts over.
const TOP: u32 = 0x00ff_ffff;
/// Rounds of the loop that is measured, two instructions each.
const ROUNDS: u32 = 4_000_000;

static WRAPS: AtomicU32 = AtomicU32::new(0);
/// Instructions of 16 ticks: the true factor has a fraction, and sixteenths hold it exactly.
static PER_16_TICKS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // Only this handler writes, so a plain load and store is enough.
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Starts the timer, which nobody else can set from then on, and measures its unit.
pub(crate) fn start(mut timer: SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(TOP);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
    let before = ticks();
    spin(ROUNDS);
    let ticks = ticks() - before;
    let factor = (2 * u64::from(ROUNDS) * 16 + ticks / 2) / ticks.max(1);
    PER_16_TICKS.store(factor as u32, Ordering::Relaxed);
}

fn ticks() -> u64 {
    loop {
        let wraps = WRAPS.load(Ordering::Relaxed);
        let now = SYST::get_current();
        // A wrap between the reads would pair a new count with an old number of wraps. The interrupt is taken at
        // once (nothing here masks it around a reading), so an unchanged number means there was none.
        if WRAPS.load(Ordering::Relaxed) == wraps {
            // A period starts at the interrupt, with the value 0, and goes on with TOP, TOP - 1, ... 1.
            let phase = (TOP + 1 - now) & TOP;
            return u64::from(wraps) * u64::from(TOP + 1) + u64::from(phase);
        }
    }
}

/// Instructions since the start, to one tick.
pub(crate) fn instructions() -> u64 {
    ticks() * u64::from(PER_16_TICKS.load(Ordering::Relaxed)) / 16
}

/// Runs exactly two instructions a round.
#[allow(unsafe_code)]
#[inline(never)]
fn spin(rounds: u32) {
    // SAFETY: the loop touches one register of its own and the flags, which `asm!` takes as clobbered.
    unsafe {
        asm!("2:", "subs {n}, {n}, #1", "bne 2b", n = inout(reg) rounds => _, options(nomem, nostack));
    }
}

//! All cores of the machine as the runtime's executor.
#![allow(unsafe_code)]

use core::arch::asm;
use core::ptr;

use distil_harness::Executor;

use crate::handover::{Handover, Processor};
use crate::{counter, processor};

/// No machine here has more.
pub const MOST: usize = 4;

static CORES: Handover<MOST> = Handover::new();

/// The core that this runs on.
struct This;

impl Processor for This {
    fn core() -> usize {
        processor::core()
    }

    fn count() -> u64 {
        counter::count()
    }

    fn wait() {
        // SAFETY: sleeps until an event. An event that came since the last one was consumed is latched, and makes it
        // return at once. No `nomem`: the caller looks at memory again.
        unsafe { asm!("wfe", options(nostack)) };
    }

    fn signal() {
        // SAFETY: completes what this core has written, then sends the event.
        unsafe { asm!("dsb ish", "sev", options(nostack)) };
    }
}

/// How the other cores are woken.
#[derive(Clone, Copy, Debug)]
pub enum Wake {
    /// A call of the firmware (Arm DEN 0022, CPU_ON), by `smc` if the machine was entered at level 2, else by `hvc`.
    Psci {
        /// The level at which the machine was entered.
        entered_at: u64,
    },
    /// They sleep and look at a list of addresses in memory, eight bytes for each core from here on.
    SpinTable(usize),
}

/// The cores.
#[derive(Clone, Copy, Debug)]
pub struct Cores(());

// SAFETY: the start-up code defines it; only its address is used.
unsafe extern "C" {
    fn _start_other();
}

/// Wakes up to `count` cores in all and waits until they are ready to help, a tenth of a second at most: one that does not
/// come is done without.
pub fn start(wake: Wake, count: usize) -> Cores {
    let count = count.min(MOST);
    let entry = (_start_other as *const ()).addr() as u64;
    for core in 1..count {
        match wake {
            Wake::Psci { entered_at } => psci_on(entered_at, processor::affinity_of(core), entry),
            Wake::SpinTable(table) => release(table + 8 * core, entry),
        }
    }
    let begin = processor::microseconds();
    while CORES.cores() < count && processor::microseconds() - begin < 100_000 {
        // SAFETY: says that another core may go first. An emulator that runs them one after another needs that.
        unsafe { asm!("yield", options(nomem, nostack)) };
    }
    Cores(())
}

/// What a core does that was woken, after its MMU is on.
pub fn serve() -> ! {
    counter::start();
    CORES.serve::<This>();
    loop {
        This::wait();
    }
}

fn psci_on(entered_at: u64, affinity: u64, entry: u64) {
    const CPU_ON: u64 = 0xc400_0003;
    macro_rules! call {
        ($instruction:literal) => {
            // SAFETY: asks the firmware to start a core at the start-up code, which gives it a stack of its own. The
            // answer is not used: a core that does not come is noticed. Everything that a call may change is named.
            unsafe {
                asm!(
                    $instruction,
                    inout("x0") CPU_ON => _, inout("x1") affinity => _, inout("x2") entry => _, inout("x3") 0u64 => _,
                    lateout("x4") _, lateout("x5") _, lateout("x6") _, lateout("x7") _, lateout("x8") _,
                    lateout("x9") _, lateout("x10") _, lateout("x11") _, lateout("x12") _, lateout("x13") _,
                    lateout("x14") _, lateout("x15") _, lateout("x16") _, lateout("x17") _,
                    options(nostack),
                )
            }
        };
    }
    if entered_at == 2 { call!("smc #0") } else { call!("hvc #0") }
}

/// Writes the address to the list. The core that looks at it has its caches off: the line has to leave ours.
fn release(place: usize, entry: u64) {
    let place = ptr::with_exposed_provenance_mut::<u64>(place);
    // SAFETY: the machine says that the list is there, in memory that its tables map and that nothing else of the program
    // uses; the address is a multiple of 8.
    unsafe {
        place.write_volatile(entry);
        asm!("dc civac, {}", "dsb sy", "sev", in(reg) place, options(nostack));
    }
}

impl Cores {
    /// See [`Handover::take_turns`].
    pub fn take_turns(&self, in_turns: bool) {
        CORES.take_turns(in_turns);
    }

    /// What a core has counted at work, without waiting for others. Asked on the first core.
    pub fn worked(&self, core: usize) -> u64 {
        CORES.worked::<This>(core)
    }
}

impl Executor for Cores {
    fn threads(&self) -> usize {
        CORES.cores()
    }

    fn join(&self, left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
        CORES.join::<This>(left, right);
    }
}

//! The tests of the kernels on an emulated Cortex-M processor: the very test bodies of `crates/kernels/tests`, run one
//! after the other. A failure is a panic, as everywhere.
#![no_std]
#![no_main]

extern crate alloc;

mod prelude;

use core::panic::PanicInfo;

use cortex_m as _;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use distil_kernels::{Isa, Kernels};
use embedded_alloc::LlffHeap;
use semihosting::{print, println, process};

include!(concat!(env!("OUT_DIR"), "/tests.rs"));

/// Main memory of all three machines.
const HEAP: (usize, usize) = (0x6000_0000, 16 << 20);

#[global_allocator]
static ALLOCATOR: LlffHeap = LlffHeap::empty();

#[entry]
#[allow(unsafe_code)]
fn main() -> ! {
    // SAFETY: the machines have memory there, which is in no region of the linker, and this runs once, first.
    unsafe { ALLOCATOR.init(HEAP.0, HEAP.1) };
    print!("instruction sets:");
    for kernels in Kernels::available().filter(|kernels| kernels.isa() != Isa::Reference) {
        print!(" {}", kernels.isa());
    }
    println!("\ndetected: {}", Kernels::detect().isa());
    for (name, test) in TESTS {
        println!("{name}");
        test();
    }
    println!("{} tests passed", TESTS.len());
    process::exit(0)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    process::exit(101)
}

/// Every fault arrives here, because the specific handlers are not enabled.
///
/// # Safety
/// Called by the processor only.
#[allow(unsafe_code)]
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    println!("fault at {:#010x}", frame.pc());
    process::exit(102)
}

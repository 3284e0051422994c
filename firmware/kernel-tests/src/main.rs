//! The tests of the kernels on an emulated Cortex-M processor: the very test bodies of `crates/kernels/tests`, run one
//! after the other. A failure is a panic, as everywhere.
#![no_std]
#![no_main]

extern crate alloc;

mod fence;
mod prelude;

use core::panic::PanicInfo;

use cortex_m as _;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use distil_kernels::{Isa, Kernels};
use embedded_alloc::LlffHeap;
use semihosting::{print, println, process};

include!(concat!(env!("OUT_DIR"), "/tests.rs"));

#[allow(unsafe_code)]
// SAFETY: the memory maps beside build.rs define the symbols; only their addresses are used.
unsafe extern "C" {
    static _heap_start: u8;
    static _heap_end: u8;
}

#[global_allocator]
static ALLOCATOR: LlffHeap = LlffHeap::empty();

#[entry]
#[allow(unsafe_code)]
fn main() -> ! {
    let heap = (&raw const _heap_start).addr()..(&raw const _heap_end).addr();
    // SAFETY: the machines have memory there, which is in no region of the linker, and this runs once, first.
    unsafe { ALLOCATOR.init(heap.start, heap.len()) };
    print!("instruction sets:");
    for kernels in Kernels::available().filter(|kernels| kernels.isa() != Isa::Reference) {
        print!(" {}", kernels.isa());
    }
    println!("\ndetected: {}", Kernels::detect().isa());
    for (name, test) in TESTS {
        println!("{name}");
        if name.starts_with("bounds") { fence::in_turns(*test) } else { test() }
    }
    println!("{} tests passed", TESTS.len());
    fence::cross();
    println!("nothing stopped a read behind the end of memory");
    process::exit(1)
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
    if fence::expected() {
        println!("a read behind the end of memory is a fault");
        process::exit(0)
    }
    println!("fault at {:#010x}", frame.pc());
    process::exit(102)
}

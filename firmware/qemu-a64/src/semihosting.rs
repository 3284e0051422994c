//! Leaving the emulator with an exit code.
#![allow(unsafe_code)]

use core::arch::asm;

const SYS_EXIT: u64 = 0x18;
const APPLICATION_EXIT: u64 = 0x2_0026;

/// Ends the emulator; its exit status is `code`.
pub(crate) fn exit(code: u8) -> ! {
    let block = [APPLICATION_EXIT, u64::from(code)];
    loop {
        // SAFETY: a semihosting call that reads the block and does not come back. Were there no one to answer, the
        // instruction would be a fault, which ends here too.
        unsafe { asm!("hlt #0xf000", inout("x0") SYS_EXIT => _, in("x1") block.as_ptr(), options(nostack)) };
    }
}

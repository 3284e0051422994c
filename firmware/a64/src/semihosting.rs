//! The emulator's host: the command line, and leaving with an exit code.
#![allow(unsafe_code)]

use core::arch::asm;

const SYS_GET_CMDLINE: u64 = 0x15;
const SYS_EXIT: u64 = 0x18;
const APPLICATION_EXIT: u64 = 0x2_0026;

/// Ends the emulator; its exit status is `code`.
pub fn exit(code: u8) -> ! {
    let block = [APPLICATION_EXIT, u64::from(code)];
    loop {
        // SAFETY: a semihosting call that reads the block and does not come back. Were there no one to answer, the
        // instruction would be a fault, which ends here too.
        unsafe { asm!("hlt #0xf000", inout("x0") SYS_EXIT => _, in("x1") block.as_ptr(), options(nostack)) };
    }
}

/// The command line that the emulator was started with: the program's name and its arguments. Empty if there is none.
pub fn command_line(buffer: &mut [u8]) -> &str {
    let mut block = [buffer.as_mut_ptr().expose_provenance(), buffer.len()];
    let result: u64;
    // SAFETY: a semihosting call that writes at most so many bytes to the buffer, and the length of the text, without
    // the zero that ends it, to the block. It changes no other register.
    unsafe {
        asm!("hlt #0xf000", inout("x0") SYS_GET_CMDLINE => result, in("x1") block.as_mut_ptr(), options(nostack))
    };
    let len = if result == 0 { block[1] } else { 0 };
    core::str::from_utf8(&buffer[..len.min(buffer.len())]).unwrap_or_default()
}

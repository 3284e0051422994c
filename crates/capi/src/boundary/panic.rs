//! What happens if there is a mistake in this library: a hook of the caller, then the end. Nothing unwinds.

use core::ffi::c_char;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// Is given what happened, terminated by a zero, on a stack that may be near its end: it logs, and resets the device or ends
/// the program. If it returns, the program is aborted; without an operating system, by an undefined instruction.
pub type distil_panic_hook = Option<unsafe extern "C" fn(message: *const c_char)>;

static HOOK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Sets the function that is called if there is a mistake in this library, before the program ends; null for none. Whatever
/// the inputs are, none is known to lead there.
#[unsafe(no_mangle)]
pub extern "C" fn distil_set_panic_hook(hook: distil_panic_hook) {
    let address = hook.map_or(ptr::null_mut(), |hook| hook as *mut ());
    HOOK.store(address, Ordering::Relaxed);
}

#[cfg(feature = "panic-handler")]
mod handler {
    use core::mem::transmute;
    use core::panic::PanicInfo;

    use super::{HOOK, Ordering, c_char};
    use crate::message;

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        let hook = HOOK.load(Ordering::Relaxed);
        if !hook.is_null() {
            let mut buffer = [0; 256];
            message::write(info, &mut buffer);
            // SAFETY: only `distil_set_panic_hook` stores here, and what it stores is such a function; the message is
            // terminated within the buffer.
            unsafe {
                let hook = transmute::<*mut (), unsafe extern "C" fn(*const c_char)>(hook);
                hook(buffer.as_ptr().cast());
            }
        }
        stop()
    }

    #[cfg(not(target_os = "none"))]
    fn stop() -> ! {
        // SAFETY: the C library's function, which takes nothing and does not return.
        unsafe extern "C" {
            fn abort() -> !;
        }
        // SAFETY: as above.
        unsafe { abort() }
    }

    #[cfg(target_os = "none")]
    fn stop() -> ! {
        #[cfg(target_arch = "arm")]
        // SAFETY: an instruction that is never defined: the processor takes the fault.
        unsafe {
            core::arch::asm!("udf #0", options(noreturn))
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: an instruction that is never defined: the processor takes the exception.
        unsafe {
            core::arch::asm!("udf #0", options(noreturn))
        }
        #[cfg(not(any(target_arch = "arm", target_arch = "aarch64")))]
        loop {
            core::hint::spin_loop();
        }
    }
}

/// The compiled core library names the routine that would unwind, which nothing here can reach. Weak, so that a program with
/// another Rust library in it takes that one's.
#[cfg(all(feature = "panic-handler", target_os = "linux"))]
mod personality {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    core::arch::global_asm!(
        ".pushsection .text.rust_eh_personality,\"ax\"",
        ".weak rust_eh_personality",
        "rust_eh_personality:",
        "ud2",
        ".popsection"
    );
    #[cfg(target_arch = "aarch64")]
    core::arch::global_asm!(
        ".pushsection .text.rust_eh_personality,\"ax\"",
        ".weak rust_eh_personality",
        "rust_eh_personality:",
        "udf #0",
        ".popsection"
    );
}

/// Panics, for the test of the hook.
#[cfg(feature = "test-panic")]
#[unsafe(no_mangle)]
pub extern "C" fn distil_test_panic() {
    panic!("asked for");
}

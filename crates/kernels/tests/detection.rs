//! Detection says what the processor does: an instruction set is offered if, and only if, a process
//! survives one of its instructions.

#![allow(unsafe_code, reason = "an instruction that may be missing, in a process of its own")]
#![cfg(all(target_arch = "aarch64", unix))]

use std::arch::asm;

use distil_kernels::{Isa, Kernels};

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(child: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(code: i32) -> !;
}

/// The signal of an instruction that does not exist.
const SIGILL: i32 = 4;

/// Whether a process gets past `instruction`; without it, it dies of just that.
fn survives(instruction: unsafe fn()) -> bool {
    let mut status = -1;
    // SAFETY: the child does nothing but run the instruction and end; the parent waits for it.
    unsafe {
        let child = fork();
        if child == 0 {
            instruction();
            _exit(0);
        }
        assert!(child > 0 && waitpid(child, &mut status, 0) == child, "no child process");
    }
    assert!(status == 0 || status & 0x7f == SIGILL, "the child ended in another way: {status:#x}");
    status == 0
}

unsafe fn sdot() {
    // SAFETY: the caller bears that it may not exist; it changes one register.
    unsafe { asm!(".arch_extension dotprod", "sdot v0.4s, v1.16b, v2.16b", out("v0") _) }
}

unsafe fn smmla() {
    // SAFETY: as in `sdot`.
    unsafe { asm!(".arch_extension i8mm", "smmla v0.4s, v1.16b, v2.16b", out("v0") _) }
}

#[test]
fn an_instruction_set_is_offered_where_its_instructions_run() {
    assert!(Kernels::with_isa(Isa::Neon).is_ok());
    assert_eq!(Kernels::with_isa(Isa::NeonDotprod).is_ok(), survives(sdot), "sdot");
    assert_eq!(Kernels::with_isa(Isa::NeonI8mm).is_ok(), survives(smmla), "smmla");
    assert_eq!(Kernels::with_isa(Isa::NeonDotprod).is_ok(), std::arch::is_aarch64_feature_detected!("dotprod"));
    assert_eq!(Kernels::with_isa(Isa::NeonI8mm).is_ok(), std::arch::is_aarch64_feature_detected!("i8mm"));
}

/// An emulated processor has what its name promises: `DISTIL_EXPECT_ISA` is the one detected there.
#[test]
fn the_expected_instruction_set_is_detected() {
    if let Ok(name) = std::env::var("DISTIL_EXPECT_ISA") {
        assert_eq!(Kernels::detect().isa().name(), name);
    }
}

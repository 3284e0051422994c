//! The form of every loop in Helium.

/// A block of assembly with Helium's instructions: lines in brackets, then operands.
///
/// The target does not know Helium, so the block names a processor that has it, and vector registers
/// by number. The block may change all of them, and the link register, which counts loops.
macro_rules! helium {
    ([$($line:expr),* $(,)?] $($operands:tt)*) => {
        core::arch::asm!(
            ".cpu cortex-m55",
            $($line,)*
            $($operands)*
            out("d0") _, out("d1") _, out("d2") _, out("d3") _,
            out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            out("d8") _, out("d9") _, out("d10") _, out("d11") _,
            out("d12") _, out("d13") _, out("d14") _, out("d15") _,
            out("lr") _,
            options(nostack),
        )
    };
}
pub(super) use helium;

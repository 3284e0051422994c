//! What the test programs take from the standard library without naming it.

pub(crate) use alloc::format;
pub(crate) use alloc::string::String;
pub(crate) use alloc::vec;
pub(crate) use alloc::vec::Vec;

/// Instruction sets that do not exist here are said once, at the start.
macro_rules! eprintln {
    ($($message:tt)*) => {{
        let _ = format_args!($($message)*);
    }};
}
pub(crate) use eprintln;

/// The methods of `f64` that `core` does not have.
pub(crate) trait Float64 {
    fn exp(self) -> Self;
    fn log2(self) -> Self;
    fn floor(self) -> Self;
    fn sqrt(self) -> Self;
    fn powi(self, n: i32) -> Self;
}

impl Float64 for f64 {
    fn exp(self) -> Self {
        libm::exp(self)
    }
    fn log2(self) -> Self {
        libm::log2(self)
    }
    fn floor(self) -> Self {
        libm::floor(self)
    }
    fn sqrt(self) -> Self {
        libm::sqrt(self)
    }
    fn powi(self, n: i32) -> Self {
        libm::pow(self, f64::from(n))
    }
}

//! Names of the instruction sets.

use core::fmt;
use core::str::FromStr;

/// An instruction set with kernels of its own.
///
/// Every variant exists on every target, so that a tool can name one that this machine lacks;
/// whether it can run is what [`Kernels::with_isa`](crate::Kernels::with_isa) answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Plain Rust, which defines every result.
    Reference,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX2 and AVX-VNNI.
    AvxVnni,
    /// x86-64 with AVX-512 F, BW, VL and VNNI.
    Avx512Vnni,
    /// x86-64 with AMX for 8-bit integers, and AVX-512 as above.
    Amx,
    /// 64-bit ARM, baseline NEON.
    Neon,
    /// 64-bit ARM with the dot-product instructions.
    NeonDotprod,
    /// 64-bit ARM with the 8-bit integer matrix instructions.
    NeonI8mm,
    /// Cortex-M with the DSP extension.
    ArmDsp,
    /// Cortex-M with the M-profile vector extension, integer and float.
    Helium,
}

impl Isa {
    /// All of them; within one architecture from the slowest to the fastest.
    pub const ALL: [Isa; 10] = [
        Isa::Reference,
        Isa::Avx2,
        Isa::AvxVnni,
        Isa::Avx512Vnni,
        Isa::Amx,
        Isa::Neon,
        Isa::NeonDotprod,
        Isa::NeonI8mm,
        Isa::ArmDsp,
        Isa::Helium,
    ];

    /// The name that [`FromStr`] reads back.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Reference => "reference",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avxvnni",
            Isa::Avx512Vnni => "avx512vnni",
            Isa::Amx => "amx",
            Isa::Neon => "neon",
            Isa::NeonDotprod => "dotprod",
            Isa::NeonI8mm => "i8mm",
            Isa::ArmDsp => "dsp",
            Isa::Helium => "helium",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(name: &str) -> Result<Self, UnknownIsa> {
        Isa::ALL.into_iter().find(|isa| isa.name() == name).ok_or(UnknownIsa)
    }
}

/// The text is not the name of an instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownIsa;

impl fmt::Display for UnknownIsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown instruction set; use one of")?;
        for (i, isa) in Isa::ALL.into_iter().enumerate() {
            write!(f, "{} {isa}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownIsa {}

/// The instruction set does not exist on this machine, or the operating system does not save its
/// registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsaUnavailable(pub Isa);

impl fmt::Display for IsaUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this machine cannot run {}; leave the choice to detection, or use reference", self.0)
    }
}

impl core::error::Error for IsaUnavailable {}

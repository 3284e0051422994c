//! Cortex-M: the DSP instructions of M4, M7 and M33, and Helium, the vectors of M52, M55 and M85.
//!
//! One program serves processors with and without them: what exists is read from the processor's
//! identification registers, which only privileged code may do. Helium's code is in programs for
//! ARMv8-M alone. Stable Rust knows neither Helium nor the DSP instructions, so inner loops are
//! assembly.

mod dsp;
#[cfg(all(m_profile = "8", target_abi = "eabihf"))]
mod helium;
mod panel;
mod product;

use crate::isa::Isa;
use crate::operations::Operations;

/// Instruction set attributes 3: the instructions on halves and bytes in bits 4 to 7.
const ID_ISAR3: *const u32 = core::ptr::without_provenance(0xe000_ed6c);
/// Floating-point features 1: the vector extension in bits 8 to 11.
#[cfg(all(m_profile = "8", target_abi = "eabihf"))]
const MVFR1: *const u32 = core::ptr::without_provenance(0xe000_ef44);

/// The operations of an instruction set that exists here.
pub(crate) fn operations(isa: Isa) -> Option<&'static Operations> {
    match isa {
        // 3: SXTB16, SMLAD and their kin.
        Isa::ArmDsp => (field(ID_ISAR3, 4) >= 3).then_some(&dsp::OPERATIONS),
        // 1: integers only; 2: floats too.
        #[cfg(all(m_profile = "8", target_abi = "eabihf"))]
        Isa::Helium => (field(MVFR1, 8) >= 2).then_some(&helium::OPERATIONS),
        _ => None,
    }
}

/// Four bits of an identification register.
fn field(register: *const u32, shift: u32) -> u32 {
    // SAFETY: both registers are part of the system control space of every processor of this
    // profile (`build.rs`); reading them changes nothing.
    let value = unsafe { register.read_volatile() };
    (value >> shift) & 15
}

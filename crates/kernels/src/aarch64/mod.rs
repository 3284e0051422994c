//! 64-bit ARM: every processor has the baseline NEON; the dot product and the matrix instructions
//! are looked for.

mod chain;
mod detect;
mod dotprod;
mod gelu;
mod i8mm;
mod neon;
mod panel;
mod product;
mod sdot;
mod simd;
mod smlal;
mod smmla;

use crate::isa::Isa;
use crate::operations::Operations;

/// The operations of an instruction set that exists here.
pub(crate) fn operations(isa: Isa) -> Option<&'static Operations> {
    match isa {
        Isa::Neon => Some(&neon::OPERATIONS),
        Isa::NeonDotprod => detect::dotprod().then_some(&dotprod::OPERATIONS),
        Isa::NeonI8mm => detect::i8mm().then_some(&i8mm::OPERATIONS),
        _ => None,
    }
}

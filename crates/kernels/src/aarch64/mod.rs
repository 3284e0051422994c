//! 64-bit ARM: every processor has the baseline NEON, so nothing is detected.

mod neon;

use crate::isa::Isa;
use crate::operations::Operations;

/// The operations of an instruction set that exists here.
pub(crate) fn operations(isa: Isa) -> Option<&'static Operations> {
    match isa {
        Isa::Neon => Some(&neon::OPERATIONS),
        _ => None,
    }
}

//! Targets whose only path is the reference.

use crate::isa::Isa;
use crate::operations::Operations;

/// No instruction set but the reference exists here.
pub(crate) fn operations(_isa: Isa) -> Option<&'static Operations> {
    None
}

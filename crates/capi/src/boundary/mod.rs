//! The functions that C calls, and all unsafe code of this crate.
#![allow(unsafe_code, reason = "pointers come from C")]
#![allow(clippy::missing_safety_doc, reason = "there is one contract for all functions, in the crate's documentation")]

pub mod answers;
pub mod model;
pub mod opening;
pub mod panic;
mod pointers;
pub mod session;

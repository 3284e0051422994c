//! Small packed files of every kind, changes to them, and what has to hold for any bytes.
//!
//! The functions of [`targets`] take any bytes and panic if a promise of the parser, the tokenizer, the runtime or the
//! writer is broken. Three things call them: the fuzzer (`crates/format/fuzz`), the tests of this crate with random and
//! kept inputs, and Miri. The tests go through every single change of whole files, too.
#![forbid(unsafe_code)]

mod change;
mod input;
mod kept;
mod model;
mod run;
mod tensor;
mod uses;

pub mod targets;

pub use change::{Forged, fix_checksum, forge};
pub use input::Input;
pub use kept::{pack_inputs, unpack_inputs};
pub use model::{Kind, Stored, config, file, kinds, labels, pieces, tensors};
pub use run::{Answer, Runner};
pub use uses::{rewritten, use_all};

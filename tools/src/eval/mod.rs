//! Quality on labelled data, of a packed file or of the float original: the same code asks both.

pub mod classification;
pub mod mlm;
pub mod squad;
pub mod stats;
pub mod stsb;
mod subject;

pub use subject::Subject;

//! From text to masked batches.

mod batch;

pub use batch::Batch;

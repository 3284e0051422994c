//! From text to masked batches.

mod batch;
pub mod batches;
mod corpus;
mod folder;
mod masking;
mod prepare;
mod shards;
mod vocabulary;

pub use batch::Batch;
pub use folder::DataFolder;
pub use masking::Masker;
pub use prepare::{Preparation, prepare};
pub use shards::{Dataset, Index, ShardEntry};
pub use vocabulary::{Special, Vocabulary};

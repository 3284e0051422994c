//! From text to masked batches.

mod batch;
pub mod batches;
mod folder;
mod mapped;
mod masking;
mod prepare;
mod shards;
mod text;
pub mod vocabulary;

pub use batch::Batch;
pub use folder::DataFolder;
pub use masking::Masker;
pub use prepare::{Preparation, Prepared, Watch, prepare};
pub use shards::{Dataset, Index, ShardEntry};
pub use text::{BadLine, BadLines, Compression, Format, Input, Inputs};
pub use vocabulary::{Encoder, Special, Vocabulary};

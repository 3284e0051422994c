//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! `RUN/checkpoints/step-00001234/` holds the student as a Hugging Face folder, `optimizer.safetensors` (moments, and whatever else
//! of the student outlasts a step), and `state.json`: counters and sums, what the run is made of, and a checksum of every file and
//! of itself. A checkpoint is written under another name, flushed to the disk, and renamed: one that has its name and matches its
//! checksums is complete. `RUN/checkpoints/best` names the one with the lowest held-out loss.

mod identity;
mod keeper;
mod record;
mod store;
mod tensors;

pub use identity::Identity;
pub(crate) use identity::fingerprint;
pub use keeper::{Keeper, Policy};
pub use store::{Checkpoint, Store};

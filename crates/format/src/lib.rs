//! The packed model file of Distil (`.distil`): one file with the configuration, the weights, the vocabulary and the label names of one encoder.
//!
//! [`Artifact::open`] is the one place where a file is accepted or rejected. It borrows the bytes (from flash or a memory map), allocates nothing, and checks all that `SPEC.md` next to
//! this crate says about them. It has two steps: [`Artifact::open_unverified`] looks at the structure, in microseconds; [`Artifact::verify`] at the rest, in one pass over all bytes. A file
//! that was verified when it was flashed or downloaded can be opened by the first step alone: after it no accessor can panic, loop, or read elsewhere, whatever the bytes are. The writer,
//! behind the feature `alloc`, puts the same checks before every file, so what it writes opens.
//!
//! The checksum finds accidents, not attackers: it is no signature. A file with a matching checksum is still checked in full.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(feature = "alloc")]
mod aligned;
mod artifact;
mod checksum;
mod config;
mod container;
mod enums;
mod error;
mod labels;
mod opening;
mod padding;
mod record;
mod storage;
mod tensors;
mod verify;
mod vocabulary;
#[cfg(feature = "alloc")]
mod write;

#[cfg(feature = "alloc")]
pub use aligned::AlignedBytes;
pub use artifact::{Artifact, Tensor};
pub use checksum::{Xxh32, xxh32};
pub use config::{
    Config, MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LABELS, MAX_LAYERS, MAX_POSITIONS, MAX_TYPES, MAX_VOCABULARY,
};
pub use container::{ALIGNMENT, MAGIC, SectionKind, VERSION};
pub use enums::{Architecture, Dtype, Head, Layout, Pooling, Problem, UnknownName};
pub use error::{ConfigError, OpenError, TensorError};
pub use opening::Opening;
pub use storage::{data_len, elements_len, groups_len, scales_len};
pub use tensors::{Role, RoleKind, TensorId};
#[cfg(feature = "alloc")]
pub use vocabulary::build_vocabulary;
pub use vocabulary::{MAX_PIECE_BYTES, Vocabulary, VocabularyError};
#[cfg(feature = "alloc")]
pub use write::{TensorData, WriteError, write};

// Offsets inside a file are u64; lengths in memory are usize, and u32 counts convert to it without loss.
const _: () = assert!(usize::BITS >= 32);

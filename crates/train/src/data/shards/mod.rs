//! Token shards: a folder with `index.json`, `vocab.txt` and binary files of sequences.
//!
//! A shard is little-endian, version 2:
//!
//! | bytes | what |
//! |---|---|
//! | 0-7 | the magic `DSTLTOKS` |
//! | 8-11 | version, 2 |
//! | 12-15 | bytes of a token, 2 or 4 |
//! | 16-23 | number of sequences, `n` |
//! | 24-31 | number of tokens, `m` (below 2^32) |
//! | 32-63 | SHA-256 of the vocabulary |
//! | 64-67 | CRC-32C of the table |
//! | 68-71 | CRC-32C of the tokens |
//! | 72-75 | 0 |
//! | 76-79 | CRC-32C of bytes 0-75 |
//! | 80-   | the table: where each sequence ends, in tokens (`n` of `u32`) |
//! |       | the tokens (`m` of 2 or 4 bytes) |
//!
//! Sequences hold their `[CLS]` and `[SEP]`. The index is written last: a folder without one is incomplete.
//!
//! A checksum finds damage, not intent: whoever alters a file on purpose can alter its checksum too.

mod dataset;
mod header;
mod index;
mod shard;
mod writer;

pub use dataset::Dataset;
pub use index::{Index, ShardEntry};
pub(super) use writer::{ShardWriter, token_width};

/// Version of the index and of the shards.
pub(super) const VERSION: u32 = 2;

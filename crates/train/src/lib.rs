//! crates/train

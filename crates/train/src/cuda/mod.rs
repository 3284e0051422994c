//! What runs on NVIDIA's GPUs only.

pub mod query;

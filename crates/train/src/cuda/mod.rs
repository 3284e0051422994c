//! What runs on NVIDIA's GPUs only.

#[cfg(feature = "nccl")]
pub(crate) mod nccl;
pub mod query;

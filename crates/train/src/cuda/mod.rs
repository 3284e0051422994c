//! What runs on NVIDIA's GPUs only.

mod gemm;
mod launch;
mod machine;
mod memory;
mod module;
#[cfg(feature = "nccl")]
pub(crate) mod nccl;
pub mod query;

pub(crate) use machine::Gpu;
pub(crate) use memory::{Memory, kind};

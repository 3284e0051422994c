//! Which kernels each operation runs, and how: written once for every [`Machine`](super::machine::Machine).
//!
//! `kind` is the type of activations; parameters and their gradients are `f32`.

pub(crate) mod attention;
pub(crate) mod columns;
pub(crate) mod cosine;
pub(crate) mod elementwise;
pub(crate) mod embedding;
pub(crate) mod linear;
pub(crate) mod norm;
pub(crate) mod vocabulary;

#[cfg(test)]
mod tests;

use super::machine::Launch;

/// A launch of one-dimensional blocks.
fn launch(kernel: impl Into<String>, grid: [usize; 2], block: usize, flops: usize) -> Launch {
    Launch { kernel: kernel.into(), grid: grid.map(|g| g as u32), block: [block as u32, 1], flops: flops as u64 }
}

/// Blocks of 256 threads for a loop over `n` elements, `width` to a thread: enough to fill any GPU, no more.
fn blocks(n: usize, width: usize) -> usize {
    n.div_ceil(256 * width).clamp(1, 2112)
}

/// Numbers that a thread takes at once: 8 where rows of `m` keep 16-byte alignment.
fn width(m: usize) -> usize {
    if m.is_multiple_of(8) { 8 } else { 1 }
}

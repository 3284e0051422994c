//! Element by element: dropout, casts, scaling, the optimizer.

use super::{blocks, launch, width};
use crate::ops::Mask;
use crate::ops::machine::{Arg, Kind, Machine, mask_arguments};
use candle_core::Result;

/// `residual + dropout(x)`.
pub(crate) fn dropout<M: Machine>(
    machine: &M,
    kind: Kind,
    x: &M::Buffer,
    residual: Option<&M::Buffer>,
    mask: &Mask,
    n: usize,
) -> Result<M::Buffer> {
    let out = machine.uninit(kind, n)?;
    let width = width(n);
    let mut arguments = vec![Arg::In(x), residual.map_or(Arg::Null, Arg::In), Arg::Out(&out), Arg::U64(n as u64)];
    arguments.extend(mask_arguments(Some(mask)));
    let kernel = format!("dropout_w{width}_{}", kind.suffix());
    machine.launch(&launch(kernel, [blocks(n, width), 1], 256, 2 * n), &arguments)?;
    Ok(out)
}

/// A `bf16` copy of `n` numbers in `f32`, with zeros up to `total`.
pub(crate) fn to_bf16<M: Machine>(machine: &M, x: &M::Buffer, n: usize, total: usize) -> Result<M::Buffer> {
    let out = machine.uninit(Kind::Bf16, total)?;
    cast(machine, x, n, &out, (0, total))?;
    Ok(out)
}

/// `bf16` copies of `f32` buffers, with their lengths, one after another. All lengths but the last are multiples of 8.
pub(crate) fn joined_bf16<M: Machine>(machine: &M, parts: &[(M::Buffer, usize)]) -> Result<M::Buffer> {
    let out = machine.uninit(Kind::Bf16, parts.iter().map(|(_, n)| n).sum())?;
    let mut first = 0;
    for (x, n) in parts {
        cast(machine, x, *n, &out, (first, *n))?;
        first += n;
    }
    Ok(out)
}

/// Writes `n` numbers and zeros up to `total` from the element `first` of `out` on.
fn cast<M: Machine>(
    machine: &M,
    x: &M::Buffer,
    n: usize,
    out: &M::Buffer,
    (first, total): (usize, usize),
) -> Result<()> {
    let written = Arg::Part(out, first, 2 * total as u64);
    let arguments = [Arg::In(x), written, Arg::U64(n as u64), Arg::U64(total as u64)];
    machine.launch(&launch("to_bf16", [blocks(total, 8), 1], 256, 0), &arguments)
}

/// `x *= factor`, a scalar (`f32`) on the machine.
pub(crate) fn scale<M: Machine>(machine: &M, kind: Kind, x: &M::Buffer, factor: &M::Buffer, n: usize) -> Result<()> {
    let kernel = format!("scale_{}", kind.suffix());
    machine.launch(&launch(kernel, [blocks(n, 1), 1], 256, n), &[Arg::Both(x), Arg::In(factor), Arg::U64(n as u64)])
}

/// Constants of an AdamW step, as the kernel takes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamW {
    pub(crate) gradient_scale: f32,
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    /// `1 - rate * weight decay`.
    pub(crate) keep: f32,
    /// Learning rate over the first moment's correction.
    pub(crate) rate: f32,
    /// Reciprocal of the second moment's correction.
    pub(crate) correction: f32,
    pub(crate) eps: f32,
}

/// One step of `n` weights and their moments `[2, n]`, in place.
pub(crate) fn adamw<M: Machine>(
    machine: &M,
    weights: &M::Buffer,
    moments: &M::Buffer,
    gradient: &M::Buffer,
    n: usize,
    c: AdamW,
) -> Result<()> {
    let mut arguments = vec![Arg::Both(weights), Arg::Both(moments), Arg::In(gradient), Arg::U64(n as u64)];
    arguments.extend([c.gradient_scale, c.beta1, c.beta2, c.keep, c.rate, c.correction, c.eps].map(Arg::F32));
    machine.launch(&launch("adamw", [blocks(n, 1), 1], 256, 14 * n), &arguments)
}

/// The sum of the squares of all elements of `tensors` (`f32`, with their lengths), a scalar on the machine.
pub(crate) fn square_sum<M: Machine>(machine: &M, tensors: &[(M::Buffer, usize)]) -> Result<M::Buffer> {
    // At most 64 blocks for each tensor; the second kernel reads them in order.
    let parts: Vec<usize> = tensors.iter().map(|&(_, n)| blocks(n, 16).min(64)).collect();
    let count = parts.iter().sum::<usize>();
    let partial = machine.uninit(Kind::F32, count)?;
    let mut first = 0;
    for ((x, n), parts) in tensors.iter().zip(parts) {
        let written = Arg::Part(&partial, 0, 4 * parts as u64);
        let arguments = [Arg::In(x), written, Arg::U64(*n as u64), Arg::U32(first as u32)];
        machine.launch(&launch("square_sums_f32", [parts, 1], 256, 2 * n), &arguments)?;
        first += parts;
    }
    let out = machine.uninit(Kind::F32, 1)?;
    total(machine, &partial, &out, count, 1.0)?;
    Ok(out)
}

/// `out = factor * sum of x`, `f32`.
pub(crate) fn total<M: Machine>(machine: &M, x: &M::Buffer, out: &M::Buffer, n: usize, factor: f32) -> Result<()> {
    let arguments = [Arg::In(x), Arg::Out(out), Arg::U32(n as u32), Arg::F32(factor)];
    machine.launch(&launch("total", [1, 1], 1024, n), &arguments)
}

//! Mean over rows of one minus the cosine.

use super::elementwise::total;
use super::launch;
use crate::ops::machine::{Arg, Kind, Machine};
use candle_core::Result;

/// The loss, a scalar in `f32`.
pub(crate) fn cosine<M: Machine>(
    machine: &M,
    kind: Kind,
    s: &M::Buffer,
    t: &M::Buffer,
    (n, h): (usize, usize),
) -> Result<M::Buffer> {
    let (losses, out) = (machine.uninit(Kind::F32, n)?, machine.uninit(Kind::F32, 1)?);
    let arguments = [Arg::In(s), Arg::In(t), Arg::Out(&losses), Arg::U32(n as u32), Arg::U32(h as u32)];
    machine
        .launch(&launch(format!("cosine_rows_{}", kind.suffix()), [n.div_ceil(8), 1], 256, 6 * n * h), &arguments)?;
    total(machine, &losses, &out, n, 1.0 / n as f32)?;
    Ok(out)
}

/// The student's gradient; `grad` is the loss's, a scalar in `f32`.
pub(crate) fn cosine_backward<M: Machine>(
    machine: &M,
    kind: Kind,
    (s, t): (&M::Buffer, &M::Buffer),
    grad: &M::Buffer,
    (n, h): (usize, usize),
) -> Result<M::Buffer> {
    let ds = machine.uninit(kind, n * h)?;
    let arguments = [Arg::In(s), Arg::In(t), Arg::In(grad), Arg::Out(&ds), Arg::U32(n as u32), Arg::U32(h as u32)];
    machine.launch(
        &launch(format!("cosine_backward_{}", kind.suffix()), [n.div_ceil(8), 1], 256, 10 * n * h),
        &arguments,
    )?;
    Ok(ds)
}

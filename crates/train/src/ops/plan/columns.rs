//! Sums over rows, bias and GELU: kernels whose blocks are 32 x 8 threads over columns and rows.

use super::width;
use crate::ops::machine::{Arg, Kind, Launch, Machine};
use candle_core::Result;

/// The grid over a matrix `[n, m]`; its second number depends on the shape alone, so that sums have one order everywhere.
fn grid(n: usize, m: usize, width: usize) -> [usize; 2] {
    let strips = m.div_ceil(32 * width);
    [strips, n.div_ceil(64).clamp(1, (1024 / strips).max(1))]
}

fn launch(kernel: &str, kind: Kind, n: usize, m: usize, width: usize, flops: usize) -> Launch {
    let grid = grid(n, m, width).map(|g| g as u32);
    let kernel = format!("{kernel}_w{width}_{}", kind.suffix());
    Launch { kernel, grid, block: [32, 8], flops: flops as u64 }
}

/// Adds up the rows of `partial [n, m]` into `out [m]`, on top of what is there with `add`.
pub(crate) fn sum_partials<M: Machine>(
    machine: &M,
    partial: &M::Buffer,
    out: &M::Buffer,
    (n, m): (usize, usize),
    add: bool,
) -> Result<()> {
    let launch = Launch {
        kernel: "sum_partials".into(),
        grid: [m.div_ceil(32) as u32, 1],
        block: [32, 8],
        flops: (n * m) as u64,
    };
    // `out` may be larger than what is written.
    let out = Arg::Part(out, 0, (4 * m * if add { 2 } else { 1 }) as u64);
    machine.launch(&launch, &[Arg::In(partial), out, Arg::U32(n as u32), Arg::U32(m as u32), Arg::U32(u32::from(add))])
}

/// Column sums of the first `m` columns of `x`, whose rows are `stride` apart, into `out [m]` (`f32`).
pub(crate) fn column_sums<M: Machine>(
    machine: &M,
    kind: Kind,
    x: &M::Buffer,
    out: &M::Buffer,
    (n, m, stride): (usize, usize, usize),
    add: bool,
) -> Result<()> {
    let width = width(stride);
    let parts = grid(n, m, width)[1];
    let partial = machine.uninit(Kind::F32, parts * m)?;
    machine.launch(
        &launch("column_sums", kind, n, m, width, n * m),
        &[
            Arg::Part(x, 0, (n * m * kind.size()) as u64),
            Arg::Out(&partial),
            Arg::U32(n as u32),
            Arg::U32(m as u32),
            Arg::U32(stride as u32),
        ],
    )?;
    sum_partials(machine, &partial, out, (parts, m), add)
}

/// `x += bias` in place.
pub(crate) fn add_bias<M: Machine>(
    machine: &M,
    kind: Kind,
    x: &M::Buffer,
    bias: &M::Buffer,
    (n, m): (usize, usize),
) -> Result<()> {
    let arguments = [Arg::Both(x), Arg::In(bias), Arg::U32(n as u32), Arg::U32(m as u32)];
    machine.launch(&launch("add_bias", kind, n, m, width(m), n * m), &arguments)
}

/// Floating-point operations of an `erf` or `exp`, about.
const TRANSCENDENTAL: usize = 20;

fn optional<B>(buffer: Option<&B>) -> Arg<'_, B> {
    buffer.map_or(Arg::Null, Arg::In)
}

/// GELU of `x [n, m]` plus a bias.
pub(crate) fn bias_gelu<M: Machine>(
    machine: &M,
    kind: Kind,
    x: &M::Buffer,
    bias: Option<&M::Buffer>,
    (n, m): (usize, usize),
) -> Result<M::Buffer> {
    let out = machine.uninit(kind, n * m)?;
    let arguments = [Arg::In(x), optional(bias), Arg::Out(&out), Arg::U32(n as u32), Arg::U32(m as u32)];
    machine.launch(&launch("bias_gelu", kind, n, m, width(m), TRANSCENDENTAL * n * m), &arguments)?;
    Ok(out)
}

/// Gradients of `x` and of the bias (none when there is none).
pub(crate) fn bias_gelu_backward<M: Machine>(
    machine: &M,
    kind: Kind,
    (x, bias): (&M::Buffer, Option<&M::Buffer>),
    grad: &M::Buffer,
    (n, m): (usize, usize),
) -> Result<(M::Buffer, Option<M::Buffer>)> {
    let parts = grid(n, m, width(m))[1];
    let (dx, partial) = (machine.uninit(kind, n * m)?, machine.uninit(Kind::F32, parts * m)?);
    machine.launch(
        &launch("bias_gelu_backward", kind, n, m, width(m), 2 * TRANSCENDENTAL * n * m),
        &[
            Arg::In(x),
            optional(bias),
            Arg::In(grad),
            Arg::Out(&dx),
            Arg::Out(&partial),
            Arg::U32(n as u32),
            Arg::U32(m as u32),
        ],
    )?;
    let Some(_) = bias else { return Ok((dx, None)) };
    let out = machine.uninit(Kind::F32, m)?;
    sum_partials(machine, &partial, &out, (parts, m), false)?;
    Ok((dx, Some(out)))
}

//! LayerNorm over a residual sum.

use super::columns::sum_partials;
use super::launch;
use crate::ops::Mask;
use crate::ops::machine::{Arg, Kind, Launch, Machine, mask_arguments};
use candle_core::{Result, bail};

/// Rows, width and epsilon of a LayerNorm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) n: usize,
    pub(crate) h: usize,
    pub(crate) eps: f64,
}

/// Operations for each number, about, forward; the backward pass takes twice as many.
const FLOPS: usize = 8;

impl Shape {
    /// The kernel's variant: numbers in a vector, vectors in a lane.
    fn variant(&self) -> Result<(usize, usize)> {
        match self.h {
            h if h.is_multiple_of(8) && h <= 1024 => Ok((8, h.div_ceil(256))),
            h if h <= 256 => Ok((1, 8)),
            h if h <= 1024 => Ok((1, 32)),
            h => bail!("LayerNorm on a GPU takes rows of at most 1024 numbers, not {h}; train on the CPU"),
        }
    }

    fn kernel(&self, name: &str, kind: Kind) -> Result<String> {
        let (w, n) = self.variant()?;
        Ok(format!("{name}_w{w}n{n}_{}", kind.suffix()))
    }

    /// Four rows to a block.
    pub(super) fn forward(&self, name: &str, kind: Kind) -> Result<Launch> {
        Ok(launch(self.kernel(name, kind)?, [self.n.div_ceil(4), 1], 128, FLOPS * self.n * self.h))
    }

    /// Blocks stride over the rows; each leaves a row of partial sums.
    pub(super) fn backward(&self, name: &str, kind: Kind) -> Result<(Launch, usize)> {
        let parts = self.n.div_ceil(4).min(512);
        Ok((launch(self.kernel(name, kind)?, [parts, 1], 128, 2 * FLOPS * self.n * self.h), parts))
    }

    pub(super) fn arguments<'a, B>(&self) -> [Arg<'a, B>; 3] {
        [Arg::U32(self.n as u32), Arg::U32(self.h as u32), Arg::F32(self.eps as f32)]
    }
}

/// What is normalized: `residual + dropout(y)`.
#[derive(Debug)]
pub(crate) struct Sum<'a, B> {
    pub(crate) y: &'a B,
    pub(crate) residual: Option<&'a B>,
    pub(crate) mask: Option<Mask>,
}

/// `gamma (z - mean) / sqrt(var + eps) + beta`.
pub(crate) fn residual_norm<M: Machine>(
    machine: &M,
    kind: Kind,
    sum: &Sum<'_, M::Buffer>,
    (gamma, beta): (&M::Buffer, &M::Buffer),
    shape: Shape,
) -> Result<M::Buffer> {
    let out = machine.uninit(kind, shape.n * shape.h)?;
    let residual = sum.residual.map_or(Arg::Null, Arg::In);
    let mut arguments = vec![Arg::In(sum.y), residual, Arg::In(gamma), Arg::In(beta), Arg::Out(&out)];
    arguments.extend(shape.arguments());
    arguments.extend(mask_arguments(sum.mask.as_ref()));
    machine.launch(&shape.forward("residual_norm", kind)?, &arguments)?;
    Ok(out)
}

/// Gradients.
#[derive(Debug)]
pub(crate) struct NormGradients<B> {
    /// Of the sum, and so of the residual, and of `y` when nothing is dropped.
    pub(crate) sum: B,
    /// Of `y` when there is a mask.
    pub(crate) y: Option<B>,
    /// Of gamma and beta, `[2, h]`, `f32`.
    pub(crate) parameters: B,
}

/// Gradients of [`residual_norm`].
pub(crate) fn residual_norm_backward<M: Machine>(
    machine: &M,
    kind: Kind,
    sum: &Sum<'_, M::Buffer>,
    gamma: &M::Buffer,
    grad: &M::Buffer,
    shape: Shape,
) -> Result<NormGradients<M::Buffer>> {
    let len = shape.n * shape.h;
    let (launch, parts) = shape.backward("residual_norm_backward", kind)?;
    let dz = machine.uninit(kind, len)?;
    let dy = sum.mask.map(|_| machine.uninit(kind, len)).transpose()?;
    let partial = machine.uninit(Kind::F32, parts * 2 * shape.h)?;
    let residual = sum.residual.map_or(Arg::Null, Arg::In);
    let dy_argument = dy.as_ref().map_or(Arg::Null, Arg::Out);
    let mut arguments = vec![Arg::In(sum.y), residual, Arg::In(gamma), Arg::In(grad), Arg::Out(&dz), dy_argument];
    arguments.push(Arg::Out(&partial));
    arguments.extend(shape.arguments());
    arguments.extend(mask_arguments(sum.mask.as_ref()));
    machine.launch(&launch, &arguments)?;
    let parameters = machine.uninit(Kind::F32, 2 * shape.h)?;
    sum_partials(machine, &partial, &parameters, (parts, 2 * shape.h), false)?;
    Ok(NormGradients { sum: dz, y: dy, parameters })
}

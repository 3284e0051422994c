//! Affine maps, with several matrices as one.

use super::{float, tensor, typed};
use crate::cuda::{Gpu, kind};
use crate::ops::machine::Kind;
use crate::ops::plan::{elementwise, linear as plan};
use crate::ops::tape::node;
use candle_core::{DType, Result, Tensor};

/// The matrices on top of each other in the type of the activations: frozen ones have it, trained ones are cast into it.
fn stacked(gpu: &Gpu, kind: Kind, weights: &[&Tensor]) -> Result<Tensor> {
    let [m, k] = [weights.iter().map(|w| w.dims()[0]).sum(), weights[0].dim(1)?];
    let plain: Vec<Tensor> = weights.iter().map(|w| w.detach()).collect();
    let joins = plain.iter().all(|w| w.dtype() == DType::F32 && w.elem_count().is_multiple_of(8));
    if kind == Kind::Bf16 && joins {
        let parts: Result<Vec<_>> = plain.iter().map(|w| Ok((gpu.memory(w)?, w.elem_count()))).collect();
        return tensor(elementwise::joined_bf16(gpu, &parts?)?, (m, k));
    }
    let dtype = if kind == Kind::Bf16 { DType::BF16 } else { DType::F32 };
    Tensor::cat(&plain, 0)?.to_dtype(dtype)
}

/// `weights` over the same rows, their results side by side. Biases may be left to the next operation.
pub(in crate::ops) fn linear(x: &Tensor, weights: &[&Tensor], biases: &[&Tensor]) -> Result<Tensor> {
    let (gpu, kind) = (Gpu::of(x)?, kind(x)?);
    let (n, k) = x.dims2()?;
    let weight = stacked(&gpu, kind, weights)?;
    let m = weight.dim(0)?;
    let shape = plan::Shape { n, k, m };
    let bias = match biases {
        [] => None,
        biases => Some(Tensor::cat(&biases.iter().map(|b| b.detach()).collect::<Vec<_>>(), 0)?),
    };
    let b = bias.map(|b| float(&gpu, &b)).transpose()?;
    let out = plan::linear(&gpu, kind, &gpu.memory(x)?, &gpu.memory(&weight)?, b.as_ref(), shape)?;
    let (kept_x, like) = (x.detach(), [weights, biases].map(|all| all.iter().map(|t| t.detach()).collect::<Vec<_>>()));
    let wanted = [x.track_op(), weights.iter().any(|w| w.track_op()), biases.iter().any(|b| b.track_op())];
    let inputs = [&[x], weights, biases].concat();
    Ok(node(&inputs, out.into_storage()?, (n, m), move |grad| {
        let gpu = Gpu::of(grad)?;
        let g = gpu.memory(grad)?;
        let mut found = vec![None];
        if wanted[0] {
            found[0] = Some(tensor(plan::input_gradient(&gpu, kind, &g, &gpu.memory(&weight)?, shape)?, (n, k))?);
        }
        if wanted[1] {
            let dw = plan::weight_gradient(&gpu, kind, &g, &gpu.memory(&kept_x)?, shape)?;
            found.extend(apart(tensor(dw, (m, k))?, &like[0])?);
        } else {
            found.extend(like[0].iter().map(|_| None));
        }
        if wanted[2] {
            found.extend(apart(tensor(plan::bias_gradient(&gpu, kind, &g, shape)?, m)?, &like[1])?);
        }
        Ok(found)
    }))
}

/// The gradient of a stack as those of its parts.
fn apart(gradient: Tensor, parts: &[Tensor]) -> Result<Vec<Option<Tensor>>> {
    let mut row = 0;
    let part = |part: &Tensor| {
        let rows = part.dim(0)?;
        row += rows;
        typed(gradient.narrow(0, row - rows, rows)?, part)
    };
    parts.iter().map(part).collect()
}

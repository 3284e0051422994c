//! The operations on GPUs: plans run on the device, their results are written on the tape.
//!
//! What the backward pass needs again is kept on the tape: inputs, and bfloat16 copies of weights.

mod linear;

pub(super) use linear::linear;

use super::machine::{Kind, Machine};
use super::plan::{attention, columns, cosine, elementwise, embedding, norm, vocabulary};
use super::tape::node;
use super::{Looked, Mask, Projection, RowStatistics, Sequences, Targets, VocabularyLoss};
use crate::cuda::{Gpu, Memory, kind};
use candle_core::op::BackpropOp;
use candle_core::{DType, Result, Shape, Tensor};
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

/// A tensor outside any graph.
fn tensor(memory: Memory, shape: impl Into<Shape>) -> Result<Tensor> {
    Ok(Tensor::from_storage(memory.into_storage()?, shape, BackpropOp::none(), false))
}

/// Parameters and scalars are `f32` in all kernels.
fn float(gpu: &Gpu, t: &Tensor) -> Result<Memory> {
    gpu.memory(&t.to_dtype(DType::F32)?)
}

/// A gradient in the type of the tensor that it is for.
fn typed(gradient: Tensor, like: &Tensor) -> Result<Option<Tensor>> {
    gradient.reshape(like.shape())?.to_dtype(like.dtype()).map(Some)
}

pub(super) fn layer_norm(
    y: &Tensor,
    residual: Option<&Tensor>,
    mask: Option<Mask>,
    [gamma, beta]: [&Tensor; 2],
    eps: f64,
) -> Result<Tensor> {
    let (gpu, kind) = (Gpu::of(y)?, kind(y)?);
    let (n, h) = y.dims2()?;
    let shape = norm::Shape { n, h, eps };
    let [g, b] = [float(&gpu, gamma)?, float(&gpu, beta)?];
    let (ym, rm) = (gpu.memory(y)?, residual.map(|r| gpu.memory(r)).transpose()?);
    let sum = norm::Sum { y: &ym, residual: rm.as_ref(), mask };
    let out = norm::residual_norm(&gpu, kind, &sum, (&g, &b), shape)?;
    let (kept_y, kept_r, like) = (y.detach(), residual.map(Tensor::detach), [gamma.detach(), beta.detach()]);
    let mut inputs = vec![y, gamma, beta];
    inputs.extend(residual);
    Ok(node(&inputs, out.into_storage()?, (n, h), move |grad| {
        let gpu = Gpu::of(grad)?;
        let (ym, rm) = (gpu.memory(&kept_y)?, kept_r.as_ref().map(|r| gpu.memory(r)).transpose()?);
        let sum = norm::Sum { y: &ym, residual: rm.as_ref(), mask };
        let g = float(&gpu, &like[0])?;
        let found = norm::residual_norm_backward(&gpu, kind, &sum, &g, &gpu.memory(grad)?, shape)?;
        let dz = tensor(found.sum, (n, h))?;
        let dy = found.y.map(|dy| tensor(dy, (n, h))).transpose()?.unwrap_or_else(|| dz.clone());
        let parameters = tensor(found.parameters, (2, h))?;
        let [dg, db] = [typed(parameters.get(0)?, &like[0])?, typed(parameters.get(1)?, &like[1])?];
        Ok(vec![Some(dy), dg, db, Some(dz)])
    }))
}

pub(super) fn gelu(x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (gpu, kind) = (Gpu::of(x)?, kind(x)?);
    let m = x.dim(candle_core::D::Minus1)?;
    let size = (x.elem_count() / m, m);
    let b = bias.map(|b| float(&gpu, b)).transpose()?;
    let out = columns::bias_gelu(&gpu, kind, &gpu.memory(x)?, b.as_ref(), size)?;
    let (kept_x, kept_bias) = (x.detach(), bias.map(Tensor::detach));
    let mut inputs = vec![x];
    inputs.extend(bias);
    Ok(node(&inputs, out.into_storage()?, x.shape(), move |grad| {
        let gpu = Gpu::of(grad)?;
        let b = kept_bias.as_ref().map(|b| float(&gpu, b)).transpose()?;
        let xm = gpu.memory(&kept_x)?;
        let (dx, db) = columns::bias_gelu_backward(&gpu, kind, (&xm, b.as_ref()), &gpu.memory(grad)?, size)?;
        let db = match (db, &kept_bias) {
            (Some(db), Some(like)) => typed(tensor(db, m)?, like)?,
            _ => None,
        };
        Ok(vec![Some(tensor(dx, kept_x.shape())?), db])
    }))
}

pub(super) fn dropout(x: &Tensor, residual: Option<&Tensor>, mask: Mask) -> Result<Tensor> {
    let (gpu, kind, n) = (Gpu::of(x)?, kind(x)?, x.elem_count());
    let r = residual.map(|r| gpu.memory(r)).transpose()?;
    let out = elementwise::dropout(&gpu, kind, &gpu.memory(x)?, r.as_ref(), &mask, n)?;
    let mut inputs = vec![x];
    inputs.extend(residual);
    Ok(node(&inputs, out.into_storage()?, x.shape(), move |grad| {
        let gpu = Gpu::of(grad)?;
        let dx = elementwise::dropout(&gpu, kind, &gpu.memory(grad)?, None, &mask, n)?;
        Ok(vec![Some(tensor(dx, grad.shape())?), Some(grad.clone())])
    }))
}

pub(super) fn attention(qkv: &Tensor, sequences: &Arc<Sequences>, heads: usize, mask: Option<Mask>) -> Result<Tensor> {
    let (gpu, kind) = (Gpu::of(qkv)?, kind(qkv)?);
    let (rows, width) = qkv.dims2()?;
    let (h, d) = (width / 3, width / 3 / heads);
    let shape = attention::Shape { sequences, heads, d, mask };
    let places = Arc::new(attention::Places::new(&gpu, sequences)?);
    let (out, sums) = attention::attention(&gpu, kind, &gpu.memory(qkv)?, &places, shape)?;
    if !qkv.track_op() {
        return tensor(out, (rows, h));
    }
    // The tape hands the storage on, so the backward pass takes the result from the tensor that it becomes.
    let result: Rc<OnceCell<Tensor>> = Rc::default();
    let (kept_result, kept_qkv, sums) = (result.clone(), qkv.detach(), tensor(sums, (heads, rows))?);
    let sequences = sequences.clone();
    let out = node(&[qkv], out.into_storage()?, (rows, h), move |grad| {
        let gpu = Gpu::of(grad)?;
        let Some(out) = kept_result.get() else { candle_core::bail!("attention left no result") };
        let (om, sm) = (gpu.memory(out)?, gpu.memory(&sums)?);
        let saved = attention::Saved { out: &om, sums: &sm };
        let shape = attention::Shape { sequences: &sequences, heads, d, mask };
        let qm = gpu.memory(&kept_qkv)?;
        let dqkv = attention::attention_backward(&gpu, kind, &qm, &saved, &gpu.memory(grad)?, &places, shape)?;
        Ok(vec![Some(tensor(dqkv, kept_qkv.shape())?)])
    });
    let _ = result.set(out.detach());
    Ok(out)
}

/// What is done with the tables and the LayerNorm's parameters.
type WithTables<'a> = &'a mut dyn FnMut(&embedding::Tables<'_, Memory>, [&Memory; 2]) -> Result<()>;

pub(super) fn embeddings(looked: &Looked<'_>, mask: Option<Mask>, dtype: DType) -> Result<Tensor> {
    let gpu = Gpu::of(looked.words)?;
    let kind = if dtype == DType::F32 { Kind::F32 } else { Kind::Bf16 };
    let (n, h) = (looked.ids.dim(0)?, looked.words.dim(1)?);
    let shape = norm::Shape { n, h, eps: looked.eps };
    let mut inputs = vec![looked.words, looked.positions, looked.gamma, looked.beta];
    inputs.extend(looked.types);
    let kept: Vec<Tensor> = inputs.iter().map(|t| t.detach()).collect();
    let wanted: Vec<bool> = inputs.iter().map(|t| t.track_op()).collect();
    let (ids, places) = (looked.ids.clone(), looked.places.clone());
    // Runs `f` with the tables in the GPU's memory.
    let with = move |gpu: &Gpu, f: WithTables<'_>| {
        let memory: Vec<Memory> = kept.iter().map(|t| float(gpu, t)).collect::<Result<_>>()?;
        let (ids, places) = (gpu.memory(&ids)?, gpu.memory(&places)?);
        let tables = embedding::Tables {
            words: &memory[0],
            positions: &memory[1],
            types: memory.get(4),
            ids: &ids,
            places: &places,
        };
        f(&tables, [&memory[2], &memory[3]])
    };
    let mut out = None;
    with(&gpu, &mut |tables, [g, b]| {
        out = Some(embedding::embedding_norm(&gpu, kind, tables, (g, b), shape, mask.as_ref())?);
        Ok(())
    })?;
    let Some(out) = out else { candle_core::bail!("no embeddings") };
    let on_host = looked.on_host.clone();
    let sizes = [looked.words.dim(0)?, looked.positions.dim(0)?, looked.types.map_or(0, |t| t.dims()[0])];
    Ok(node(&inputs, out.into_storage()?, (n, h), move |grad| {
        let gpu = Gpu::of(grad)?;
        let mut found = vec![None; 5];
        with(&gpu, &mut |tables, [g, _]| {
            let grad = gpu.memory(grad)?;
            let (dz, parameters) =
                embedding::embedding_norm_backward(&gpu, kind, tables, g, &grad, shape, mask.as_ref())?;
            for (i, indices) in on_host.iter().enumerate().filter(|(i, _)| wanted[*i]) {
                let lookups = embedding::Lookups::new(indices);
                let table = embedding::table_gradient(&gpu, &dz, &lookups, sizes[i], h)?;
                found[i] = Some(tensor(table, (sizes[i], h))?);
            }
            if wanted.get(4) == Some(&true) {
                found[4] = Some(tensor(embedding::type_gradient(&gpu, &dz, sizes[2], (n, h))?, (sizes[2], h))?);
            }
            let parameters = tensor(parameters, (2, h))?;
            (found[2], found[3]) = (Some(parameters.get(0)?), Some(parameters.get(1)?));
            Ok(())
        })?;
        Ok(found)
    }))
}

pub(super) fn cosine_loss(s: &Tensor, t: &Tensor) -> Result<Tensor> {
    let (gpu, kind) = (Gpu::of(s)?, kind(s)?);
    let size = s.dims2()?;
    let t = t.detach().to_dtype(s.dtype())?;
    let out = cosine::cosine(&gpu, kind, &gpu.memory(s)?, &gpu.memory(&t)?, size)?;
    let kept = s.detach();
    Ok(node(&[s], out.into_storage()?, (), move |grad| {
        let gpu = Gpu::of(grad)?;
        let (sm, tm) = (gpu.memory(&kept)?, gpu.memory(&t)?);
        let ds = cosine::cosine_backward(&gpu, kind, (&sm, &tm), &float(&gpu, grad)?, size)?;
        Ok(vec![Some(tensor(ds, size)?)])
    }))
}

fn run_vocabulary(student: &Projection, targets: &Targets, gradients: bool) -> Result<vocabulary::Vocabulary<Memory>> {
    let (gpu, kind) = (Gpu::of(&student.hidden)?, kind(&student.hidden)?);
    let n = student.hidden.dim(0)?;
    if targets.labels.len() != n {
        candle_core::bail!("{} labels for {n} rows", targets.labels.len())
    }
    let on = |p: &Projection| -> Result<(Memory, Memory, Memory, usize)> {
        let hidden = gpu.memory(&p.hidden.to_dtype(student.hidden.dtype())?)?;
        Ok((hidden, float(&gpu, &p.weight)?, float(&gpu, &p.bias)?, p.hidden.dim(1)?))
    };
    let (s, t) = (on(student)?, targets.teacher.as_ref().map(on).transpose()?);
    fn view((hidden, weight, bias, k): &(Memory, Memory, Memory, usize)) -> vocabulary::Projection<'_, Memory> {
        vocabulary::Projection { hidden, weight, bias, k: *k }
    }
    let shape = vocabulary::Shape {
        n,
        labelled: targets.labelled(),
        v: student.weight.dim(0)?,
        temperature: targets.temperature,
        alpha_ce: targets.alpha_ce,
        alpha_mse: targets.alpha_mse,
        alpha_mlm: targets.alpha_mlm,
        gradients,
        chunk: vocabulary::CHUNK,
    };
    let labels = gpu.upload(&targets.labels)?;
    vocabulary::vocabulary(&gpu, kind, &view(&s), t.as_ref().map(view).as_ref(), &labels, shape)
}

pub(super) fn vocabulary_loss(student: &Projection, targets: &Targets) -> Result<VocabularyLoss> {
    let inputs = [&student.hidden, &student.weight, &student.bias];
    let gradients = inputs.iter().any(|t| t.track_op());
    let out = run_vocabulary(student, targets, gradients)?;
    let like = inputs.map(Tensor::detach);
    let wanted = inputs.map(Tensor::track_op);
    let losses = tensor(out.losses, 4)?;
    let found = match out.gradients {
        Some(found) => vec![
            tensor(found.hidden, like[0].shape())?,
            tensor(found.weight, like[1].shape())?,
            tensor(found.bias, like[2].shape())?,
        ],
        None => vec![],
    };
    let gpu = Gpu::of(&losses)?;
    let first = gpu.uninit(Kind::F32, 1)?;
    elementwise::total(&gpu, &gpu.memory(&losses)?, &first, 1, 1.0)?;
    let total = node(&inputs, first.into_storage()?, (), move |grad| {
        let gpu = Gpu::of(grad)?;
        let factor = float(&gpu, grad)?;
        let scaled = found.into_iter().zip(&like).zip(wanted).map(|((gradient, like), wanted)| {
            if !wanted {
                return Ok(None);
            }
            elementwise::scale(&gpu, kind(&gradient)?, &gpu.memory(&gradient)?, &factor, gradient.elem_count())?;
            typed(gradient, like)
        });
        scaled.collect()
    });
    Ok(VocabularyLoss { total, ce: losses.get(1)?, mse: losses.get(2)?, mlm: losses.get(3)? })
}

pub(super) fn vocabulary_statistics(student: &Projection, targets: &Targets) -> Result<Vec<RowStatistics>> {
    let out = run_vocabulary(student, targets, false)?;
    let rows = tensor(out.statistics, (targets.labels.len(), 6))?.to_vec2::<f32>()?;
    Ok(rows
        .into_iter()
        .map(|r| RowStatistics {
            kl: r[0],
            square: r[1],
            nll: r[2],
            teacher_nll: r[3],
            top: r[4] as u32,
            teacher_top: r[5] as u32,
        })
        .collect())
}

/// One AdamW step of a parameter, in place.
pub(crate) fn adamw(weights: &Tensor, moments: &Tensor, gradient: &Tensor, c: elementwise::AdamW) -> Result<()> {
    let gpu = Gpu::of(weights)?;
    if !weights.is_contiguous() || !moments.is_contiguous() {
        candle_core::bail!("the optimizer takes contiguous tensors")
    }
    let (w, m, g) = (gpu.memory(weights)?, gpu.memory(moments)?, float(&gpu, gradient)?);
    elementwise::adamw(&gpu, &w, &m, &g, weights.elem_count(), c)
}

/// The sum of the squares of all tensors, read from the device once.
pub(crate) fn square_sum(tensors: &[&Tensor]) -> Result<f32> {
    let Some(first) = tensors.first() else { return Ok(0.0) };
    let gpu = Gpu::of(first)?;
    let memory: Vec<(Memory, usize)> =
        tensors.iter().map(|t| Ok((float(&gpu, t)?, t.elem_count()))).collect::<Result<_>>()?;
    tensor(elementwise::square_sum(&gpu, &memory)?, ())?.to_scalar()
}

//! What a step costs on a GPU, counted without one: for each operation the launches, bytes and floating-point operations of
//! its plans in bf16, computed from shapes while the same operations run anywhere.
//!
//! Where a tensor is used twice, the addition of its gradients is counted too (`sums of gradients`). Casts, stacking of biases and row
//! selections outside of these operations are not.

use super::machine::{Counting, Kind};
use super::plan::{attention, columns, cosine, elementwise, embedding, linear, norm, vocabulary};
use super::{Looked, Mask, Projection, Sequences, Targets};
use candle_core::{Result, Tensor, TensorId};
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

/// Direction of a pass through the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// From inputs to losses.
    Forward,
    /// From losses to gradients.
    Backward,
}

/// The sums of one operation and pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of the operation.
    pub op: &'static str,
    /// Direction.
    pub pass: Pass,
    /// Kernels launched, products by cuBLAS included.
    pub launches: u64,
    /// Bytes read and written, each operand of a kernel counted as often as the kernel goes over it.
    pub bytes: u64,
    /// Floating-point operations, about.
    pub flops: u64,
}

static ON: AtomicBool = AtomicBool::new(false);
/// Launches, bytes and operations by name and pass.
type Sums = BTreeMap<(&'static str, Pass), (u64, u64, u64)>;

static SUMS: Mutex<Sums> = Mutex::new(BTreeMap::new());

thread_local! {
    static PAUSED: Cell<u32> = const { Cell::new(0) };
}

/// Counting goes on until this is dropped.
#[derive(Debug)]
#[must_use = "counting ends when the guard is dropped"]
pub struct Guard(());

/// Starts to count, in all threads of the process.
pub fn start() -> Guard {
    take();
    ON.store(true, Ordering::SeqCst);
    Guard(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        ON.store(false, Ordering::SeqCst);
    }
}

/// What was counted since the last call, in the order of names.
pub fn take() -> Vec<Entry> {
    USED.lock().unwrap_or_else(|e| e.into_inner()).clear();
    let sums = std::mem::take(&mut *SUMS.lock().unwrap_or_else(|e| e.into_inner()));
    let entry = |((op, pass), (launches, bytes, flops))| Entry { op, pass, launches, bytes, flops };
    sums.into_iter().map(entry).collect()
}

/// While it lives, this thread counts nothing: an operation that was counted runs others.
pub(super) struct Pause(());

pub(super) fn pause() -> Pause {
    PAUSED.set(PAUSED.get() + 1);
    Pause(())
}

impl Drop for Pause {
    fn drop(&mut self) {
        PAUSED.set(PAUSED.get() - 1);
    }
}

fn add(op: &'static str, pass: Pass, machine: &Counting) {
    let counted = machine.counted();
    let mut sums = SUMS.lock().unwrap_or_else(|e| e.into_inner());
    let sum = sums.entry((op, pass)).or_default();
    *sum = (sum.0 + counted.launches, sum.1 + counted.bytes, sum.2 + counted.flops);
}

/// The type that a GPU computes in.
const KIND: Kind = Kind::Bf16;

fn counting() -> bool {
    ON.load(Ordering::SeqCst) && PAUSED.get() == 0
}

/// Tensors that have a gradient already: another one is added to it.
static USED: LazyLock<Mutex<HashSet<TensorId>>> = LazyLock::new(Mutex::default);

/// Counts an operation. `inputs`: each with the type that its gradient has.
fn record(
    op: &'static str,
    inputs: &[(&Tensor, Kind)],
    forward: impl FnOnce(&Counting) -> Result<()>,
    backward: impl FnOnce(&Counting) -> Result<()>,
) -> Result<()> {
    if !counting() {
        return Ok(());
    }
    let machine = Counting::default();
    forward(&machine)?;
    add(op, Pass::Forward, &machine);
    let tracked: Vec<_> = inputs.iter().filter(|(t, _)| t.track_op()).collect();
    if tracked.is_empty() {
        return Ok(());
    }
    let machine = Counting::default();
    backward(&machine)?;
    add(op, Pass::Backward, &machine);
    let machine = Counting::default();
    let mut used = USED.lock().unwrap_or_else(|e| e.into_inner());
    for (tensor, kind) in tracked {
        if !used.insert(tensor.id()) {
            // Two gradients are read, their sum is written.
            machine.count(1, 3 * machine.operand(*kind, tensor.elem_count()), tensor.elem_count() as u64);
        }
    }
    add("sums of gradients", Pass::Backward, &machine);
    Ok(())
}

pub(super) fn residual_norm(
    y: &Tensor,
    residual: Option<&Tensor>,
    mask: Option<Mask>,
    [gamma, beta]: [&Tensor; 2],
    eps: f64,
) -> Result<()> {
    let (n, h) = y.dims2()?;
    let shape = norm::Shape { n, h, eps };
    let mut inputs = vec![(y, KIND), (gamma, Kind::F32), (beta, Kind::F32)];
    inputs.extend(residual.map(|r| (r, KIND)));
    let op = if residual.is_some() { "residual_norm" } else { "layer_norm" };
    let sizes = |m: &Counting| (m.operand(KIND, n * h), m.operand(Kind::F32, h));
    let forward = |m: &Counting| {
        let (rows, parameter) = sizes(m);
        let sum = norm::Sum { y: &rows, residual: residual.map(|_| &rows), mask };
        norm::residual_norm(m, KIND, &sum, (&parameter, &parameter), shape).map(drop)
    };
    record(op, &inputs, forward, |m| {
        let (rows, parameter) = sizes(m);
        let sum = norm::Sum { y: &rows, residual: residual.map(|_| &rows), mask };
        norm::residual_norm_backward(m, KIND, &sum, &parameter, &rows, shape).map(drop)
    })
}

pub(super) fn gelu(x: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    let m = x.dim(candle_core::D::Minus1)?;
    gelu_of((x.elem_count() / m, m), &[(x, KIND)], bias)
}

fn gelu_of(size: (usize, usize), inputs: &[(&Tensor, Kind)], bias: Option<&Tensor>) -> Result<()> {
    let sizes = |m: &Counting| (m.operand(KIND, size.0 * size.1), bias.map(|b| m.operand(Kind::F32, b.elem_count())));
    record(
        "bias_gelu",
        inputs,
        |m| {
            let (x, b) = sizes(m);
            columns::bias_gelu(m, KIND, &x, b.as_ref(), size).map(drop)
        },
        |m| {
            let (x, b) = sizes(m);
            columns::bias_gelu_backward(m, KIND, (&x, b.as_ref()), &x, size).map(drop)
        },
    )
}

pub(super) fn linear(x: &Tensor, weights: &[&Tensor], biases: &[&Tensor]) -> Result<()> {
    let ((n, k), m) = (x.dims2()?, weights.iter().map(|w| w.dims()[0]).sum());
    let shape = linear::Shape { n, k, m };
    let mut inputs = vec![(x, KIND)];
    inputs.extend([weights, biases].concat().into_iter().map(|t| (t, Kind::F32)));
    let bias = (!biases.is_empty()).then_some(m);
    let tracked = |all: &[&Tensor]| all.iter().any(|t| t.track_op());
    record(
        "linear",
        &inputs,
        |c| {
            // Frozen weights have the type of the activations.
            let weight = if tracked(weights) {
                let part = |w: &&Tensor| (c.operand(Kind::F32, w.elem_count()), w.elem_count());
                elementwise::joined_bf16(c, &weights.iter().map(part).collect::<Vec<_>>())?
            } else {
                c.operand(KIND, m * k)
            };
            let b = bias.map(|m| c.operand(Kind::F32, m));
            linear::linear(c, KIND, &c.operand(KIND, n * k), &weight, b.as_ref(), shape).map(drop)
        },
        |c| {
            let (grad, x_memory) = (c.operand(KIND, n * m), c.operand(KIND, n * k));
            if x.track_op() {
                linear::input_gradient(c, KIND, &grad, &c.operand(KIND, m * k), shape)?;
            }
            if tracked(weights) {
                linear::weight_gradient(c, KIND, &grad, &x_memory, shape)?;
            }
            if tracked(biases) {
                linear::bias_gradient(c, KIND, &grad, shape)?;
            }
            Ok(())
        },
    )
}

pub(super) fn linear_gelu(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<()> {
    linear(x, &[weight], &[])?;
    gelu_of((x.dim(0)?, weight.dim(0)?), &[(bias, Kind::F32)], Some(bias))
}

pub(super) fn dropout(x: &Tensor, residual: Option<&Tensor>, mask: &Mask) -> Result<()> {
    let n = x.elem_count();
    let mut inputs = vec![(x, KIND)];
    inputs.extend(residual.map(|r| (r, KIND)));
    record(
        "dropout",
        &inputs,
        |m| {
            let rows = m.operand(KIND, n);
            elementwise::dropout(m, KIND, &rows, residual.map(|_| &rows), mask, n).map(drop)
        },
        |m| elementwise::dropout(m, KIND, &m.operand(KIND, n), None, mask, n).map(drop),
    )
}

pub(super) fn attention(qkv: &Tensor, sequences: &Sequences, heads: usize, mask: Option<Mask>) -> Result<()> {
    let (rows, width) = qkv.dims2()?;
    let shape = attention::Shape { sequences, heads, d: width / 3 / heads, mask };
    record(
        "attention",
        &[(qkv, KIND)],
        |m| {
            let places = attention::Places::new(m, sequences)?;
            attention::attention(m, KIND, &m.operand(KIND, rows * width), &places, shape).map(drop)
        },
        |m| {
            let places = attention::Places::new(m, sequences)?;
            let (out, sums) = (m.operand(KIND, rows * width / 3), m.operand(Kind::F32, rows * heads));
            let saved = attention::Saved { out: &out, sums: &sums };
            attention::attention_backward(m, KIND, &m.operand(KIND, rows * width), &saved, &out, &places, shape)
                .map(drop)
        },
    )
}

pub(super) fn embeddings(looked: &Looked<'_>, mask: Option<Mask>) -> Result<()> {
    let (n, h) = (looked.ids.dim(0)?, looked.words.dim(1)?);
    let shape = norm::Shape { n, h, eps: looked.eps };
    let mut inputs = vec![looked.words, looked.positions, looked.gamma, looked.beta];
    inputs.extend(looked.types);
    let inputs: Vec<(&Tensor, Kind)> = inputs.into_iter().map(|t| (t, Kind::F32)).collect();
    let tables = |m: &Counting| (m.operand(Kind::U32, n), m.operand(Kind::F32, h), m.operand(KIND, n * h));
    record(
        "embeddings",
        &inputs,
        |m| {
            let (ids, row, _) = tables(m);
            let types = looked.types.map(|_| &row);
            let tables = embedding::Tables { words: &row, positions: &row, types, ids: &ids, places: &ids };
            embedding::embedding_norm(m, KIND, &tables, (&row, &row), shape, mask.as_ref()).map(drop)
        },
        |m| {
            let (ids, row, grad) = tables(m);
            let types = looked.types.map(|_| &row);
            let tables = embedding::Tables { words: &row, positions: &row, types, ids: &ids, places: &ids };
            let (dz, _) = embedding::embedding_norm_backward(m, KIND, &tables, &row, &grad, shape, mask.as_ref())?;
            for (table, indices) in [looked.words, looked.positions].into_iter().zip(looked.on_host) {
                if table.track_op() {
                    embedding::table_gradient(m, &dz, &embedding::Lookups::new(indices), table.dim(0)?, h)?;
                }
            }
            match looked.types.filter(|t| t.track_op()) {
                Some(types) => embedding::type_gradient(m, &dz, types.dim(0)?, (n, h)).map(drop),
                None => Ok(()),
            }
        },
    )
}

pub(super) fn cosine(student: &Tensor) -> Result<()> {
    let size = student.dims2()?;
    let rows = |m: &Counting| m.operand(KIND, size.0 * size.1);
    record(
        "cosine_loss",
        &[(student, KIND)],
        |m| cosine::cosine(m, KIND, &rows(m), &rows(m), size).map(drop),
        |m| cosine::cosine_backward(m, KIND, (&rows(m), &rows(m)), &m.operand(Kind::F32, 1), size).map(drop),
    )
}

/// Gradients are made in the forward pass; the backward pass scales them.
pub(super) fn vocabulary(student: &Projection, targets: &Targets) -> Result<()> {
    let inputs = [(&student.hidden, KIND), (&student.weight, Kind::F32), (&student.bias, Kind::F32)];
    let (n, v) = (student.hidden.dim(0)?, student.weight.dim(0)?);
    let shape = vocabulary::Shape {
        n,
        labelled: targets.labelled(),
        v,
        temperature: targets.temperature,
        alpha_ce: targets.alpha_ce,
        alpha_mse: targets.alpha_mse,
        alpha_mlm: targets.alpha_mlm,
        gradients: inputs.iter().any(|(t, _)| t.track_op()),
        chunk: vocabulary::CHUNK,
    };
    let size = |p: &Projection| p.hidden.dim(1);
    let widths = (size(student)?, targets.teacher.as_ref().map(size).transpose()?);
    record(
        "vocabulary_loss",
        &inputs,
        |m| {
            let on = |k: usize| (m.operand(KIND, n * k), m.operand(Kind::F32, v * k), m.operand(Kind::F32, v), k);
            let (s, t) = (on(widths.0), widths.1.map(on));
            fn view((hidden, weight, bias, k): &(u64, u64, u64, usize)) -> vocabulary::Projection<'_, u64> {
                vocabulary::Projection { hidden, weight, bias, k: *k }
            }
            let labels = m.operand(Kind::U32, n);
            vocabulary::vocabulary(m, KIND, &view(&s), t.as_ref().map(view).as_ref(), &labels, shape).map(drop)
        },
        |m| {
            for (tensor, kind) in inputs.iter().filter(|(t, _)| t.track_op()) {
                let len = tensor.elem_count();
                elementwise::scale(m, *kind, &m.operand(*kind, len), &m.operand(Kind::F32, 1), len)?;
            }
            Ok(())
        },
    )
}

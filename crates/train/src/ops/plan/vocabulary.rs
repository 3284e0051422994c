//! The losses over the vocabulary, a chunk of rows at a time.

use super::columns::column_sums;
use super::elementwise::to_bf16;
use super::launch;
use crate::ops::machine::{Arg, Kind, Machine, Matrix, Product};
use candle_core::Result;

/// Logits not yet multiplied out; `weight [v, k]` and `bias [v]` are `f32`.
#[derive(Debug)]
pub(crate) struct Projection<'a, B> {
    pub(crate) hidden: &'a B,
    pub(crate) weight: &'a B,
    pub(crate) bias: &'a B,
    /// Width of `hidden`.
    pub(crate) k: usize,
}

/// Logits held at once on a GPU, for each model: 128 MB in bf16.
pub(crate) const CHUNK: usize = 64 << 20;

/// Everything but the tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Rows, and those with a label.
    pub(crate) n: usize,
    pub(crate) labelled: usize,
    /// Entries of the vocabulary.
    pub(crate) v: usize,
    pub(crate) temperature: f64,
    pub(crate) alpha_ce: f64,
    pub(crate) alpha_mse: f64,
    pub(crate) alpha_mlm: f64,
    /// Whether gradients are made; otherwise the most likely tokens are found.
    pub(crate) gradients: bool,
    /// Logits held at once, for each model.
    pub(crate) chunk: usize,
}

/// Gradients of the total.
#[derive(Debug)]
pub(crate) struct VocabularyGradients<B> {
    /// `[n, k]`, in the type of the activations.
    pub(crate) hidden: B,
    /// `[v, k]`, `f32`.
    pub(crate) weight: B,
    /// `[v]`, `f32`.
    pub(crate) bias: B,
}

/// What comes out.
#[derive(Debug)]
pub(crate) struct Vocabulary<B> {
    /// Total, soft-target loss, squared differences, masked-LM loss (`f32`).
    pub(crate) losses: B,
    /// `[n, 6]`: see `vocabulary.cu` (`f32`).
    pub(crate) statistics: B,
    pub(crate) gradients: Option<VocabularyGradients<B>>,
}

/// A projection's weights in the type of the activations, rows padded to a multiple of 8 for the matrix units.
struct Prepared<'a, B> {
    projection: &'a Projection<'a, B>,
    cast: Option<B>,
    /// Rows of the weights that take part in products.
    rows: usize,
}

impl<'a, B> Prepared<'a, B> {
    fn new<M: Machine<Buffer = B>>(
        machine: &M,
        kind: Kind,
        projection: &'a Projection<'a, B>,
        v: usize,
    ) -> Result<Self> {
        let k = projection.k;
        let rows = if kind == Kind::Bf16 { v.next_multiple_of(8) } else { v };
        let cast = (kind == Kind::Bf16).then(|| to_bf16(machine, projection.weight, v * k, rows * k)).transpose()?;
        Ok(Self { projection, cast, rows })
    }

    fn weight(&self) -> Matrix<'_, B> {
        Matrix::new(self.cast.as_ref().unwrap_or(self.projection.weight), self.projection.k)
    }

    /// Logits of rows `first..first + count` into `out`, rows of `ld` numbers.
    fn logits<M: Machine<Buffer = B>>(
        &self,
        machine: &M,
        kind: Kind,
        (first, count): (usize, usize),
        out: &B,
        ld: usize,
    ) -> Result<()> {
        let k = self.projection.k;
        machine.product(&Product {
            a: Matrix::new(self.projection.hidden, k).from(first * k),
            b: self.weight().t(),
            out: Matrix::new(out, ld),
            m: count,
            n: self.rows,
            k,
            add: false,
            kind,
            out_kind: kind,
        })
    }
}

/// Losses, statistics and gradients. `labels [n]`: the true token or all ones.
pub(crate) fn vocabulary<M: Machine>(
    machine: &M,
    kind: Kind,
    student: &Projection<'_, M::Buffer>,
    teacher: Option<&Projection<'_, M::Buffer>>,
    labels: &M::Buffer,
    shape: Shape,
) -> Result<Vocabulary<M::Buffer>> {
    let Shape { n, v, temperature, .. } = shape;
    let (k, ld) = (student.k, v.next_multiple_of(8));
    let step = (shape.chunk / ld).clamp(64, 1 << 16).min(n.max(1));
    let prepared = Prepared::new(machine, kind, student, v)?;
    let teacher = teacher.map(|t| Prepared::new(machine, kind, t, v)).transpose()?;
    let s = machine.uninit(kind, step * ld)?;
    let t = teacher.as_ref().map(|_| machine.uninit(kind, step * ld)).transpose()?;
    let statistics = machine.uninit(Kind::F32, n * 6)?;
    let gradients = if shape.gradients {
        Some(VocabularyGradients {
            hidden: machine.uninit(kind, n * k)?,
            weight: machine.uninit(Kind::F32, v * k)?,
            bias: machine.uninit(Kind::F32, v)?,
        })
    } else {
        None
    };
    for first in (0..n).step_by(step) {
        let count = step.min(n - first);
        prepared.logits(machine, kind, (first, count), &s, ld)?;
        if let (Some(teacher), Some(t)) = (&teacher, &t) {
            teacher.logits(machine, kind, (first, count), t, ld)?;
        }
        let bytes = (count * ld * kind.size()) as u64;
        let teacher_bias = teacher.as_ref().map_or(Arg::Null, |t| Arg::In(t.projection.bias));
        let mean = 1.0 / n as f64;
        machine.launch(
            &launch(format!("vocabulary_rows_{}", kind.suffix()), [count, 1], 512, 60 * count * v),
            &[
                // Read twice, written once; the teacher's logits are read twice.
                Arg::Part(&s, 0, if shape.gradients { 3 } else { 2 } * bytes),
                Arg::In(student.bias),
                t.as_ref().map_or(Arg::Null, |t| Arg::Part(t, 0, 2 * bytes)),
                teacher_bias,
                Arg::Part(labels, first, 4 * count as u64),
                Arg::Part(&statistics, 6 * first, 24 * count as u64),
                Arg::U32(v as u32),
                Arg::U32(ld as u32),
                Arg::F32(temperature as f32),
                Arg::F32((shape.alpha_ce * temperature * mean) as f32),
                Arg::F32((shape.alpha_mlm / shape.labelled.max(1) as f64) as f32),
                Arg::F32((2.0 * shape.alpha_mse * mean) as f32),
                Arg::U32(u32::from(shape.gradients)),
            ],
        )?;
        if let Some(gradients) = &gradients {
            add_gradients(machine, kind, &prepared, gradients, &s, (first, count, v, ld))?;
        }
    }
    let losses = machine.uninit(Kind::F32, 4)?;
    machine.launch(
        &launch("vocabulary_total", [1, 1], 1024, 3 * n),
        &[
            Arg::In(&statistics),
            Arg::Out(&losses),
            Arg::U32(n as u32),
            Arg::F32((temperature * temperature / n.max(1) as f64) as f32),
            Arg::F32(if shape.alpha_mse > 0.0 { 1.0 / n.max(1) as f32 } else { 0.0 }),
            Arg::F32(1.0 / shape.labelled.max(1) as f32),
            Arg::F32(shape.alpha_ce as f32),
            Arg::F32(shape.alpha_mse as f32),
            Arg::F32(shape.alpha_mlm as f32),
        ],
    )?;
    Ok(Vocabulary { losses, statistics, gradients })
}

/// Adds a chunk, given the gradient of its logits.
fn add_gradients<M: Machine>(
    machine: &M,
    kind: Kind,
    student: &Prepared<'_, M::Buffer>,
    out: &VocabularyGradients<M::Buffer>,
    grad: &M::Buffer,
    (first, count, v, ld): (usize, usize, usize, usize),
) -> Result<()> {
    let k = student.projection.k;
    machine.product(&Product {
        a: Matrix::new(grad, ld),
        b: student.weight(),
        out: Matrix::new(&out.hidden, k).from(first * k),
        m: count,
        n: k,
        k: student.rows,
        add: false,
        kind,
        out_kind: kind,
    })?;
    machine.product(&Product {
        a: Matrix::new(grad, ld).t(),
        b: Matrix::new(student.projection.hidden, k).from(first * k),
        out: Matrix::new(&out.weight, k),
        m: v,
        n: k,
        k: count,
        add: first > 0,
        kind,
        out_kind: Kind::F32,
    })?;
    column_sums(machine, kind, grad, &out.bias, (count, v, ld), first > 0)
}

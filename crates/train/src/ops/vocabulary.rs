//! The losses over the vocabulary, fused with the tied projection.
//!
//! Logits are made for a chunk of rows at a time, turned into their own gradient in place and multiplied back at once:
//! the tokens x vocabulary matrix never exists as a whole, neither for the student nor for the teacher.

mod row;

use super::storage::{slice, sum_rows, vectorized, with_slice};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;
pub use row::RowStatistics;
use row::{RowLoss, Scratch};
use std::sync::Mutex;

/// Label of a row that takes no part in the masked-LM loss.
pub const IGNORE: u32 = u32::MAX;

/// Logits not yet multiplied out: `hidden [n, h] x weight [v, h]^T + bias [v]`.
#[derive(Clone, Debug)]
pub struct Projection {
    /// Transformed hidden states, `[n, h]`.
    pub hidden: Tensor,
    /// Word embeddings, `[v, h]`.
    pub weight: Tensor,
    /// Output bias, `[v]`.
    pub bias: Tensor,
}

/// What the student's logits are compared with.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Per row the true token, or [`IGNORE`].
    pub labels: Vec<u32>,
    /// The teacher's logits for the same rows.
    pub teacher: Option<Projection>,
    /// Temperature of the soft targets.
    pub temperature: f64,
    /// Weight of the soft-target loss.
    pub alpha_ce: f64,
    /// Weight of the squared differences of the logits.
    pub alpha_mse: f64,
    /// Weight of the masked-LM loss.
    pub alpha_mlm: f64,
}

/// Scalars of one forward pass.
#[derive(Clone, Debug)]
pub struct VocabularyLoss {
    /// `alpha_ce * ce + alpha_mse * mse + alpha_mlm * mlm`; gradients flow from here.
    pub total: Tensor,
    /// `T^2 KL(softmax(t/T) || softmax(s/T))` per row, averaged over rows; zero without a teacher.
    pub ce: Tensor,
    /// Squared differences of the logits, summed over the vocabulary and averaged over rows; zero without a teacher or weight.
    pub mse: Tensor,
    /// Cross-entropy averaged over the rows with a label; zero when there is none.
    pub mlm: Tensor,
}

impl Targets {
    pub(super) fn labelled(&self) -> usize {
        self.labels.iter().filter(|&&label| label != IGNORE).count()
    }
}

/// Soft-target and masked-LM loss of the student's logits. Gradients reach `hidden`, `weight` and `bias` of the student,
/// never the teacher.
pub fn vocabulary_loss(student: &Projection, targets: Targets) -> Result<VocabularyLoss> {
    super::trace::vocabulary(student, &targets)?;
    #[cfg(feature = "cuda")]
    if student.hidden.device().is_cuda() {
        return super::gpu::vocabulary_loss(student, &targets);
    }
    if !super::fused(&student.hidden) {
        return composed(student, &targets);
    }
    let op = Fused {
        gradients: student.hidden.track_op() || student.weight.track_op() || student.bias.track_op(),
        targets,
        saved: Mutex::new(None),
    };
    let hidden = student.hidden.contiguous()?;
    let out = hidden.apply_op3(&student.weight, &student.bias, op)?;
    let detached = out.detach();
    Ok(VocabularyLoss { total: out.get(0)?, ce: detached.get(1)?, mse: detached.get(2)?, mlm: detached.get(3)? })
}

/// [`vocabulary_loss`] with candle's own operations: for other devices, and the reference in tests.
pub(super) fn composed(student: &Projection, targets: &Targets) -> Result<VocabularyLoss> {
    let logits = |p: &Projection| {
        let (weight, bias) = (p.weight.to_dtype(p.hidden.dtype())?, p.bias.to_dtype(p.hidden.dtype())?);
        p.hidden.matmul(&weight.t()?)?.broadcast_add(&bias)?.to_dtype(DType::F32)
    };
    let s = logits(student)?;
    let device = s.device();
    let zero = Tensor::zeros((), DType::F32, device)?;
    let (ce, mse) = match &targets.teacher {
        None => (zero.clone(), zero.clone()),
        Some(teacher) => {
            let temperature = targets.temperature;
            let t = logits(teacher)?.detach();
            let mse = match targets.alpha_mse {
                0.0 => zero.clone(),
                _ => ((&s - &t)?.sqr()?.sum_all()? / s.dim(0)? as f64)?,
            };
            let log_s = candle_nn::ops::log_softmax(&(&s / temperature)?, D::Minus1)?;
            let log_t = candle_nn::ops::log_softmax(&(t / temperature)?, D::Minus1)?;
            let kl = (log_t.exp()? * (&log_t - log_s)?)?.sum_all()?;
            ((kl * (temperature * temperature / s.dim(0)? as f64))?, mse)
        }
    };
    let rows: Vec<u32> = (0..targets.labels.len() as u32).filter(|&i| targets.labels[i as usize] != IGNORE).collect();
    let mlm = if rows.is_empty() {
        zero
    } else {
        let labels: Vec<u32> = rows.iter().map(|&i| targets.labels[i as usize]).collect();
        let n = rows.len();
        let log_p = s.index_select(&Tensor::from_vec(rows, n, device)?, 0)?;
        let log_p = candle_nn::ops::log_softmax(&log_p, D::Minus1)?;
        log_p.gather(&Tensor::from_vec(labels, (n, 1), device)?, 1)?.mean_all()?.neg()?
    };
    Ok(VocabularyLoss {
        total: (((&ce * targets.alpha_ce)? + (&mse * targets.alpha_mse)?)? + (&mlm * targets.alpha_mlm)?)?,
        ce: ce.detach(),
        mse: mse.detach(),
        mlm: mlm.detach(),
    })
}

/// Per-row figures for evaluation, without gradients: [`RowStatistics`] of each row at temperature 1.
pub fn vocabulary_statistics(student: &Projection, targets: &Targets) -> Result<Vec<RowStatistics>> {
    #[cfg(feature = "cuda")]
    if student.hidden.device().is_cuda() {
        return super::gpu::vocabulary_statistics(student, targets);
    }
    let cpu = |p: &Projection| -> Result<Projection> {
        let to = |t: &Tensor| t.to_device(&candle_core::Device::Cpu)?.to_dtype(DType::F32)?.contiguous();
        Ok(Projection { hidden: to(&p.hidden)?, weight: to(&p.weight)?, bias: to(&p.bias)? })
    };
    let student = cpu(student)?;
    let targets = Targets { teacher: targets.teacher.as_ref().map(cpu).transpose()?, ..targets.clone() };
    let op = Fused { gradients: false, targets, saved: Mutex::new(None) };
    let (h, w, b) = (&student.hidden, &student.weight, &student.bias);
    let ((h, hl), (w, wl), (b, bl)) = (h.storage_and_layout(), w.storage_and_layout(), b.storage_and_layout());
    match (&*h, &*w, &*b) {
        (Storage::Cpu(h), Storage::Cpu(w), Storage::Cpu(b)) => Ok(op.run((h, hl), (w, wl), (b, bl))?.0),
        _ => bail!("evaluation moves its tensors to the CPU"),
    }
}

struct Fused {
    targets: Targets,
    gradients: bool,
    saved: Mutex<Option<Gradients>>,
}

/// Gradients of the total, computed in the forward pass.
struct Gradients {
    hidden: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Floats of logits held at once, per model: 32 MB; in tests less, for several chunks.
const CHUNK: usize = if cfg!(test) { 700 } else { 8 << 20 };
type Stored<'a> = (&'a CpuStorage, &'a Layout);

/// A product on the CPU; layouts say which rows, and whether an operand is transposed.
fn product(a: Stored, b: Stored, (m, n, k): (usize, usize, usize)) -> Result<Vec<f32>> {
    match a.0.matmul(b.0, (1, m, n, k), a.1, b.1)? {
        CpuStorage::F32(values) => Ok(values),
        _ => bail!("the vocabulary loss takes f32 tensors"),
    }
}

/// Rows `start..start + count` of a contiguous matrix.
fn rows_of(layout: &Layout, start: usize, count: usize) -> Result<Layout> {
    layout.narrow(0, start, count)
}

impl Fused {
    fn run(&self, h: Stored, w: Stored, b: Stored) -> Result<(Vec<RowStatistics>, Gradients)> {
        let ((n, k), (v, _)) = (h.1.shape().dims2()?, w.1.shape().dims2()?);
        if self.targets.labels.len() != n {
            bail!("{} labels for {n} rows", self.targets.labels.len())
        }
        let bias = slice(b.0, b.1)?;
        let loss = RowLoss {
            temperature: self.targets.temperature as f32,
            soft: (self.targets.alpha_ce * self.targets.temperature / n as f64) as f32,
            square: (2.0 * self.targets.alpha_mse / n as f64) as f32,
            hard: (self.targets.alpha_mlm / self.targets.labelled().max(1) as f64) as f32,
            gradients: self.gradients,
        };
        let mut statistics = vec![RowStatistics::default(); n];
        let sizes = if self.gradients { (n * k, v * k, v) } else { (0, 0, 0) };
        let mut grads = Gradients { hidden: Vec::with_capacity(sizes.0), weight: Vec::new(), bias: vec![0.0; sizes.2] };
        let step = (CHUNK / v).clamp(16, 4096);
        for start in (0..n).step_by(step) {
            let count = step.min(n - start);
            let rows = rows_of(h.1, start, count)?;
            let mut s = product((h.0, &rows), (w.0, &w.1.transpose(0, 1)?), (count, v, k))?;
            let mut t = self.teacher_logits(start, count)?;
            let labels = &self.targets.labels[start..start + count];
            let out = &mut statistics[start..start + count];
            let teacher_bias = self.targets.teacher.as_ref().map(|t| &t.bias);
            with_optional(teacher_bias, |teacher_bias| {
                let work = s.par_chunks_exact_mut(v).zip(labels).zip(out);
                match &mut t {
                    Some(t) => work.zip(t.par_chunks_exact_mut(v)).for_each_init(
                        || Scratch::new(v),
                        |scratch, (((s, label), out), t)| {
                            *out = vectorized(
                                #[inline(always)]
                                || loss.row(s, bias, t, teacher_bias, *label, scratch),
                            );
                        },
                    ),
                    None => work.for_each_init(
                        || Scratch::new(v),
                        |scratch, ((s, label), out)| {
                            *out = vectorized(
                                #[inline(always)]
                                || loss.row(s, bias, &mut [], &[], *label, scratch),
                            );
                        },
                    ),
                }
                Ok(())
            })?;
            if self.gradients {
                grads.add(s, (h.0, &rows), w, (count, v, k))?;
            }
        }
        Ok((statistics, grads))
    }

    fn teacher_logits(&self, start: usize, count: usize) -> Result<Option<Vec<f32>>> {
        let Some(teacher) = &self.targets.teacher else {
            return Ok(None);
        };
        let (v, k) = teacher.weight.dims2()?;
        let (h, hl) = teacher.hidden.storage_and_layout();
        let (w, wl) = teacher.weight.storage_and_layout();
        let (Storage::Cpu(h), Storage::Cpu(w)) = (&*h, &*w) else { bail!("the teacher's logits are not on the CPU") };
        let rows = rows_of(hl, start, count)?;
        product((h, &rows), (w, &wl.transpose(0, 1)?), (count, v, k)).map(Some)
    }
}

fn with_optional<T>(tensor: Option<&Tensor>, f: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    match tensor {
        Some(tensor) => with_slice(tensor, f),
        None => f(&[]),
    }
}

impl Gradients {
    /// Adds a chunk, given the gradient of its logits.
    fn add(&mut self, grad: Vec<f32>, h: Stored, w: Stored, (n, v, k): (usize, usize, usize)) -> Result<()> {
        let bias = sum_rows(
            n,
            v,
            #[inline(always)]
            |start, end, sums| {
                for row in grad[start * v..end * v].chunks_exact(v) {
                    for (s, g) in sums.iter_mut().zip(row) {
                        *s += g;
                    }
                }
            },
        );
        let grad = CpuStorage::F32(grad);
        let layout = Layout::contiguous((n, v));
        self.hidden.extend(product((&grad, &layout), w, (n, k, v))?);
        let weight = product((&grad, &layout.transpose(0, 1)?), h, (v, k, n))?;
        add(&mut self.bias, &bias);
        if self.weight.is_empty() {
            self.weight = weight;
        } else {
            add(&mut self.weight, &weight);
        }
        Ok(())
    }
}

fn add(total: &mut [f32], part: &[f32]) {
    const BLOCK: usize = 1 << 14;
    total.par_chunks_mut(BLOCK).zip(part.par_chunks(BLOCK)).for_each(|(total, part)| {
        for (t, p) in total.iter_mut().zip(part) {
            *t += p;
        }
    });
}

impl CustomOp3 for Fused {
    fn name(&self) -> &'static str {
        "vocabulary-loss"
    }

    /// Result: total, soft-target loss, squared differences, masked-LM loss.
    fn cpu_fwd(
        &self,
        h: &CpuStorage,
        h_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (statistics, gradients) = self.run((h, h_layout), (w, w_layout), (b, b_layout))?;
        let targets = &self.targets;
        let mean = |sum: f64, n: usize| sum / n.max(1) as f64;
        let kl = statistics.iter().map(|s| f64::from(s.kl)).sum();
        let ce = mean(kl, statistics.len()) * targets.temperature * targets.temperature;
        let mse = mean(statistics.iter().map(|s| f64::from(s.square)).sum(), statistics.len());
        let nll = statistics.iter().map(|s| f64::from(s.nll)).sum();
        let mlm = mean(nll, targets.labelled());
        let total = targets.alpha_ce * ce + targets.alpha_mse * mse + targets.alpha_mlm * mlm;
        if self.gradients {
            *self.saved.lock().unwrap_or_else(|e| e.into_inner()) = Some(gradients);
        }
        let out = [total, ce, mse, mlm].map(|v| v as f32).to_vec();
        Ok((CpuStorage::F32(out), Shape::from(4)))
    }

    fn bwd(
        &self,
        h: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let saved = self.saved.lock().unwrap_or_else(|e| e.into_inner()).take();
        let Some(saved) = saved else { bail!("the vocabulary loss was differentiated twice") };
        let scale = f64::from(grad.get(0)?.to_scalar::<f32>()?);
        let tensor = |values: Vec<f32>, like: &Tensor| {
            if !like.track_op() {
                return Ok(None);
            }
            let tensor = Tensor::from_vec(values, like.shape(), like.device())?;
            if scale == 1.0 { Ok(Some(tensor)) } else { (tensor * scale).map(Some) }
        };
        Ok((tensor(saved.hidden, h)?, tensor(saved.weight, w)?, tensor(saved.bias, b)?))
    }
}

#[cfg(test)]
mod tests;

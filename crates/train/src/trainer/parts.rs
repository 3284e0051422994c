//! Forward and backward pass over the parts of one batch.

use super::course::{LOSSES, Task};
use super::interval::BatchLosses;
use super::micro::{MicroBatches, Piece};
use crate::comm::Reduction;
use crate::data::Batch;
use crate::model::Model;
use crate::ops::{Dropout, differentiate_into};
use crate::recipe::Recipe;
use crate::rng::{Purpose, stream};
use crate::{Error, Result};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, TensorId};
use rayon::prelude::*;

/// How a batch is cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// Into this many parts, computed at the same time.
    Parts(usize),
    /// Into micro-batches, computed one after another.
    Micro(MicroBatches),
}

/// Size of a global batch, of which a part has a share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// Number of the batch in the run.
    index: u64,
    rows: usize,
    amounts: [f64; LOSSES],
}

impl Whole {
    pub(super) fn new(index: u64, batch: &Batch, task: &dyn Task) -> Self {
        Self { index, rows: batch.rows(), amounts: task.amounts(batch) }
    }

    /// Tokens.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }
}

/// The losses of one part, still on the device, and what they count for in the batch's.
#[derive(Debug)]
pub(super) struct PartLosses {
    /// `[1 + LOSSES]`.
    values: Tensor,
    weights: BatchLosses,
}

impl PartLosses {
    /// The sums of the weighted losses; the device is asked once for all of them.
    pub(super) fn sum(parts: &[Vec<Self>]) -> Result<Vec<BatchLosses>> {
        let tensors: Vec<&Tensor> = parts.iter().flatten().map(|part| &part.values).collect();
        let values = if tensors.is_empty() { vec![] } else { Tensor::stack(&tensors, 0)?.to_vec2::<f32>()? };
        let mut values = values.into_iter();
        let mut sums = vec![[0.0; 1 + LOSSES]; parts.len()];
        for (sum, parts) in sums.iter_mut().zip(parts) {
            for (part, values) in parts.iter().zip(&mut values) {
                for ((sum, value), weight) in sum.iter_mut().zip(values).zip(part.weights) {
                    *sum += f64::from(value) * weight;
                }
            }
        }
        Ok(sums)
    }
}

/// What turns a batch into losses and gradients, wherever the batch came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Computation<'a> {
    pub(super) student: &'a Model,
    pub(super) task: &'a dyn Task,
    pub(super) recipe: &'a Recipe,
}

impl Computation<'_> {
    /// How batches are cut for one of `world` processes: into micro-batches of `micro_tokens` rows where that is given; else as
    /// the memory of a GPU allows, of which `free` bytes are free, and into the recipe's parts on the CPU.
    pub(super) fn cut(&self, world: usize, micro_tokens: Option<usize>, free: Option<u64>) -> Cut {
        let student = self.student;
        if let Some(rows) = micro_tokens {
            return Cut::Micro(MicroBatches::of(rows));
        }
        if student.device().is_cpu() {
            return Cut::Parts((self.recipe.parts / world).max(1));
        }
        let trainable = student.parameters.trainable().map(|(_, var)| var.elem_count()).sum();
        let width = student.dtype().size_in_bytes();
        Cut::Micro(MicroBatches::fitting(free.unwrap_or(8 << 30), &student.config, trainable, width))
    }

    /// Adds the gradients of this rank's piece of a batch to `reduction`. With `last`, nothing will be added after it: where pieces are
    /// computed one after another, the sums over all ranks begin while the backward pass of the last one goes on.
    pub(super) fn accumulate(
        &self,
        (whole, piece): (Whole, Option<Piece>),
        cut: &mut Cut,
        reduction: &mut Reduction<'_>,
        last: bool,
    ) -> Result<Vec<PartLosses>> {
        let mut all = Vec::new();
        let Some((first, batch)) = piece else {
            return Ok(all);
        };
        let full = |e: Error| e.if_out_of_memory("the sum of the gradients");
        match cut {
            Cut::Micro(micro) => micro.each((first, batch), |piece, end| {
                if last && end {
                    let losses = self.part(whole, piece, &mut |id, gradient| reduction.add_last(id, &gradient));
                    all.push(losses.map_err(|e| if reduction.is_under_way() { under_way(e) } else { e })?);
                } else {
                    let mut store = GradStore::default();
                    all.push(self.part(whole, piece, &mut |id, gradient| keep(&mut store, id, gradient))?);
                    reduction.add(&store).map_err(full)?;
                }
                Ok(())
            })?,
            Cut::Parts(parts) => {
                let pieces = numbered(first, batch.split(*parts));
                let compute = |piece: &Piece| {
                    let mut store = GradStore::default();
                    Ok((self.part(whole, piece, &mut |id, gradient| keep(&mut store, id, gradient))?, store))
                };
                let computed: Vec<_> = pieces.par_iter().map(compute).collect::<Result<_>>()?;
                for (losses, store) in computed {
                    all.push(losses);
                    reduction.add(&store).map_err(full)?;
                }
            }
        }
        Ok(all)
    }

    /// Forward and backward pass of one part; `complete` takes each gradient. Its losses are means over its own rows: weighted by its
    /// share of the batch, those of all parts and ranks add up to the batch's, and so do the gradients.
    fn part(&self, whole: Whole, (first, batch): &Piece, complete: Complete<'_>) -> Result<PartLosses> {
        let mut shares = self.task.amounts(batch);
        for (share, whole) in shares.iter_mut().zip(whole.amounts) {
            *share = if whole > 0.0 { *share / whole } else { 0.0 };
        }
        // Masks belong to a place in the run, not to the order of computation.
        let place = whole.index << 24 | *first as u64;
        let mut dropout = Dropout::on(stream(self.recipe.seed, Purpose::Dropout, place));
        let forward = || {
            let losses = self.task.losses(batch, shares, &mut dropout)?;
            let values = std::iter::once(&losses.total).chain(&losses.parts);
            let values: Vec<Tensor> = values.map(|t| t.detach().to_dtype(DType::F32)).collect::<Result<_, _>>()?;
            let loss = match self.recipe.accumulation {
                1 => losses.total,
                n => (losses.total / n as f64)?,
            };
            Ok::<_, Error>((loss, Tensor::stack(&values, 0)?))
        };
        let values = differentiate_into(forward, complete)?;
        let [a, b, c, d] = shares;
        Ok(PartLosses { values, weights: [1.0, a, b, c, d] })
    }
}

/// Takes the gradient of a variable.
type Complete<'a> = &'a mut dyn FnMut(TensorId, Tensor) -> Result<()>;

fn keep(store: &mut GradStore, id: TensorId, gradient: Tensor) -> Result<()> {
    store.insert_id(id, gradient);
    Ok(())
}

/// Memory ran out after other ranks had been sent gradients of the piece: it cannot be cut and computed again.
fn under_way(error: Error) -> Error {
    if !error.is_out_of_memory() {
        return error;
    }
    let what = "a backward pass whose gradients were already being summed over the processes".into();
    Error::DoesNotFit { what, next: "start again with --resume and a lower --micro-tokens".into() }
}

/// Pieces with the number of their first sequence, which counts on from `first`.
pub(super) fn numbered(mut first: usize, batches: Vec<Batch>) -> Vec<Piece> {
    let number = |batch: Batch| {
        first += batch.lengths.len();
        (first - batch.lengths.len(), batch)
    };
    batches.into_iter().map(number).collect()
}

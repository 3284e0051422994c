//! Several processes training one model: what they say to each other.
//!
//! A [`Group`] sums gradients and figures over all processes. [`Alone`] is a group of one. Each process is a *rank*, numbered
//! from 0; rank 0 is the one that writes.

use crate::Result;
use crate::model::Model;
use crate::optim::Gradients;
use candle_core::{DType, Device, Tensor};

/// All processes of a run. Every rank makes the same calls in the same order; each call waits for the others.
pub trait Group: Send + Sync + std::fmt::Debug {
    /// Number of this process, from 0.
    fn rank(&self) -> usize;

    /// Number of processes.
    fn world(&self) -> usize;

    /// Replaces `flat` (1-D, contiguous, `f32`, on any device) by its sum over all ranks, with the same bits on each of them.
    ///
    /// On a GPU the sum may still be under way when this returns: `flat` must be neither read nor dropped before
    /// [`Group::finish`].
    fn sum(&self, flat: &Tensor) -> Result<()>;

    /// Makes the results of all sums so far visible to whatever the device is asked to do from now on.
    fn finish(&self) -> Result<()> {
        Ok(())
    }

    /// Replaces `values` by their sums over all ranks, with the same bits on each of them. Every rank gives as many.
    fn sum_f64(&self, values: &mut [f64]) -> Result<()>;

    /// Returns rank 0's bytes on every rank; what the others pass in is ignored.
    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// Waits until every rank is here.
    fn barrier(&self) -> Result<()>;

    /// Tells the other ranks that this one cannot go on, and why; they end with this message.
    fn fail(&self, message: &str);
}

/// A group of one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Group for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn world(&self) -> usize {
        1
    }

    fn sum(&self, _: &Tensor) -> Result<()> {
        Ok(())
    }

    fn sum_f64(&self, _: &mut [f64]) -> Result<()> {
        Ok(())
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(bytes)
    }

    fn barrier(&self) -> Result<()> {
        Ok(())
    }

    fn fail(&self, _: &str) {}
}

/// The group that this process belongs to.
pub fn from_environment(_device: &Device) -> Result<Box<dyn Group>> {
    Ok(Box::new(Alone))
}

/// Bytes that are summed at once.
pub const BUCKET_BYTES: usize = 25 << 20;

/// Sums the gradients of all trainable tensors of `student` over all ranks. A rank without a gradient for one adds zeros.
pub fn sum_gradients(group: &dyn Group, student: &Model, gradients: &mut Gradients, _bucket: usize) -> Result<()> {
    if group.world() == 1 {
        return Ok(());
    }
    let mut flat = Vec::new();
    for (name, var) in student.parameters.trainable() {
        flat.push(match gradients.get(name) {
            Some(gradient) => gradient.to_dtype(DType::F32)?.flatten_all()?,
            None => Tensor::zeros(var.elem_count(), DType::F32, var.device())?,
        });
    }
    let flat = Tensor::cat(&flat, 0)?;
    group.sum(&flat)?;
    group.finish()?;
    let mut start = 0;
    for (name, var) in student.parameters.trainable() {
        let gradient = flat.narrow(0, start, var.elem_count())?.reshape(var.shape())?;
        gradients.insert(name, gradient);
        start += var.elem_count();
    }
    Ok(())
}

//! Several processes training one model: what they say to each other, and what happens when one of them ends.
//!
//! A [`Group`] sums gradients and figures over all processes. [`Alone`] is a group of one. [`TcpGroup`] works on any machine
//! and in CPU tests; with the feature `nccl` the gradients of GPUs go through NCCL, and TCP stays as the control channel.
//! Each process is a *rank*, numbered from 0; rank 0 is the one that writes.

mod agreement;
mod buckets;
mod chain;
mod environment;
#[cfg(feature = "nccl")]
mod nccl;
mod rendezvous;
mod settings;
mod slurm;
mod tcp;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod threads;
mod watch;
mod wire;

pub use agreement::{agree, differs};
pub use buckets::Reduction;
pub use environment::{Launcher, Place, prefix, say, speaks};
#[cfg(feature = "nccl")]
pub use nccl::NcclGroup;
pub use settings::Settings;
pub use tcp::TcpGroup;

use crate::Result;
use candle_core::{Device, Tensor};

/// All processes of a run. Every rank makes the same calls in the same order; each call waits for the others.
pub trait Group: Send + Sync + std::fmt::Debug {
    /// Number of this process, from 0.
    fn rank(&self) -> usize;

    /// Number of processes.
    fn world(&self) -> usize;

    /// Replaces `flat` (1-D, contiguous, `f32`, on any device) by its sum over all ranks, with the same bits on each of them.
    ///
    /// On a GPU the sum may still be under way when this returns: what `flat` holds is the sum only after
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

impl<G: Group + ?Sized> Group for &G {
    fn rank(&self) -> usize {
        (**self).rank()
    }

    fn world(&self) -> usize {
        (**self).world()
    }

    fn sum(&self, flat: &Tensor) -> Result<()> {
        (**self).sum(flat)
    }

    fn finish(&self) -> Result<()> {
        (**self).finish()
    }

    fn sum_f64(&self, values: &mut [f64]) -> Result<()> {
        (**self).sum_f64(values)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        (**self).broadcast(bytes)
    }

    fn barrier(&self) -> Result<()> {
        (**self).barrier()
    }

    fn fail(&self, message: &str) {
        (**self).fail(message);
    }
}

/// The processes that this one was launched with, if there are any.
#[derive(Debug)]
pub struct Joined(Option<TcpGroup>);

impl Joined {
    /// Reads the launcher's variables, waits for all ranks, and divides the cores of a machine among the processes on it: so
    /// this comes before anything is computed.
    ///
    /// # Errors
    /// Variables that are incomplete or contradict each other, ranks that do not come, or another program version at one of
    /// them.
    pub fn from_environment() -> Result<Self> {
        let join = |place: Place| TcpGroup::join(&place, &Settings::from_environment()?);
        Ok(Self(Place::from_environment()?.map(join).transpose()?))
    }

    /// The processes, for everything but tensors of a GPU.
    pub fn group(&self) -> &dyn Group {
        match &self.0 {
            Some(group) => group,
            None => &Alone,
        }
    }

    /// The processes with their devices: GPUs are connected by NCCL where it is built in.
    pub fn on_device(&self, device: &Device) -> Result<Box<dyn Group + '_>> {
        if let Some(group) = &self.0 {
            agree(group, "kind of device", if device.is_cuda() { "a GPU" } else { "the CPU" })?;
        }
        match &self.0 {
            #[cfg(feature = "nccl")]
            Some(group) if device.is_cuda() => Ok(Box::new(NcclGroup::new(group, device)?)),
            Some(group) => {
                if device.is_cuda() && group.rank() == 0 {
                    eprintln!("note: this program was built without NCCL; sums over GPUs go through the host's memory");
                }
                Ok(Box::new(group))
            }
            None => Ok(Box::new(Alone)),
        }
    }
}

//! Processes connected by TCP.

use super::chain::{Chain, Number};
use super::environment::Place;
use super::rendezvous::{Peer, join};
use super::settings::Settings;
use super::watch::Watch;
use super::{Group, threads};
use crate::{Error, Result};
use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Result as TensorResult, Tensor, bail};
use std::io;
use std::sync::{Mutex, PoisonError};

/// A group whose data and control go over TCP: sums (`chain`) along a chain of neighbours, and a
/// watch (`watch`) over who is alive.
#[derive(Debug)]
pub struct TcpGroup {
    rank: usize,
    world: usize,
    peers: Vec<Peer>,
    chain: Mutex<Chain>,
    watch: Watch,
}

impl TcpGroup {
    /// Waits for all ranks and divides this machine's cores among the processes on it.
    pub fn join(place: &Place, settings: &Settings) -> Result<Self> {
        let joined = join(place, settings)?;
        let failed = |error: io::Error| Error::Group(format!("the connections of rank {} failed: {error}", place.rank));
        let copies = [&joined.chain.below, &joined.chain.above].into_iter().flatten().map(|link| link.try_clone());
        let copies = copies.collect::<io::Result<Vec<_>>>().map_err(failed)?;
        let watch = Watch::start(place.rank, joined.links, copies, settings.silence, settings.exit_after);
        let watch = watch.map_err(failed)?;
        threads::divide(place.rank, &joined.peers);
        Ok(Self { rank: place.rank, world: place.world, peers: joined.peers, chain: Mutex::new(joined.chain), watch })
    }

    /// Calls `hook` when another rank has failed, before this process ends.
    #[cfg(feature = "nccl")]
    pub(super) fn on_failure(&self, hook: impl FnOnce() + Send + 'static) {
        self.watch.on_failure(hook);
    }

    /// Runs an operation on the chain; when it breaks, the reason is what the control channel says.
    fn on_chain<T>(&self, operation: impl FnOnce(&mut Chain) -> io::Result<T>) -> Result<T> {
        if let Some(reason) = self.watch.failure(false) {
            return Err(Error::Group(reason));
        }
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        operation(&mut chain).map_err(|error| {
            chain.shutdown();
            if error.kind() == io::ErrorKind::InvalidData {
                return Error::Group(error.to_string());
            }
            Error::Group(self.watch.failure(true).unwrap_or_else(|| {
                let neighbours = self.rank.saturating_sub(1)..(self.rank + 2).min(self.world);
                let names = neighbours.filter(|&rank| rank != self.rank).map(|rank| self.peers[rank].to_string());
                format!(
                    "rank {} lost a connection to {} ({error}); look for their messages",
                    self.rank,
                    names.collect::<Vec<_>>().join(" or ")
                )
            }))
        })
    }

    fn sum_numbers<T: Number>(&self, values: &mut [T]) -> Result<()> {
        self.on_chain(|chain| chain.sum(values))
    }
}

impl Group for TcpGroup {
    fn rank(&self) -> usize {
        self.rank
    }

    fn world(&self) -> usize {
        self.world
    }

    fn sum(&self, flat: &Tensor) -> Result<()> {
        if flat.dtype() != DType::F32 || flat.rank() != 1 || !flat.is_contiguous() {
            return Err(Error::Tensor(format!("a sum over ranks of {:?} {:?}", flat.dtype(), flat.shape())));
        }
        if flat.device().is_cpu() {
            let operation = SumInPlace { group: self, error: Mutex::new(None) };
            let result = flat.inplace_op1(&operation);
            return match operation.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Some(error) => Err(error),
                None => Ok(result?),
            };
        }
        // By way of the host: for GPUs without NCCL.
        let mut values = flat.to_vec1::<f32>()?;
        self.sum_numbers(&mut values)?;
        Ok(flat.slice_set(&Tensor::from_vec(values, flat.shape(), flat.device())?, 0, 0)?)
    }

    fn sum_f64(&self, values: &mut [f64]) -> Result<()> {
        self.sum_numbers(values)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        self.on_chain(|chain| chain.broadcast(bytes))
    }

    fn barrier(&self) -> Result<()> {
        self.sum_numbers(&mut [0.0f64])
    }

    fn fail(&self, message: &str) {
        self.watch.fail(message);
    }
}

/// The sum in the tensor's own memory.
struct SumInPlace<'a> {
    group: &'a TcpGroup,
    /// What went wrong, in our own words.
    error: Mutex<Option<Error>>,
}

impl InplaceOp1 for SumInPlace<'_> {
    fn name(&self) -> &'static str {
        "sum-over-ranks"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> TensorResult<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("a sum over ranks takes a contiguous f32 tensor");
        };
        if let Err(error) = self.group.sum_numbers(&mut values[start..end]) {
            let text = error.to_string();
            *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            bail!("{text}");
        }
        Ok(())
    }
}

//! GPUs connected by NCCL; TCP stays as the control channel.

use super::{Group, TcpGroup};
use crate::cuda::nccl::Communicator;
use crate::{Error, Result};
use candle_core::cuda::cudarc::driver::CudaStream;
use candle_core::{CpuStorage, CudaStorage, Device, InplaceOp1, Layout, Result as TensorResult, Tensor, bail};
use std::sync::{Arc, Mutex, PoisonError};

/// One process a GPU. Gradients go through NCCL on a stream of their own; figures, rank 0's bytes and signs of life over
/// TCP, so that a rank that dies is noticed while the GPUs of the others wait for it.
#[derive(Debug)]
pub struct NcclGroup<'a> {
    control: &'a TcpGroup,
    communicator: Arc<Communicator>,
    /// Where candle works.
    compute: Arc<CudaStream>,
    /// Where NCCL works.
    reduction: Arc<CudaStream>,
    /// What sums are under way on: their memory must not be freed before they are done.
    pending: Mutex<Vec<Tensor>>,
}

impl<'a> NcclGroup<'a> {
    /// Connects the GPUs of all ranks of `control`; every rank has a GPU of its own.
    pub fn new(control: &'a TcpGroup, device: &Device) -> Result<Self> {
        let Device::Cuda(cuda) = device else {
            return Err(Error::Group("NCCL connects GPUs".into()));
        };
        let compute = cuda.cuda_stream();
        let reduction = compute.fork().map_err(|error| Error::Group(format!("no CUDA stream for NCCL: {error}")))?;
        let id = if control.rank() == 0 { Communicator::unique_id().map_err(Error::Group)?.to_vec() } else { vec![] };
        let id = control.broadcast(id)?;
        let id = id.try_into().map_err(|_| Error::Group("rank 0 sent no NCCL id".into()))?;
        let communicator = Communicator::new(reduction.clone(), control.rank(), control.world(), id);
        let communicator = Arc::new(communicator.map_err(|reason| {
            Error::Group(format!("rank {} does not join NCCL: {reason}; NCCL_DEBUG=INFO says more", control.rank()))
        })?);
        let aborted = communicator.clone();
        // Else the kernels of a sum wait for the dead rank for ever, and the driver for them.
        control.on_failure(move || aborted.abort());
        Ok(Self { control, communicator, compute, reduction, pending: Mutex::new(vec![]) })
    }
}

impl Group for NcclGroup<'_> {
    fn rank(&self) -> usize {
        self.control.rank()
    }

    fn world(&self) -> usize {
        self.control.world()
    }

    fn sum(&self, flat: &Tensor) -> Result<()> {
        // What packs `flat` comes first.
        let ordered = self.reduction.join(&self.compute);
        ordered.map_err(|error| Error::Group(format!("CUDA cannot order streams: {error}")))?;
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(flat.clone());
        Ok(flat.inplace_op1(&AllReduce(&self.communicator))?)
    }

    fn finish(&self) -> Result<()> {
        let ordered = self.compute.join(&self.reduction);
        ordered.map_err(|error| Error::Group(format!("CUDA cannot order streams: {error}")))?;
        // Freed in the order of the compute stream, so after the sums.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    fn sum_f64(&self, values: &mut [f64]) -> Result<()> {
        self.control.sum_f64(values)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        self.control.broadcast(bytes)
    }

    fn barrier(&self) -> Result<()> {
        self.control.barrier()
    }

    fn fail(&self, message: &str) {
        self.communicator.abort();
        self.control.fail(message);
    }
}

impl Drop for NcclGroup<'_> {
    fn drop(&mut self) {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if !pending.is_empty() {
            // After an error: ends the sums, then waits for them.
            self.communicator.abort();
            if let Err(error) = self.reduction.synchronize() {
                eprintln!("note: the sums under way did not end in order: {error}");
                // The memory may be in use; the process is about to end.
                std::mem::forget(pending);
            }
        }
    }
}

struct AllReduce<'a>(&'a Communicator);

impl InplaceOp1 for AllReduce<'_> {
    fn name(&self) -> &'static str {
        "nccl-sum"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> TensorResult<()> {
        bail!("NCCL sums tensors on a GPU")
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> TensorResult<()> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("a sum over ranks takes a contiguous tensor");
        };
        let slice = storage.as_cuda_slice_mut::<f32>()?;
        match self.0.sum(&mut slice.slice_mut(start..end)) {
            Ok(()) => Ok(()),
            Err(reason) => bail!("NCCL: {reason}"),
        }
    }
}

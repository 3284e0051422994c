//! A GPU as the machine that plans run on.

use super::launch::{Value, launch};
use super::memory::Memory;
use super::{gemm, module};
use crate::ops::machine::{Arg, Kind, Launch, Machine, Product};
use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::driver::CudaStream;
use candle_core::{CudaStorage, Device, Result, Tensor, bail};
use half::bf16;
use std::sync::Arc;

/// A GPU and the stream that everything runs on, in order.
pub(crate) struct Gpu {
    device: CudaDevice,
    stream: Arc<CudaStream>,
}

impl Gpu {
    /// The GPU of a tensor.
    pub(crate) fn of(tensor: &Tensor) -> Result<Self> {
        let Device::Cuda(device) = tensor.device() else { bail!("a tensor is not on a GPU") };
        Ok(Self { device: device.clone(), stream: device.cuda_stream() })
    }

    /// A tensor's memory.
    pub(crate) fn memory(&self, tensor: &Tensor) -> Result<Memory> {
        Memory::of(tensor, &self.stream)
    }
}

impl Machine for Gpu {
    type Buffer = Memory;

    fn uninit(&self, kind: Kind, len: usize) -> Result<Memory> {
        Memory::new(&self.device, &self.stream, kind, len)
    }

    fn zeros(&self, kind: Kind, len: usize) -> Result<Memory> {
        let len = len.max(1);
        let device = self.device.clone();
        let storage = match kind {
            Kind::F32 => CudaStorage::wrap_cuda_slice(device.alloc_zeros::<f32>(len)?, device),
            Kind::Bf16 => CudaStorage::wrap_cuda_slice(device.alloc_zeros::<bf16>(len)?, device),
            Kind::U32 => CudaStorage::wrap_cuda_slice(device.alloc_zeros::<u32>(len)?, device),
        };
        Memory::owned(storage, &self.stream, kind)
    }

    fn upload(&self, values: &[u32]) -> Result<Memory> {
        let storage = CudaStorage::wrap_cuda_slice(self.device.clone_htod(values)?, self.device.clone());
        Memory::owned(storage, &self.stream, Kind::U32)
    }

    fn launch(&self, request: &Launch, arguments: &[Arg<'_, Memory>]) -> Result<()> {
        let values: Vec<Value> = arguments
            .iter()
            .map(|argument| match argument {
                Arg::In(buffer) | Arg::Out(buffer) | Arg::Both(buffer) => Value::U64(buffer.at(0)),
                Arg::Part(buffer, first, _) => Value::U64(buffer.at(*first)),
                Arg::Null => Value::U64(0),
                Arg::U32(v) => Value::U32(*v),
                Arg::U64(v) => Value::U64(*v),
                Arg::F32(v) => Value::F32(*v),
            })
            .collect();
        let kernel = module::function(self.stream.context(), &request.kernel)?;
        launch(&self.stream, &kernel, [request.grid, request.block], &values)
    }

    fn product(&self, product: &Product<'_, Memory>) -> Result<()> {
        gemm::gemm(&self.device, product)
    }
}

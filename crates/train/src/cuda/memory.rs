//! Buffers in a GPU's memory: those of tensors, and new ones.

#![allow(unsafe_code)]

use crate::ops::machine::Kind;
use candle_core::cuda::cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DeviceRepr};
use candle_core::cuda::{CudaDType, CudaDevice};
use candle_core::{CudaStorage, DType, Result, Storage, Tensor, bail};
use half::bf16;

/// A buffer and what keeps it alive.
pub(crate) struct Memory {
    pointer: u64,
    kind: Kind,
    owner: Owner,
}

enum Owner {
    Tensor(#[expect(dead_code, reason = "held for its memory")] Tensor),
    Storage(CudaStorage),
}

fn pointer<T: CudaDType + DeviceRepr>(storage: &CudaStorage, stream: &CudaStream) -> Result<u64> {
    Ok(storage.as_cuda_slice::<T>()?.device_ptr(stream).0)
}

fn base(storage: &CudaStorage, kind: Kind, stream: &CudaStream) -> Result<u64> {
    match kind {
        Kind::F32 => pointer::<f32>(storage, stream),
        Kind::Bf16 => pointer::<bf16>(storage, stream),
        Kind::U32 => pointer::<u32>(storage, stream),
    }
}

/// How a tensor's type is stored.
pub(crate) fn kind(tensor: &Tensor) -> Result<Kind> {
    match tensor.dtype() {
        DType::F32 => Ok(Kind::F32),
        DType::BF16 => Ok(Kind::Bf16),
        DType::U32 => Ok(Kind::U32),
        other => bail!("the GPU's kernels take f32 and bf16, not {other:?}; choose another --precision"),
    }
}

impl Memory {
    /// The memory of a tensor: its own where it is contiguous and aligned for the kernels, else a copy's.
    pub(super) fn of(tensor: &Tensor, stream: &CudaStream) -> Result<Self> {
        let kind = kind(tensor)?;
        let mut tensor = tensor.detach().contiguous()?;
        if !(tensor.layout().start_offset() * kind.size()).is_multiple_of(16) {
            tensor = tensor.copy()?;
        }
        let start = {
            let (storage, layout) = tensor.storage_and_layout();
            let Storage::Cuda(storage) = &*storage else { bail!("a tensor is not on the GPU") };
            base(storage, kind, stream)? + (layout.start_offset() * kind.size()) as u64
        };
        Ok(Self { pointer: start, kind, owner: Owner::Tensor(tensor) })
    }

    /// New memory of any contents.
    pub(super) fn new(device: &CudaDevice, stream: &CudaStream, kind: Kind, len: usize) -> Result<Self> {
        // At least one element: the driver refuses to allocate nothing.
        let len = len.max(1);
        let storage = match kind {
            Kind::F32 => CudaStorage::wrap_cuda_slice(fresh::<f32>(device, len)?, device.clone()),
            Kind::Bf16 => CudaStorage::wrap_cuda_slice(fresh::<bf16>(device, len)?, device.clone()),
            Kind::U32 => CudaStorage::wrap_cuda_slice(fresh::<u32>(device, len)?, device.clone()),
        };
        Self::owned(storage, stream, kind)
    }

    pub(super) fn owned(storage: CudaStorage, stream: &CudaStream, kind: Kind) -> Result<Self> {
        Ok(Self { pointer: base(&storage, kind, stream)?, kind, owner: Owner::Storage(storage) })
    }

    /// The address of an element.
    pub(super) fn at(&self, element: usize) -> u64 {
        self.pointer + (element * self.kind.size()) as u64
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The storage of a new buffer, to become a tensor.
    pub(crate) fn into_storage(self) -> Result<Storage> {
        match self.owner {
            Owner::Storage(storage) => Ok(Storage::Cuda(storage)),
            Owner::Tensor(_) => bail!("a tensor's memory cannot become another tensor's"),
        }
    }
}

/// New memory of any contents.
fn fresh<T: DeviceRepr>(device: &CudaDevice, len: usize) -> Result<CudaSlice<T>> {
    // SAFETY: every bit pattern is a value of the types in use, and the plans of `ops::plan` write each buffer before they read
    // it (the emulator of the tests fills new buffers with numbers that are none).
    unsafe { device.alloc::<T>(len) }
}

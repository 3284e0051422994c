//! An NCCL communicator that another thread may abort.
//!
//! `cudarc`'s own type aborts only when it is dropped, and keeps its handle to itself; but a rank whose neighbour died waits
//! in NCCL, and can be woken only by an abort from the thread that learned of it.
#![allow(unsafe_code)]

use candle_core::cuda::cudarc::driver::{CudaStream, CudaViewMut, DevicePtrMut};
use candle_core::cuda::cudarc::nccl::{Id, result, sys};
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};

/// A rank's end of NCCL, for sums on one stream.
#[derive(Debug)]
pub(crate) struct Communicator {
    /// None after the abort.
    handle: Mutex<Option<Handle>>,
    stream: Arc<CudaStream>,
}

#[derive(Debug)]
struct Handle(sys::ncclComm_t);

// SAFETY: NCCL allows a communicator to be used from any thread, one at a time; the mutex around it sees to that.
unsafe impl Send for Handle {}

/// NCCL's error as its header names it.
fn text(error: result::NcclError) -> String {
    let hint = match error.0 {
        sys::ncclResult_t::ncclUnhandledCudaError => " (a CUDA call failed; is NCCL there, and the GPU free?)",
        sys::ncclResult_t::ncclInvalidUsage => " (have two ranks the same GPU?)",
        sys::ncclResult_t::ncclSystemError | sys::ncclResult_t::ncclRemoteError => " (a connection failed)",
        _ => "",
    };
    format!("{:?}{hint}", error.0)
}

impl Communicator {
    /// A new run's identity, made by rank 0.
    pub(crate) fn unique_id() -> Result<[u8; 128], String> {
        Ok(Id::new().map_err(text)?.internal().map(|c| c.to_ne_bytes()[0]))
    }

    /// Waits for all ranks. Sums will run on `stream`, whose GPU is this rank's.
    pub(crate) fn new(stream: Arc<CudaStream>, rank: usize, world: usize, id: [u8; 128]) -> Result<Self, String> {
        let number = |n: usize| i32::try_from(n).map_err(|_| format!("{n} ranks"));
        let (rank, world) = (number(rank)?, number(world)?);
        stream.context().bind_to_thread().map_err(|error| error.to_string())?;
        let id = sys::ncclUniqueId { internal: id.map(|byte| std::ffi::c_char::from_ne_bytes([byte])) };
        let mut handle = MaybeUninit::uninit();
        // SAFETY: `handle` is where NCCL writes one communicator; id, world and rank go by value. The current GPU of this
        // thread, which NCCL takes, was set above.
        let status = unsafe { result::comm_init_rank(handle.as_mut_ptr(), world, id, rank) };
        status.map_err(text)?;
        // SAFETY: NCCL reported success, so it has written the communicator.
        let handle = Handle(unsafe { handle.assume_init() });
        Ok(Self { handle: Mutex::new(Some(handle)), stream })
    }

    /// Enqueues the sum over all ranks on the stream, in place.
    pub(crate) fn sum(&self, values: &mut CudaViewMut<'_, f32>) -> Result<(), String> {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Handle(handle)) = handle.as_ref() else {
            return Err("the communicator was aborted because another rank failed".into());
        };
        let count = values.len();
        let (pointer, _written) = values.device_ptr_mut(&self.stream);
        // SAFETY: `pointer` is `count` floats of the GPU that the communicator and the stream belong to, borrowed
        // exclusively; NCCL allows both buffers to be the same. `NcclGroup` holds the memory, and orders
        // the stream that candle works on, until this stream has passed this point. The handle is alive while the lock is held.
        let status = unsafe {
            result::all_reduce(
                pointer as *const _,
                pointer as *mut _,
                count,
                sys::ncclDataType_t::ncclFloat32,
                sys::ncclRedOp_t::ncclSum,
                *handle,
                self.stream.cu_stream().cast(),
            )
        };
        status.map(|_| ()).map_err(text)
    }

    /// Ends all sums under way and frees the communicator, once.
    pub(crate) fn abort(&self) {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Handle(handle)) = handle {
            // SAFETY: taken out above, so nobody uses it any more and this happens once.
            let status = unsafe { result::comm_abort(handle) };
            if let Err(error) = status {
                eprintln!("NCCL did not abort: {}", text(error));
            }
        }
    }
}

impl Drop for Communicator {
    fn drop(&mut self) {
        self.abort();
    }
}

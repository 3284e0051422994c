//! Finds and opens GPUs, and says in plain words why that is impossible.
//!
//! In the program that `cargo xtask build-cuda` makes, NVIDIA's libraries are looked for when they are first called. A
//! library that is not there answers with a status that the library itself never returns (see
//! `crates/xtask/src/cuda/shim.rs`), so what is missing can be told from the error.

// Calls for which there is no safe function.
#![allow(unsafe_code)]

use candle_core::Device;
use candle_core::cuda::{CudaError, cudarc};
use cudarc::cublas::sys::cublasStatus_t;
use cudarc::curand::sys::curandStatus_t;
use cudarc::driver::sys::{self, CUresult};
use cudarc::driver::{CudaContext, DriverError, result};
use std::sync::Arc;

/// The CUDA that the kernels are compiled with: an older driver cannot read them.
const DRIVER_VERSION: i32 = 13_000;
/// The oldest GPUs that they run on: Ampere.
const CAPABILITY: (i32, i32) = (8, 0);

/// Opens a GPU: the one with this number, or that of this process's rank on its machine. With it goes its description.
///
/// # Errors
///
/// One line that names what is missing.
pub fn open(ordinal: Option<usize>) -> Result<(Device, String), String> {
    let count = count()?;
    let ordinal = match ordinal {
        Some(ordinal) if ordinal >= count => {
            return Err(format!("there is no cuda:{ordinal}: this machine has {count} GPU(s), numbered from 0"));
        }
        Some(ordinal) => ordinal,
        None => share(local_rank(|name| std::env::var(name).ok()), count)?,
    };
    let context = CudaContext::new(ordinal).map_err(|error| driver(&error))?;
    let text = describe(&context)?;
    let capability = context.compute_capability().map_err(|error| driver(&error))?;
    if capability < CAPABILITY {
        return Err(format!("{text} is too old: 8.0 (Ampere) is needed"));
    }
    let device = Device::new_cuda_with_stream(ordinal).map_err(|error| explain(&error))?;
    keep_memory(&context).map_err(|error| driver(&error))?;
    if let Device::Cuda(device) = &device {
        // SAFETY: candle works on one stream for each GPU, the one made here: memory is written, read and freed in its order. The only
        // other stream is `comm::NcclGroup`'s, which is ordered before and after this one by events of its own and holds its memory.
        unsafe { device.disable_event_tracking() };
    }
    Ok((device, text))
}

/// A line for each GPU.
///
/// # Errors
///
/// One line that names what is missing.
pub fn list() -> Result<Vec<String>, String> {
    let contexts = (0..count()?).map(|ordinal| CudaContext::new(ordinal).map_err(|error| driver(&error)));
    contexts.map(|context| describe(&*context?)).collect()
}

/// Free bytes of a GPU's memory.
#[must_use]
pub fn free_memory(device: &Device) -> Option<u64> {
    let device = device.as_cuda_device().ok()?;
    let (free, _) = device.cuda_stream().context().mem_get_info().ok()?;
    u64::try_from(free).ok()
}

/// How many GPUs a driver that is new enough offers; at least one.
fn count() -> Result<usize, String> {
    let count = CudaContext::device_count().map_err(|error| driver(&error))?;
    let version = driver_version().map_err(|error| driver(&error))?;
    if version < DRIVER_VERSION {
        let (major, minor) = (version / 1000, version % 1000 / 10);
        return Err(format!(
            "the NVIDIA driver is for CUDA {major}.{minor}, this program needs 13.0: install driver 580 or newer"
        ));
    }
    match usize::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(NO_GPU.into()),
    }
}

const NO_GPU: &str = "the NVIDIA driver finds no GPU (CUDA_VISIBLE_DEVICES may hide it)";

/// Name, memory and compute capability: `cuda:0 NVIDIA H200, 139.8 GiB (138.9 free), compute capability 9.0`.
fn describe(context: &CudaContext) -> Result<String, String> {
    let facts = || {
        let (free, total) = context.mem_get_info()?;
        Ok((context.name()?, free, total, context.compute_capability()?))
    };
    let (name, free, total, (major, minor)) = facts().map_err(|error: DriverError| driver(&error))?;
    let gib = |bytes: usize| bytes as f64 / f64::from(1u32 << 30);
    let (ordinal, free, total) = (context.ordinal(), gib(free), gib(total));
    Ok(format!("cuda:{ordinal} {name}, {total:.1} GiB ({free:.1} free), compute capability {major}.{minor}"))
}

/// This process's number among those on its machine, from whatever started them: torchrun, mpirun or srun.
fn local_rank(variable: impl Fn(&str) -> Option<String>) -> usize {
    const NAMES: [&str; 4] = ["LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"];
    NAMES.into_iter().find_map(|name| variable(name)?.parse().ok()).unwrap_or(0)
}

/// The GPU for a rank. With one GPU it is that one: launchers often show each process its own.
fn share(rank: usize, count: usize) -> Result<usize, String> {
    match count {
        1 => Ok(0),
        _ if rank < count => Ok(rank),
        _ => Err(format!("process {rank} of this machine (from 0) has no GPU of its own: there are {count}")),
    }
}

/// The version of CUDA that the driver is for: 13000 for 13.0.
fn driver_version() -> Result<i32, DriverError> {
    let mut version = 0;
    // SAFETY: the function writes one int to the address it is given, which is that of a live `i32`.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok(version)
}

/// Lets the driver keep freed memory for this process. By default it goes back to the system whenever the host waits for
/// the GPU, which is once a step, and has to be mapped again in the next one.
fn keep_memory(context: &Arc<CudaContext>) -> Result<(), DriverError> {
    if !context.has_async_alloc() {
        return Ok(());
    }
    let mut threshold = u64::MAX;
    // SAFETY: the device comes from a context that lives through this block, so it and its pool are valid; the attribute is
    // a 64-bit number, and the address that of a live `u64`, which is only read.
    unsafe {
        let pool = result::device::get_mem_pool(context.cu_device())?;
        let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        result::mem_pool::set_attribute(pool, attribute, (&raw mut threshold).cast())
    }
}

/// What candle's attempt to open a device failed at.
fn explain(error: &candle_core::Error) -> String {
    let cause = match error {
        candle_core::Error::WithBacktrace { inner, .. } => return explain(inner),
        candle_core::Error::Cuda(cause) => cause.downcast_ref::<CudaError>(),
        _ => None,
    };
    match cause {
        Some(CudaError::Cuda(error)) => driver(error),
        Some(CudaError::Cublas(error)) if error.0 == cublasStatus_t::CUBLAS_STATUS_LICENSE_ERROR => {
            not_found("cuBLAS", "libcublas.so.13")
        }
        Some(CudaError::Curand(error)) if error.0 == curandStatus_t::CURAND_STATUS_ARCH_MISMATCH => {
            not_found("cuRAND", "libcurand.so.10")
        }
        _ => format!("the GPU cannot be used: {error}"),
    }
}

fn not_found(name: &str, file: &str) -> String {
    format!(
        "NVIDIA's library {name} ({file}) was not found; name its folder in DISTIL_CUDA_LIBS or LD_LIBRARY_PATH \
         (DISTIL_CUDA_VERBOSE=1 shows where it was looked for; see docs/cuda.md)"
    )
}

/// A failure of the driver in plain words.
fn driver(error: &DriverError) -> String {
    match error.0 {
        CUresult::CUDA_ERROR_STUB_LIBRARY => "no NVIDIA driver on this machine (libcuda.so.1 was not found)".into(),
        CUresult::CUDA_ERROR_NO_DEVICE => NO_GPU.into(),
        CUresult::CUDA_ERROR_NOT_FOUND => "the NVIDIA driver is too old: install driver 580 or newer".into(),
        CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => {
            "the NVIDIA driver's library and its kernel module differ: restart the machine".into()
        }
        CUresult::CUDA_ERROR_SYSTEM_NOT_READY => {
            "the NVIDIA driver is not ready (on machines with NVSwitch: start nvidia-fabricmanager)".into()
        }
        CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE => "the GPU is in use by another process alone (compute mode)".into(),
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => "the GPU's memory is full: another process holds it".into(),
        code => format!("the NVIDIA driver fails with {code:?}; `nvidia-smi` may say more"),
    }
}

#[cfg(test)]
mod tests {
    use super::{driver, local_rank, share};
    use candle_core::cuda::cudarc::driver::{DriverError, sys::CUresult};

    #[test]
    fn ranks_get_gpus_of_their_own() {
        assert_eq!(share(0, 8), Ok(0));
        assert_eq!(share(7, 8), Ok(7));
        assert!(share(8, 8).unwrap_err().contains("there are 8"));
        assert_eq!(share(3, 1), Ok(0));
    }

    #[test]
    fn the_rank_is_read_from_the_launcher() {
        let only = |wanted: &'static str| move |name: &str| (name == wanted).then(|| "5".to_owned());
        for name in ["LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"] {
            assert_eq!(local_rank(only(name)), 5);
        }
        assert_eq!(local_rank(|_| None), 0);
        assert_eq!(local_rank(|_| Some("x".into())), 0);
    }

    #[test]
    fn failures_are_told_in_words() {
        let text = |code| driver(&DriverError(code));
        assert!(text(CUresult::CUDA_ERROR_STUB_LIBRARY).contains("libcuda.so.1"));
        assert!(text(CUresult::CUDA_ERROR_NO_DEVICE).contains("no GPU"));
        assert!(text(CUresult::CUDA_ERROR_INVALID_VALUE).contains("CUDA_ERROR_INVALID_VALUE"));
    }
}

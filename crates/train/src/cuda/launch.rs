//! The one place where kernels are launched.

#![allow(unsafe_code)]

use candle_core::Result;
use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::{CudaFunction, CudaStream, LaunchConfig, PushKernelArg};

/// An argument as the driver takes it.
pub(super) enum Value {
    U32(u32),
    /// Also an address in the GPU's memory.
    U64(u64),
    F32(f32),
}

/// Queues a kernel.
pub(super) fn launch(
    stream: &CudaStream,
    kernel: &CudaFunction,
    [grid, block]: [[u32; 2]; 2],
    arguments: &[Value],
) -> Result<()> {
    let mut builder = stream.launch_builder(kernel);
    for argument in arguments {
        match argument {
            Value::U32(v) => builder.arg(v),
            Value::U64(v) => builder.arg(v),
            Value::F32(v) => builder.arg(v),
        };
    }
    let config =
        LaunchConfig { grid_dim: (grid[0], grid[1], 1), block_dim: (block[0], block[1], 1), shared_mem_bytes: 0 };
    // SAFETY: number, types and meaning of the arguments, and the sizes of the buffers behind them, are those of the plans in
    // `ops::plan`. The tests run the same plans over the same kernels in an emulator that checks the number and size of the
    // arguments and every access to a buffer. Buffers outlive the kernel: memory is freed in the order of this stream.
    unsafe { builder.launch(config) }.w()?;
    Ok(())
}

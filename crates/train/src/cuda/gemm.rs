//! Matrix products by cuBLAS, with types and places that candle's own do not offer: `bf16` operands into `f32` results, results added
//! to what is there, and parts of buffers.

#![allow(unsafe_code)]

use super::Memory;
use crate::ops::machine::{Kind, Matrix, Product};
use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::cublas::{result, sys};
use candle_core::{Result, bail};
use std::ffi::c_void;

fn data_type(kind: Kind) -> Result<sys::cudaDataType> {
    match kind {
        Kind::F32 => Ok(sys::cudaDataType::CUDA_R_32F),
        Kind::Bf16 => Ok(sys::cudaDataType::CUDA_R_16BF),
        Kind::U32 => bail!("a product of whole numbers"),
    }
}

/// cuBLAS counts columns first: a matrix as it lies here is its transposed one there, so the operands change places.
fn operation(matrix: &Matrix<'_, Memory>) -> sys::cublasOperation_t {
    if matrix.transposed { sys::cublasOperation_t::CUBLAS_OP_T } else { sys::cublasOperation_t::CUBLAS_OP_N }
}

/// Queues a product.
pub(super) fn gemm(device: &CudaDevice, p: &Product<'_, Memory>) -> Result<()> {
    let (kind, out_kind) = (data_type(p.kind)?, data_type(p.out_kind)?);
    if [p.a.buffer.kind(), p.b.buffer.kind(), p.out.buffer.kind()] != [p.kind, p.kind, p.out_kind] {
        bail!("a product of other types than it says")
    }
    let place = |m: &Matrix<'_, Memory>| m.buffer.at(m.first) as usize as *mut c_void;
    let (one, beta) = (1.0f32, if p.add { 1.0f32 } else { 0.0 });
    let blas = device.cublas_handle();
    // SAFETY: the handle is the device's own, on its stream. The plans of `ops::plan` give sizes and strides that lie within the
    // buffers; the tests run them over the emulator, whose products index slices. The scalars are read before the call returns
    // (cuBLAS' pointer mode is the host's unless changed, and nothing here changes it).
    let status = unsafe {
        result::gemm_ex(
            *blas.handle(),
            operation(&p.b),
            operation(&p.a),
            p.n as i32,
            p.m as i32,
            p.k as i32,
            (&raw const one).cast(),
            place(&p.b),
            kind,
            p.b.stride as i32,
            place(&p.a),
            kind,
            p.a.stride as i32,
            (&raw const beta).cast(),
            place(&p.out),
            out_kind,
            p.out.stride as i32,
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    };
    match status {
        Ok(()) => Ok(()),
        Err(error) => bail!("cuBLAS failed on a product of {} x {} x {}: {error}", p.m, p.n, p.k),
    }
}

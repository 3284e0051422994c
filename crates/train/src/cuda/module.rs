//! The compiled kernels, loaded once for each GPU.

use candle_core::Result;
use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::sys::CUdevice_attribute as Attribute;
use candle_core::cuda::cudarc::driver::{CudaContext, CudaFunction, CudaModule};
use candle_core::cuda::cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

static CUBIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.cubin"));
static PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

struct Loaded {
    module: Arc<CudaModule>,
    functions: HashMap<String, CudaFunction>,
}

/// A kernel by name.
pub(super) fn function(context: &Arc<CudaContext>, name: &str) -> Result<CudaFunction> {
    static LOADED: OnceLock<Mutex<HashMap<usize, Loaded>>> = OnceLock::new();
    let mut loaded = LOADED.get_or_init(Mutex::default).lock().unwrap_or_else(|e| e.into_inner());
    let entry = match loaded.entry(context.ordinal()) {
        std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::hash_map::Entry::Vacant(entry) => {
            let major = context.attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR).w()?;
            // Machine code runs on its own generation only.
            let image = if major == 9 { Ptx::from_binary(CUBIN.to_vec()) } else { Ptx::from_src(PTX) };
            entry.insert(Loaded { module: context.load_module(image).w()?, functions: HashMap::new() })
        }
    };
    if let Some(function) = entry.functions.get(name) {
        return Ok(function.clone());
    }
    let function = entry.module.load_function(name).w()?;
    entry.functions.insert(name.to_string(), function.clone());
    Ok(function)
}

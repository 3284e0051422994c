//! Compiles the kernels of `cuda/` with NVIDIA's compiler when the feature `cuda` is on: machine code for Hopper, which loads at
//! once, and PTX for every GPU since Ampere, which the driver compiles when it first sees it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=cuda");
    println!("cargo:rerun-if-env-changed=NVCC");
    println!("cargo:rerun-if-env-changed=CUDA_HOME");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    compile(&["-cubin", "-arch=sm_90"], &out.join("kernels.cubin"));
    compile(&["-ptx", "-arch=compute_80"], &out.join("kernels.ptx"));
}

fn compile(arguments: &[&str], out: &Path) {
    let compiler = match (env::var_os("NVCC"), env::var_os("CUDA_HOME")) {
        (Some(compiler), _) => PathBuf::from(compiler),
        (None, Some(home)) => Path::new(&home).join("bin/nvcc"),
        (None, None) => PathBuf::from("nvcc"),
    };
    let status = Command::new(&compiler)
        .args(["-O3", "-std=c++17", "cuda/kernels.cu", "-o"])
        .arg(out)
        .args(arguments)
        .status()
        .unwrap_or_else(|error| {
            panic!("cannot run {}: {error}; run `cargo xtask setup --cuda`, or set NVCC", compiler.display())
        });
    assert!(status.success(), "{} failed on cuda/kernels.cu", compiler.display());
}

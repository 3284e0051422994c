//! Where a run computes: the CPU, or one of NVIDIA's GPUs.
//!
//! Without the feature `cuda` every function is there and answers that there is no GPU, so callers need no `cfg`.

use crate::{Error, Result};
use candle_core::{DType, Device};
use std::fmt;
use std::str::FromStr;

/// What `--device` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU where there is one that can be used, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU, or an error: of several, the one of this process's rank on its machine.
    AnyCuda,
    /// The GPU with this number, from 0.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::AnyCuda),
            _ => match text.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(ordinal)) => Ok(Self::Cuda(ordinal)),
                _ => Err("a device is auto, cpu, cuda or cuda:N with the number of a GPU".into()),
            },
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::AnyCuda => f.write_str("cuda"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

/// The type that matrix products compute in; parameters, moments and losses are f32 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Precision {
    /// 32-bit floats
    F32,
    /// bfloat16 (for GPUs; slow on CPUs)
    Bf16,
}

/// Opens the device and says on standard error which one it is.
///
/// # Errors
///
/// When a GPU was asked for and none can be used: the message names what is missing. With [`DeviceChoice::Auto`] that
/// message goes to standard error and the CPU is taken.
pub fn open(choice: DeviceChoice) -> Result<Device> {
    let found = match choice {
        DeviceChoice::Cpu => Ok(None),
        DeviceChoice::Cuda(ordinal) => gpu::open(Some(ordinal)).map(Some).map_err(Error::Device),
        DeviceChoice::AnyCuda => gpu::open(None).map(Some).map_err(Error::Device),
        DeviceChoice::Auto => Ok(gpu::open(None).inspect_err(|reason| eprintln!("no GPU: {reason}")).ok()),
    }?;
    Ok(match found {
        Some((device, name)) => {
            eprintln!("computing on {name}");
            device
        }
        None => {
            eprintln!("computing on the CPU with {}", threads());
            Device::Cpu
        }
    })
}

fn threads() -> String {
    match rayon::current_num_threads() {
        1 => "1 thread".into(),
        n => format!("{n} threads"),
    }
}

/// The type to compute in: what was asked for, else bf16 on a GPU and f32 on the CPU.
#[must_use]
pub fn compute_dtype(device: &Device, precision: Option<Precision>) -> DType {
    match precision {
        Some(Precision::F32) => DType::F32,
        Some(Precision::Bf16) => DType::BF16,
        None if device.is_cuda() => DType::BF16,
        None => DType::F32,
    }
}

/// Free bytes of the GPU's memory; `None` for the CPU.
///
/// Memory that this process has used and freed counts as taken: it stays with the process (see [`open`]).
#[must_use]
pub fn free_memory(device: &Device) -> Option<u64> {
    gpu::free_memory(device)
}

/// A line for each GPU that this machine has.
///
/// # Errors
///
/// What is missing, in one line, when there is none that can be used.
pub fn gpus() -> Result<Vec<String>> {
    gpu::list().map_err(Error::Device)
}

#[cfg(feature = "cuda")]
use crate::cuda::query as gpu;

#[cfg(not(feature = "cuda"))]
mod gpu {
    use candle_core::Device;

    const ABSENT: &str = "this binary was built without CUDA; build it with `cargo xtask build-cuda`";

    pub(super) fn open(_: Option<usize>) -> Result<(Device, String), String> {
        Err(ABSENT.into())
    }

    pub(super) fn list() -> Result<Vec<String>, String> {
        Err(ABSENT.into())
    }

    pub(super) fn free_memory(_: &Device) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{DeviceChoice, Precision, compute_dtype, free_memory, open};
    use candle_core::{DType, Device};

    #[test]
    fn choices_are_read_and_written() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::AnyCuda),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string(), text);
        }
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            assert!(text.parse::<DeviceChoice>().unwrap_err().contains("cuda:N"), "{text}");
        }
    }

    #[test]
    fn the_cpu_computes_in_f32_unless_told_otherwise() {
        let cpu = open(DeviceChoice::Cpu).unwrap();
        assert!(cpu.is_cpu());
        assert_eq!(compute_dtype(&cpu, None), DType::F32);
        assert_eq!(compute_dtype(&cpu, Some(Precision::Bf16)), DType::BF16);
        assert_eq!(free_memory(&Device::Cpu), None);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_cuda_a_gpu_is_an_error_and_auto_takes_the_cpu() {
        for choice in [DeviceChoice::AnyCuda, DeviceChoice::Cuda(0)] {
            let error = open(choice).unwrap_err().to_string();
            assert!(error.contains("cargo xtask build-cuda"), "{error}");
        }
        assert!(open(DeviceChoice::Auto).unwrap().is_cpu());
    }
}

//! The options of every verb that computes: where, and in which precision.

use crate::Result;
use crate::device::{self, DeviceChoice, Precision};
use candle_core::{DType, Device};
use clap::Args;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Device")]
pub(super) struct DeviceOptions {
    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto)]
    pub(super) device: DeviceChoice,
    /// Type of matrix products [default: bf16 on a GPU, f32 on the CPU]
    #[arg(long, value_enum)]
    pub(super) precision: Option<Precision>,
}

impl DeviceOptions {
    /// The device, opened, and the type to compute in.
    pub(super) fn open(&self) -> Result<(Device, DType)> {
        let device = device::open(self.device)?;
        let dtype = device::compute_dtype(&device, self.precision);
        Ok((device, dtype))
    }
}

//! `train devices`: what this machine offers to compute on.

use super::device::DeviceOptions;
use crate::{Result, device};
use clap::Args;

/// Shows the devices of this machine, and opens the one that --device asks for.
///
/// Exits with 1 when that is a GPU and none can be used.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    device: DeviceOptions,
}

pub(super) fn run(options: &Options) -> Result<()> {
    println!("cpu: {} threads", rayon::current_num_threads());
    match device::gpus() {
        Ok(gpus) => gpus.iter().for_each(|gpu| println!("{gpu}")),
        Err(reason) => println!("cuda: none; {reason}"),
    }
    let (_, dtype) = options.device.open()?;
    eprintln!("computing in {}", dtype.as_str());
    Ok(())
}

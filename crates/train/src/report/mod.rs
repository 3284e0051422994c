//! `train report`: the curves and figures of one or more runs as one HTML page that needs nothing else.

mod charts;
mod page;
pub mod retention;
mod run;
mod summary;

pub use charts::{Chart, MOST_POINTS, Series, charts};
pub use page::page;
pub use run::{Points, Run};
pub use summary::{BestHeldOut, Summary};

use crate::{Error, Result};
use std::path::Path;

/// Reads the runs in the order given. Two of the same name are told apart by their paths.
pub fn read(folders: &[impl AsRef<Path>]) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = folders.iter().map(|folder| Run::read(folder.as_ref())).collect::<Result<_>>()?;
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    for (run, folder) in runs.iter_mut().zip(folders) {
        if names.iter().filter(|name| **name == run.name).count() > 1 {
            run.name = folder.as_ref().display().to_string();
        }
    }
    match runs.is_empty() {
        true => Err(Error::Config("no run to report; name the output folder of one".into())),
        false => Ok(runs),
    }
}

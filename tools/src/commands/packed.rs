//! What the verbs that run a packed file share: the choice of instruction set, and room to work in.

use std::path::Path;

use distil_format::Artifact;
use distil_kernels::{Isa, Kernels};
use distil_runtime::{Model, Plan, Session, arena_len};

use crate::error::Error;

pub(super) use crate::eval::WINDOW;

/// Reads the name of an instruction set that this machine has.
pub(super) fn parse_isa(name: &str) -> Result<Isa, String> {
    let here = || Kernels::available().map(|kernels| kernels.isa().name()).collect::<Vec<_>>().join(", ");
    match name.parse::<Isa>() {
        Err(_) => Err(format!("unknown instruction set; this machine has: {}", here())),
        Ok(isa) if Kernels::with_isa(isa).is_err() => Err(format!("not available here; this machine has: {}", here())),
        Ok(isa) => Ok(isa),
    }
}

/// Reads the name of a memory plan.
pub(super) fn parse_plan(name: &str) -> Result<Plan, String> {
    match name {
        "large" => Ok(Plan::LARGE),
        "fast" => Ok(Plan::FAST),
        "small" => Ok(Plan::SMALL),
        _ => Err("use large, fast or small".to_owned()),
    }
}

/// Makes the model run on `isa`, or on the fastest instruction set of this machine.
pub(super) fn model<'a>(path: &Path, artifact: &'a Artifact<'a>, isa: Option<Isa>) -> Result<Model<'a>, Error> {
    let model = match isa {
        Some(isa) => Model::with_isa(artifact, isa),
        None => Model::new(artifact),
    };
    model.map_err(Error::model(path))
}

/// Room for texts as long as the model takes.
pub(super) fn arena(artifact: &Artifact<'_>) -> Vec<u8> {
    vec![0; arena_len(artifact, artifact.config().max_positions as usize, Plan::FAST)]
}

/// A session for texts as long as the model takes.
pub(super) fn session<'m>(model: &'m Model<'m>, arena: &'m mut [u8]) -> Result<Session<'m>, Error> {
    Ok(Session::new(model, arena, model.config().max_positions as usize)?)
}

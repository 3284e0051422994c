//! The tensors of a checkpoint: the student's beside the optimizer's.

use crate::model::{Model, write_tensors};
use crate::optim::AdamW;
use crate::qat::Grid;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;

/// The student's tensors, as in any model folder.
pub(super) const MODEL: &str = "model.safetensors";

/// The moments, trained tensors that are no part of the student, and the steps of a grid that outlast a step.
pub(super) const OPTIMIZER: &str = "optimizer.safetensors";

fn moments_of(name: &str) -> String {
    format!("moments/{name}")
}

fn extra(name: &str) -> String {
    format!("extra/{name}")
}

/// Prefix of a grid's steps.
const GRID: &str = "grid/";

/// Writes [`OPTIMIZER`].
pub(super) fn write_optimizer(path: &Path, student: &Model, optimizer: &AdamW) -> Result<()> {
    let model = student.parameters.all();
    let extras = student.parameters.trainable().filter(|(name, _)| !model.contains_key(name));
    let grid = student.grid().map(Grid::steps).transpose()?.unwrap_or_default();
    let tensors: Vec<(String, Tensor)> = optimizer
        .moments()
        .map(|(name, moments)| (moments_of(name), moments.clone()))
        .chain(extras.map(|(name, var)| (extra(name), var.as_tensor().clone())))
        .chain(grid.into_iter().map(|(name, tensor)| (format!("{GRID}{name}"), tensor)))
        .collect();
    let tensors: BTreeMap<&str, Tensor> = tensors.iter().map(|(name, t)| (name.as_str(), t.clone())).collect();
    write_tensors(path, &tensors)
}

/// Puts the tensors of both files back in place. `Err` says which does not fit.
pub(super) fn restore(
    model: &[u8],
    optimizer: &[u8],
    student: &Model,
    adamw: &mut AdamW,
    steps: usize,
) -> Result<(), String> {
    let open = |file: &str, bytes| SafeTensors::deserialize(bytes).map_err(|e| format!("{file}: {e}"));
    let (model_file, optimizer_file) = (open(MODEL, model)?, open(OPTIMIZER, optimizer)?);
    let mut all = student.parameters.all();
    for (name, var) in student.parameters.trainable() {
        let saved = match all.remove(name) {
            Some(tensor) => read(&model_file, name, &tensor),
            None => read(&optimizer_file, &extra(name), var.as_tensor()),
        };
        var.set(&saved?).map_err(|e| format!("tensor `{name}`: {e}"))?;
    }
    // What is left is frozen: it comes from the teacher or from another student, which has to be the same as before.
    for (name, tensor) in all {
        let saved = read(&model_file, name, &tensor)?;
        let bits = |t: &Tensor| -> candle_core::Result<Vec<u32>> {
            Ok(t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
        };
        if bits(&saved).map_err(|e| e.to_string())? != bits(&tensor).map_err(|e| e.to_string())? {
            return Err(format!("tensor `{name}` is not trained, and the run started from other values of it"));
        }
    }
    if let Some(grid) = student.grid() {
        let mut saved = BTreeMap::new();
        for (name, view) in optimizer_file.tensors() {
            if let Some(name) = name.strip_prefix(GRID) {
                let tensor = Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu);
                saved.insert(name.to_string(), tensor.map_err(|e| format!("tensor `{name}`: {e}"))?);
            }
        }
        grid.restore_steps(&saved).map_err(|e| e.to_string())?;
    }
    adamw
        .restore(steps, |name, current| read(&optimizer_file, &moments_of(name), current).map_err(Error::Data))
        .map_err(|e| e.to_string())
}

/// Puts the trained tensors of a student back in place, and leaves the optimizer alone.
pub(super) fn restore_model(model: &[u8], student: &Model) -> Result<(), String> {
    let file = SafeTensors::deserialize(model).map_err(|e| format!("{MODEL}: {e}"))?;
    let all = student.parameters.all();
    for (name, var) in student.parameters.trainable().filter(|(name, _)| all.contains_key(name)) {
        let saved = read(&file, name, var.as_tensor())?;
        var.set(&saved).map_err(|e| format!("tensor `{name}`: {e}"))?;
    }
    Ok(())
}

/// A saved tensor with the shape, type and place of `like`.
fn read(file: &SafeTensors, name: &str, like: &Tensor) -> Result<Tensor, String> {
    let view = file.tensor(name).map_err(|_| format!("no tensor `{name}`"))?;
    if view.shape() != like.dims() || view.dtype() != safetensors::Dtype::F32 {
        return Err(format!("tensor `{name}` is {:?} {:?}, not F32 {:?}", view.dtype(), view.shape(), like.dims()));
    }
    Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu)
        .and_then(|t| t.to_device(like.device())?.to_dtype(like.dtype()))
        .map_err(|e| format!("tensor `{name}`: {e}"))
}

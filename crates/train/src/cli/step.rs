//! `train step`: the losses and gradients of one given batch, for parity checks.

use super::device::DeviceOptions;
use crate::data::{Batch, vocabulary};
use crate::device::compute_dtype;
use crate::loss::{Objective, losses};
use crate::model::{Model, ModelFolder, write_tensors};
use crate::ops::{Dropout, differentiate};
use crate::recipe::HiddenMismatch;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Computes one training step on a given batch with dropout off and changes nothing.
///
/// The batch is a safetensors file with input_ids, attention_mask and labels (-100: no label), each [sequences, length].
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Teacher: a Hugging Face folder of a bert or distilbert masked LM
    #[arg(long, value_name = "DIR")]
    teacher: PathBuf,
    /// Student: likewise
    #[arg(long, value_name = "DIR")]
    student: PathBuf,
    /// The batch
    #[arg(long, value_name = "FILE.safetensors")]
    batch: PathBuf,
    /// Temperature of the soft targets
    #[arg(long, default_value_t = 2.0)]
    temperature: f64,
    /// Weight of the soft-target loss
    #[arg(long, default_value_t = 5.0)]
    alpha_ce: f64,
    /// Weight of the masked-LM loss
    #[arg(long, default_value_t = 2.0)]
    alpha_mlm: f64,
    /// Weight of the cosine loss
    #[arg(long, default_value_t = 1.0)]
    alpha_cos: f64,
    /// Weight of the squared differences of the logits
    #[arg(long, default_value_t = 0.0)]
    alpha_mse: f64,
    /// Writes the gradient of every parameter of the student under its Hugging Face name
    #[arg(long, value_name = "OUT.safetensors")]
    gradients: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let objective = Objective {
        alpha_ce: options.alpha_ce,
        alpha_mlm: options.alpha_mlm,
        alpha_cos: options.alpha_cos,
        alpha_mse: options.alpha_mse,
        temperature: options.temperature,
        soft_targets_on_masked_only: false,
    };
    objective.check()?;
    let (device, _) = options.device.open()?;
    // Compared with other programs' numbers: exact unless told otherwise.
    let dtype = compute_dtype(&Device::Cpu, options.device.precision);
    let teacher = ModelFolder::open(&options.teacher)?;
    let student = ModelFolder::open(&options.student)?;
    super::check_pair(&student.config, &teacher.config, &objective, HiddenMismatch::Error)?;
    if let (Some(mine), Some(theirs)) = (&student.vocabulary, &teacher.vocabulary)
        && let Some(difference) = vocabulary::compare(mine, theirs)
    {
        let reason = format!("its vocabulary is not the teacher's: {difference}");
        return Err(Error::file(&options.student, reason, "both need the same vocabulary"));
    }
    let batch = Batch::read(&options.batch)?;
    for folder in [&student, &teacher] {
        batch
            .check(&folder.config)
            .map_err(|reason| Error::file(&options.batch, reason, "use a batch made with this vocabulary"))?;
    }
    let teacher = Model::new(teacher.config.clone(), teacher.parameters(&device)?, dtype)?;
    let parameters = student.parameters(&device)?.train(&student.config, |_| false)?;
    let student = Model::new(student.config, parameters, dtype)?;

    let computed = || losses(&student, Some(&teacher), &batch, &objective, &mut Dropout::off());
    let losses = if let Some(path) = &options.gradients {
        let (mut grads, losses) = differentiate(|| computed().map(|losses| (losses.total.clone(), losses)))?;
        let mut tensors = BTreeMap::new();
        for (name, var) in student.parameters.trainable() {
            let gradient = match grads.remove(var) {
                Some(gradient) => gradient,
                None => var.zeros_like()?,
            };
            tensors.insert(name, gradient);
        }
        write_tensors(path, &tensors)?;
        losses
    } else {
        computed()?
    };
    let scalar = |t: &Tensor| -> Result<f64> { Ok(t.to_dtype(DType::F64)?.to_scalar::<f64>()?) };
    let (ce, mse) = (scalar(&losses.ce)?, scalar(&losses.mse)?);
    let (mlm, cos) = (scalar(&losses.mlm)?, scalar(&losses.cos)?);
    let total = scalar(&losses.total)?;
    if options.json {
        let out = json!({"loss_ce": ce, "loss_mlm": mlm, "loss_cos": cos, "loss_mse": mse, "loss": total});
        println!("{out}");
    } else {
        println!("loss_ce  {ce:.7}\nloss_mlm {mlm:.7}\nloss_cos {cos:.7}\nloss_mse {mse:.7}\nloss     {total:.7}");
    }
    if total.is_finite() { Ok(()) } else { Err(Error::NonFinite { what: "the loss", value: total, step: 1 }) }
}

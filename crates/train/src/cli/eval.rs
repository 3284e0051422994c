//! `train eval`: held-out figures of a model, alone or against its teacher.

use super::device::DeviceOptions;
use super::options::EVALUATION_SEED;
use super::qat::PackedOptions;
use crate::data::DataFolder;
use crate::eval::{EvaluationOptions, evaluate};
use crate::metrics::Progress;
use crate::model::{Model, ModelFolder};
use crate::recipe::MaskingConfig;
use crate::{Error, Result, hub};
use clap::Args;
use std::path::{Path, PathBuf};

/// Measures masked-LM loss and accuracy on held-out text, and with --teacher how close the model is to it.
///
/// Which tokens are masked depends on the data and the seed alone, so models can be compared. With `--qat` the model
/// computes as its packed file would; the teacher never does.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Model: a Hugging Face folder of a bert or distilbert masked LM
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Teacher to compare with
    #[arg(long, value_name = "DIR")]
    teacher: Option<PathBuf>,
    /// Prepared text with a held-out part
    #[arg(long, value_name = "DATA_DIR")]
    data: PathBuf,
    /// At most this many sequences, spread over the text; 0: all
    #[arg(long, value_name = "N", default_value_t = 0)]
    sequences: usize,
    /// Sequences in a batch (part of the masking)
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch_size: usize,
    /// Seed of the masking
    #[arg(long, default_value_t = EVALUATION_SEED)]
    seed: u64,
    #[command(flatten)]
    qat: PackedOptions,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let data = DataFolder::open(&hub::resolve(&options.data)?)?;
    let (device, dtype) = options.device.open()?;
    let open = |path: &Path| -> Result<ModelFolder> {
        let folder = ModelFolder::open(&hub::resolve(path)?)?;
        data.check_model(path, &folder)?;
        Ok(folder)
    };
    let folder = open(&options.model)?;
    let model = options.qat.model(folder.config.clone(), folder.parameters(&device)?, dtype)?;
    let teacher = match options.teacher.as_deref().map(open).transpose()? {
        Some(folder) => Some(Model::new(folder.config.clone(), folder.parameters(&device)?, dtype)?),
        None => None,
    };
    let held_out = data.held_out()?;
    let masker = data.masker(&MaskingConfig::UNIFORM);
    let evaluation = EvaluationOptions { batch_size: options.batch_size, limit: options.sequences, seed: options.seed };
    let total = match options.sequences {
        0 => held_out.len(),
        n => n.min(held_out.len()),
    };
    let mut progress = Progress::new(total as u64, "sequences");
    let mut done = 0;
    let figures = evaluate(&model, teacher.as_ref(), &held_out, &masker, evaluation, |n| {
        done += n as u64;
        progress.set(done, "");
    })?;
    progress.finish();
    if !figures.mlm_loss.is_finite() {
        return Err(Error::file(&options.model, "its loss is not finite", "train it again"));
    }
    if options.json {
        let text = serde_json::to_string(&figures).map_err(|e| Error::Data(e.to_string()))?;
        println!("{text}");
    } else {
        println!("{}", figures.text());
    }
    Ok(())
}

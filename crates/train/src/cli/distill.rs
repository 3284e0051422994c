//! `train distill`: a student from a teacher.

use super::device::DeviceOptions;
use super::options::{RecipeOptions, ReportingOptions};
use super::qat::QatOptions;
use super::student::StudentOptions;
use crate::comm::Joined;
use crate::data::DataFolder;
use crate::model::{Model, ModelFolder};
use crate::{Result, hub};
use clap::Args;
use std::path::PathBuf;

/// Distils a DistilBERT student from a BERT or DistilBERT teacher.
///
/// The student starts from layers of the teacher, spread evenly, and learns from the teacher's logits (alpha-ce), the masked
/// words (alpha-mlm) and the teacher's hidden states (alpha-cos). With `--alpha-ce 0 --alpha-cos 0` it learns by masked LM
/// alone and the teacher is not run.
///
/// With `--qat` the last steps are trained with the very values that `tools pack` will write, which is what int4 needs.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Teacher: a Hugging Face folder of a bert or distilbert masked LM
    #[arg(long, value_name = "DIR")]
    teacher: PathBuf,
    /// Prepared text
    #[arg(long, value_name = "DATA_DIR")]
    data: PathBuf,
    /// Output folder
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    student: StudentOptions,
    /// Weight of the soft-target loss
    #[arg(long, value_name = "WEIGHT", help_heading = "Losses")]
    alpha_ce: Option<f64>,
    /// Weight of the masked-LM loss
    #[arg(long, value_name = "WEIGHT", help_heading = "Losses")]
    alpha_mlm: Option<f64>,
    /// Weight of the cosine loss
    #[arg(long, value_name = "WEIGHT", help_heading = "Losses")]
    alpha_cos: Option<f64>,
    /// Weight of the squared differences of the logits
    #[arg(long, value_name = "WEIGHT", help_heading = "Losses")]
    alpha_mse: Option<f64>,
    /// Temperature of the soft targets
    #[arg(long, help_heading = "Losses")]
    temperature: Option<f64>,
    /// Takes the losses on the logits over masked tokens only
    #[arg(long, help_heading = "Losses")]
    soft_targets_on_masked_only: bool,
    #[command(flatten)]
    qat: QatOptions,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    reporting: ReportingOptions,
    #[command(flatten)]
    device: DeviceOptions,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let safety = (&options.reporting.safety, options.reporting.json);
    super::run::together(safety, &options.output, |joined| train(options, joined))
}

fn train(options: &Options, joined: &Joined) -> Result<()> {
    let mut recipe = options.recipe.recipe()?;
    let objective = &mut recipe.objective;
    objective.alpha_ce = options.alpha_ce.unwrap_or(objective.alpha_ce);
    objective.alpha_mlm = options.alpha_mlm.unwrap_or(objective.alpha_mlm);
    objective.alpha_cos = options.alpha_cos.unwrap_or(objective.alpha_cos);
    objective.alpha_mse = options.alpha_mse.unwrap_or(objective.alpha_mse);
    objective.temperature = options.temperature.unwrap_or(objective.temperature);
    objective.soft_targets_on_masked_only |= options.soft_targets_on_masked_only;
    options.student.apply(&mut recipe);
    recipe.qat = options.qat.apply(recipe.qat)?;
    recipe.check()?;

    let data = DataFolder::open(&hub::resolve(&options.data)?)?;
    let folder = ModelFolder::open(&hub::resolve(&options.teacher)?)?;
    data.check_model(&options.teacher, &folder)?;
    let (device, dtype) = options.device.open()?;
    let needs_teacher = recipe.objective.needs_teacher();
    let teacher = folder.parameters(&device).map_err(|e| e.if_out_of_memory("the teacher"))?;
    let student = options.student.build(&mut recipe, (&folder.config, &teacher), &data, (&device, dtype));
    let student = student.map_err(|e| e.if_out_of_memory("the student beside its teacher"))?;
    let teacher = Model::new(folder.config, teacher, dtype)?;
    let teacher = needs_teacher.then_some(&teacher);
    super::run::run(joined, (&student, teacher), &data, &recipe, &options.output, &options.reporting)
}

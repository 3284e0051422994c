//! `train distill`: a student from a teacher.

use super::options::{RecipeOptions, ReportingOptions};
use crate::data::DataFolder;
use crate::model::{
    Architecture, Model, ModelConfig, ModelFolder, Part, StudentPlan, random, spread_layers, student_from_teacher,
};
use crate::recipe::{Init, Recipe};
use crate::{Error, Result};
use candle_core::{DType, Device};
use clap::Args;
use std::path::PathBuf;

/// Distils a DistilBERT student from a BERT or DistilBERT teacher.
///
/// The student starts from layers of the teacher, spread evenly, and learns from the teacher's logits (alpha-ce), the masked
/// words (alpha-mlm) and the teacher's hidden states (alpha-cos). With `--alpha-ce 0 --alpha-cos 0` it learns by masked LM
/// alone and the teacher is not run.
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
    /// Layers of the student [default: half of the teacher's]
    #[arg(long, value_name = "N", help_heading = "Student")]
    student_layers: Option<usize>,
    /// Teacher layer for each student layer, such as 0,2,4,7,9,11
    #[arg(
        long,
        value_name = "LAYERS",
        value_delimiter = ',',
        conflicts_with = "student_layers",
        help_heading = "Student"
    )]
    layer_map: Option<Vec<usize>>,
    /// First values of the student [default: teacher]
    #[arg(long, value_enum, help_heading = "Student")]
    init: Option<Init>,
    /// Copies the teacher's masked-LM transform too
    #[arg(long, value_name = "BOOL", help_heading = "Student")]
    copy_transform: Option<bool>,
    /// Keeps the position embeddings as they are
    #[arg(long, value_name = "BOOL", help_heading = "Student")]
    freeze_positions: Option<bool>,
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
    recipe: RecipeOptions,
    #[command(flatten)]
    reporting: ReportingOptions,
}

pub(super) fn run(options: &Options) -> Result<()> {
    options.reporting.check_output(&options.output)?;
    let mut recipe = options.recipe.recipe()?;
    let objective = &mut recipe.objective;
    objective.alpha_ce = options.alpha_ce.unwrap_or(objective.alpha_ce);
    objective.alpha_mlm = options.alpha_mlm.unwrap_or(objective.alpha_mlm);
    objective.alpha_cos = options.alpha_cos.unwrap_or(objective.alpha_cos);
    objective.alpha_mse = options.alpha_mse.unwrap_or(objective.alpha_mse);
    objective.temperature = options.temperature.unwrap_or(objective.temperature);
    objective.soft_targets_on_masked_only |= options.soft_targets_on_masked_only;
    recipe.init = options.init.unwrap_or(recipe.init);
    recipe.copy_transform = options.copy_transform.unwrap_or(recipe.copy_transform);
    recipe.freeze_positions = options
        .freeze_positions
        // Random positions that never learn would be of no use.
        .unwrap_or(recipe.freeze_positions && recipe.init == Init::Teacher);
    recipe.check()?;

    let data = DataFolder::open(&options.data)?;
    let folder = ModelFolder::open(&options.teacher)?;
    data.check_model(&options.teacher, &folder)?;
    let device = Device::Cpu;
    let plan = StudentPlan { layers: layers(options, &recipe, &folder.config)?, copy_transform: recipe.copy_transform };
    recipe.layer_map = Some(plan.layers.clone());
    let config = ModelConfig {
        architecture: Architecture::DistilBert,
        layers: plan.layers.len(),
        type_vocab: 0,
        layer_norm_eps: 1e-12,
        dropout: recipe.dropout,
        attention_dropout: recipe.dropout,
        ..folder.config.clone()
    };
    let needs_teacher = recipe.objective.needs_teacher();
    let teacher = folder.parameters(&device)?;
    let parameters = match recipe.init {
        Init::Teacher => student_from_teacher(&config, &folder.config, &teacher, &plan, recipe.seed)?,
        Init::Random => random(&config, recipe.seed, &device)?,
    };
    let freeze = recipe.freeze_positions;
    let parameters = parameters.train(&config, |part| freeze && part == Part::Positions)?;
    let student = Model::new(config, parameters, DType::F32)?;
    let teacher = Model::new(folder.config, teacher, DType::F32)?;
    match recipe.init {
        Init::Teacher => eprintln!("student layers start from teacher layers {:?}", plan.layers),
        Init::Random => eprintln!("the student's {} layers start at random", plan.layers.len()),
    }
    let teacher = needs_teacher.then_some(&teacher);
    super::run::run(&student, teacher, &data, &recipe, &options.output, &options.reporting)
}

fn layers(options: &Options, recipe: &Recipe, teacher: &ModelConfig) -> Result<Vec<usize>> {
    let wrong =
        |reason: String| Err(Error::Config(format!("{reason}; the teacher has layers 0 to {}", teacher.layers - 1)));
    let saved = recipe.layer_map.as_ref().filter(|_| options.student_layers.is_none());
    if let Some(map) = options.layer_map.as_ref().or(saved) {
        if map.is_empty() {
            return wrong("the layer map is empty".into());
        }
        return match map.iter().find(|&&layer| layer >= teacher.layers) {
            Some(layer) => wrong(format!("--layer-map names layer {layer}")),
            None => Ok(map.clone()),
        };
    }
    let count = options.student_layers.unwrap_or((teacher.layers / 2).max(1));
    if count == 0 || count > teacher.layers {
        return wrong(format!("--student-layers is {count}"));
    }
    Ok(spread_layers(teacher.layers, count))
}

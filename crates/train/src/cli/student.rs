//! The student of `train distill`: its shape and where its first values come from.

use crate::data::DataFolder;
use crate::model::{
    Architecture, Model, ModelConfig, ModelFolder, Parameters, Part, StudentPlan, random, spread_layers,
    student_from_teacher,
};
use crate::recipe::{HiddenMismatch, Init, Recipe};
use crate::{Error, Result};
use candle_core::{DType, Device};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Student")]
pub(super) struct StudentOptions {
    /// Goes on with this student: a Hugging Face folder of a masked LM. Its shape and weights are taken as they are
    #[arg(long, value_name = "DIR", conflicts_with_all = ["student_config", "student_layers", "layer_map", "init", "copy_transform"])]
    student: Option<PathBuf>,
    /// Shape of the student, as a Hugging Face config.json; it starts at random
    #[arg(long, value_name = "FILE", conflicts_with_all = ["student_layers", "layer_map", "init", "copy_transform"])]
    student_config: Option<PathBuf>,
    /// Layers of the student [default: half of the teacher's]
    #[arg(long, value_name = "N")]
    student_layers: Option<usize>,
    /// Teacher layer for each student layer, such as 0,2,4,7,9,11
    #[arg(long, value_name = "LAYERS", value_delimiter = ',', conflicts_with = "student_layers")]
    layer_map: Option<Vec<usize>>,
    /// First values of the student [default: teacher]
    #[arg(long, value_enum)]
    init: Option<Init>,
    /// Copies the teacher's masked-LM transform too
    #[arg(long, value_name = "BOOL")]
    copy_transform: Option<bool>,
    /// Keeps the position embeddings as they are
    #[arg(long, value_name = "BOOL")]
    freeze_positions: Option<bool>,
    /// What to do when student and teacher have hidden states of different width [default: error]
    #[arg(long, value_enum)]
    hidden_mismatch: Option<HiddenMismatch>,
}

impl StudentOptions {
    /// Writes these options into the recipe.
    pub(super) fn apply(&self, recipe: &mut Recipe) {
        let at_random = self.student_config.is_some();
        recipe.init = if at_random { Init::Random } else { self.init.unwrap_or(recipe.init) };
        recipe.copy_transform = self.copy_transform.unwrap_or(recipe.copy_transform);
        recipe.hidden_mismatch = self.hidden_mismatch.unwrap_or(recipe.hidden_mismatch);
        recipe.freeze_positions = self
            .freeze_positions
            // Random positions that never learn would be of no use.
            .unwrap_or(recipe.freeze_positions && recipe.init == Init::Teacher);
    }

    /// Builds the student; the recipe learns the layer map. Says on standard error where it starts from.
    pub(super) fn build(
        &self,
        recipe: &mut Recipe,
        (teacher, teacher_parameters): (&ModelConfig, &Parameters),
        data: &DataFolder,
        (device, dtype): (&Device, DType),
    ) -> Result<Model> {
        let dropout =
            |config: ModelConfig| ModelConfig { dropout: recipe.dropout, attention_dropout: recipe.dropout, ..config };
        let (config, parameters) = if let Some(path) = &self.student {
            let folder = ModelFolder::open(path)?;
            data.check_model(path, &folder)?;
            recipe.layer_map = None;
            eprintln!("the student goes on from {}", path.display());
            (dropout(folder.config.clone()), folder.parameters(device)?)
        } else if let Some(path) = &self.student_config {
            let config = dropout(ModelConfig::read(path)?);
            data.check_positions(&config)?;
            recipe.layer_map = None;
            eprintln!("the student's {} layers start at random", config.layers);
            let parameters = random(&config, recipe.seed, device)?;
            (config, parameters)
        } else {
            let layers = self.layers(recipe, teacher)?;
            let config = dropout(ModelConfig {
                architecture: Architecture::DistilBert,
                layers: layers.len(),
                type_vocab: 0,
                layer_norm_eps: 1e-12,
                ..teacher.clone()
            });
            recipe.layer_map = Some(layers.clone());
            let parameters = match recipe.init {
                Init::Teacher => {
                    eprintln!("student layers start from teacher layers {layers:?}");
                    let plan = StudentPlan { layers, copy_transform: recipe.copy_transform };
                    student_from_teacher(&config, teacher, teacher_parameters, &plan, recipe.seed)?
                }
                Init::Random => {
                    eprintln!("the student's {} layers start at random", config.layers);
                    random(&config, recipe.seed, device)?
                }
            };
            (config, parameters)
        };
        super::check_pair(&config, teacher, &recipe.objective, recipe.hidden_mismatch)?;
        let freeze = recipe.freeze_positions;
        let parameters = parameters.train(&config, |part| freeze && part == Part::Positions)?;
        let mut student = match &recipe.qat {
            Some(qat) => Model::with_grid(config, parameters, dtype, qat.clone())?,
            None => Model::new(config, parameters, dtype)?,
        };
        if recipe.objective.alpha_cos > 0.0 && student.config.hidden != teacher.hidden {
            let (from, to) = (student.config.hidden, teacher.hidden);
            eprintln!("the student's hidden states ({from}) are projected to the teacher's width ({to})");
            student.project_hidden_to(teacher.hidden, recipe.seed)?;
        }
        Ok(student)
    }

    fn layers(&self, recipe: &Recipe, teacher: &ModelConfig) -> Result<Vec<usize>> {
        let wrong = |reason: String| {
            Err(Error::Config(format!("{reason}; the teacher has layers 0 to {}", teacher.layers - 1)))
        };
        let saved = recipe.layer_map.as_ref().filter(|_| self.student_layers.is_none());
        if let Some(map) = self.layer_map.as_ref().or(saved) {
            if map.is_empty() {
                return wrong("the layer map is empty".into());
            }
            return match map.iter().find(|&&layer| layer >= teacher.layers) {
                Some(layer) => wrong(format!("--layer-map names layer {layer}")),
                None => Ok(map.clone()),
            };
        }
        let count = self.student_layers.unwrap_or((teacher.layers / 2).max(1));
        if count == 0 || count > teacher.layers {
            return wrong(format!("--student-layers is {count}"));
        }
        Ok(spread_layers(teacher.layers, count))
    }
}

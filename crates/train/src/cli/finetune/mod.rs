//! `train finetune`: a model for a task, from any encoder.

mod files;
pub(super) mod glue;
mod load;
mod models;
mod recipe;
mod seeds;

use super::device::DeviceOptions;
use super::run::{Job, together, train_one};
use super::safety::{SafetyOptions, at_least_1};
use crate::comm::{self, Joined};
use crate::finetune::{Augment, ClassWeights, FinetuneCourse, Task};
use crate::recipe::Recipe;
use crate::trainer::{Reporting, Summary};
use crate::{Error, Result};
use clap::Args;
use load::Loaded;
use std::path::{Path, PathBuf};

/// Fine-tunes a bert or distilbert folder for a task, with or without a teacher.
///
/// The tasks of GLUE take its own files: `--task sst2 --data DIR` with train.tsv and dev.tsv in it. For data of one's own, the tasks
/// classification, regression and multi-label take .tsv, .csv or .jsonl files with named columns, and tokens takes CoNLL's columns (a
/// word and its label a line, an empty line after each sentence) or .jsonl files with lists. The model that is written is the
/// one with the best score on the held-out data; it loads in transformers, and `tools pack` packs it.
///
/// With `--teacher`, a model that was fine-tuned for the same task, the student learns from its scores as well; without `--model` the
/// student starts from layers of that teacher.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Model to start from: a Hugging Face folder of a bert or distilbert model, with any head or none
    #[arg(long, value_name = "DIR", required_unless_present = "teacher")]
    model: Option<PathBuf>,
    /// What to learn
    #[arg(long, value_enum)]
    task: Task,
    #[command(flatten)]
    files: files::FileOptions,
    /// Output folder
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    models: models::TeacherOptions,
    #[command(flatten)]
    recipe: recipe::RecipeOptions,
    #[command(flatten)]
    reporting: ReportingOptions,
    #[command(flatten)]
    device: DeviceOptions,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Reporting")]
struct ReportingOptions {
    /// Steps between lines in metrics.jsonl
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_1)]
    log_every: usize,
    /// Steps between held-out evaluations; 0: only at the end [default: once an epoch]
    #[arg(long, value_name = "N")]
    eval_every: Option<usize>,
    /// Prints a summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    safety: SafetyOptions,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let ReportingOptions { safety, json, .. } = &options.reporting;
    together((safety, *json), &options.output, |joined| {
        let seeds = options.recipe.seeds();
        let [_] = seeds[..] else {
            return seeds::run(options, &seeds, joined);
        };
        let summary = train(options, seeds[0], &options.output, joined)?;
        if let (Some(summary), true) = (summary, json) {
            println!("{}", serde_json::to_string(&summary).map_err(|e| Error::Data(e.to_string()))?);
        }
        Ok(())
    })
}

/// One run; rank 0 gets its summary.
fn train(options: &Options, seed: Option<u64>, out: &Path, joined: &Joined) -> Result<Option<Summary>> {
    let mut recipe = options.recipe.recipe(options.task, options.models.teacher.is_some())?;
    recipe.seed = seed.unwrap_or(recipe.seed);
    options.models.apply(&mut recipe)?;
    let files = options.files.find(options.task)?;
    let folders = models::Folders::open(options.model.as_deref(), options.models.teacher.as_deref())?;
    let vocabulary = folders.vocabulary()?;
    let finetune = recipe.finetune.clone().ok_or_else(|| Error::Config("no task in the recipe".into()))?;
    let labels = folders.labels(options.task)?;
    let Loaded { names, train: data, dev, sum } = match options.task {
        Task::Squad => load::questions(&files, &options.files, &finetune, &vocabulary)?,
        Task::Tokens => load::sentences(&files, &options.files, &finetune, labels, &vocabulary)?,
        _ => load::texts(&files, &options.files, &finetune, labels, &vocabulary)?,
    };
    let (device, dtype) = options.device.open()?;
    let models = models::build(&folders, &options.models, &mut recipe, &names, (&device, dtype))?;
    let finetune = recipe.finetune.clone().unwrap_or(finetune);
    let weights = finetune.class_weights.of(&data.targets, names.len())?;
    if finetune.class_weights != ClassWeights::Equal {
        let each: Vec<String> = names.iter().zip(&weights).map(|(name, w)| format!("{name} {w:.3}")).collect();
        comm::say(&format!("class weights: {}", each.join(", ")));
    }
    let (student, teacher) = (&models.student, models.teacher.as_ref());
    let augment = (finetune.augment > 0).then(|| Augment::new(finetune.augment, &vocabulary));
    let course = FinetuneCourse {
        student,
        teacher,
        config: &finetune,
        weights: &weights,
        train: &data,
        seed: recipe.seed,
        augment: augment.as_ref(),
        dev: &dev,
    };
    let job = Job {
        student,
        teacher,
        course: &course,
        recipe: &recipe,
        data: sum,
        vocabulary: (&vocabulary.bytes, vocabulary.lowercase),
        out,
        reporting: options.reporting.of(&recipe, data.len() * (1 + finetune.augment)),
        safety: &options.reporting.safety,
        keep_best: true,
    };
    let summary = train_one(joined, &job)?;
    if let Some(figures) = summary.as_ref().and_then(|summary| summary.held_out.as_ref()) {
        eprintln!("{} on held-out data: {}", options.task.title(), text(figures));
    }
    Ok(summary)
}

/// Figures in per cent, for people.
fn text(figures: &serde_json::Value) -> String {
    let figures = figures.as_object().into_iter().flatten();
    let each = figures.filter(|(name, _)| !name.starts_with("loss")).map(|(name, value)| match value.as_f64() {
        Some(value) => format!("{name} {:.2}", 100.0 * value),
        None => format!("{name} undefined"),
    });
    each.collect::<Vec<_>>().join(", ")
}

impl ReportingOptions {
    fn of(&self, recipe: &Recipe, examples: usize) -> Reporting {
        let epoch = examples.div_ceil(recipe.batch_size).div_ceil(recipe.accumulation);
        Reporting { log_every: self.log_every, eval_every: self.eval_every.unwrap_or(epoch) }
    }
}

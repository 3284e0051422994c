//! What `pretrain` and `distill` have in common once their models stand.

use super::options::ReportingOptions;
use super::{interrupt, resume, safety};
use crate::checkpoint::{Checkpoint, Identity, Keeper, Store};
use crate::comm::{self, Group};
use crate::data::{DataFolder, Dataset};
use crate::metrics::{EventFile, MetricsFile};
use crate::model::{Model, save};
use crate::optim::AdamW;
use crate::recipe::{MaskingConfig, Recipe};
use crate::trainer::{State, Summary, Trainer};
use crate::{Error, Result, device, files};
use std::path::Path;

/// Trains and writes the run folder: `recipe.json`, `run.json`, `metrics.jsonl`, `tensorboard/`, `checkpoints/`, the model as a Hugging
/// Face folder, and at the very end `summary.json`.
pub(super) fn run(
    student: &Model,
    teacher: Option<&Model>,
    data: &DataFolder,
    recipe: &Recipe,
    out: &Path,
    options: &ReportingOptions,
) -> Result<()> {
    let group = comm::from_environment(student.device())?;
    let result = in_group(&*group, (student, teacher), data, recipe, out, options);
    match &result {
        Ok(()) | Err(Error::Interrupted(_)) => {}
        Err(error) => {
            group.fail(&error.to_string());
            let store = Store::of(out);
            if let (0, Ok(Some(&step))) = (group.rank(), store.steps().as_deref().map(<[_]>::last)) {
                eprintln!(
                    "note: the last checkpoint is after step {step}; `train resume {}` goes on from it",
                    out.display()
                );
            }
        }
    }
    result
}

fn in_group(
    group: &dyn Group,
    (student, teacher): (&Model, Option<&Model>),
    data: &DataFolder,
    recipe: &Recipe,
    out: &Path,
    options: &ReportingOptions,
) -> Result<()> {
    let train = data.train()?;
    let held_out = if data.index.held_out.is_empty() { None } else { Some(data.held_out()?) };
    let (masker, held_out_masker) = (data.masker(&recipe.masking), data.masker(&MaskingConfig::UNIFORM));
    let mut trainer = Trainer {
        student,
        teacher,
        data: &train,
        held_out: held_out.as_ref(),
        masker: &masker,
        held_out_masker: &held_out_masker,
        recipe,
        reporting: options.reporting(),
        group,
        micro_tokens: options.safety.micro_tokens,
        free_memory: None,
        skip_non_finite: options.safety.skip_non_finite,
        stop: interrupt::listen(),
        keeper: None,
        folder: Some(out),
    };
    let keeper = Keeper {
        store: Store::of(out),
        policy: options.safety.policy(),
        identity: Identity::new(recipe, data, (&student.config, teacher), (trainer.total_steps(), group.world()))?,
        vocabulary: data.vocabulary.clone(),
        lowercase: data.index.lowercase,
    };
    trainer.keeper = Some(&keeper);
    let mut optimizer = AdamW::new(recipe.optimizer.clone(), student)
        .map_err(|e| e.if_out_of_memory("the state of the optimizer beside the models"))?;
    let found = if options.safety.resume { find(&keeper, group)? } else { None };
    let state = match &found {
        Some(checkpoint) => checkpoint.restore(&keeper.identity, student, &mut optimizer)?,
        None => State::default(),
    };
    trainer.free_memory = device::free_memory(student.device());
    let metrics = if group.rank() == 0 { Some(start(out, recipe, found.as_ref(), state.step)?) } else { None };
    drop(found);
    if group.rank() == 0 {
        announce(student, &train, &trainer, state.step);
    }
    let summary = trainer.run(state, optimizer, metrics)?;
    if group.rank() == 0 { finish(student, data, out, &summary, options.json) } else { Ok(()) }
}

/// The newest checkpoint, the same on every rank.
fn find(keeper: &Keeper, group: &dyn Group) -> Result<Option<Checkpoint>> {
    let found = if group.rank() == 0 { keeper.store.latest(|note| eprintln!("note: {note}"))? } else { None };
    let found = Checkpoint::share(found, group)?;
    if let (Some(found), 0) = (&found, group.rank()) {
        let (then, now) = (found.identity().world(), group.world());
        if then != now {
            eprintln!("note: the run was shared by {then} processes and now is by {now}: its last bits will differ");
        }
    }
    Ok(found)
}

/// Prepares the run folder; returns the metrics, cut back to what the checkpoint knows.
fn start(out: &Path, recipe: &Recipe, found: Option<&Checkpoint>, step: usize) -> Result<MetricsFile> {
    files::create_folder(out)?;
    let (metrics, events) = (out.join("metrics.jsonl"), out.join("tensorboard"));
    if let Some(checkpoint) = found {
        eprintln!("going on after step {step}, from {}", checkpoint.path.display());
        let metrics = MetricsFile::resume(&metrics, checkpoint.metrics_bytes)?;
        return Ok(metrics.with_events(EventFile::resume(&events, step)?));
    }
    files::remove(&safety::summary_file(out))?;
    Store::of(out).clear()?;
    recipe.write(&out.join("recipe.json"))?;
    resume::remember(out)?;
    Ok(MetricsFile::create(&metrics)?.with_events(EventFile::create(&events)?))
}

fn announce(student: &Model, train: &Dataset, trainer: &Trainer, done: usize) {
    let recipe = trainer.recipe;
    let (size, count, world) = (recipe.batch_size, recipe.accumulation, trainer.group.world());
    let shared = if world > 1 { format!(", shared by {world} processes") } else { String::new() };
    eprintln!(
        "{} parameters; {} sequences; {} steps; effective batch {} sequences ({count} x {size}{shared})",
        student.parameters.count(),
        train.len(),
        trainer.total_steps() - done,
        size * count,
    );
}

/// Writes the model, then the summary, which says that the run is finished.
fn finish(student: &Model, data: &DataFolder, out: &Path, summary: &Summary, json: bool) -> Result<()> {
    save(out, &student.config, &student.parameters, Some(&data.vocabulary), data.index.lowercase)?;
    let text = serde_json::to_string(summary).map_err(|e| Error::Data(e.to_string()))?;
    files::write(&safety::summary_file(out), format!("{text}\n").as_bytes())?;
    eprintln!(
        "{}: {} steps, {} tokens in {:.1} s ({:.0} tokens/s)",
        out.display(),
        summary.steps,
        summary.tokens,
        summary.seconds,
        summary.tokens_per_second
    );
    if summary.skipped > 0 {
        eprintln!("note: {} steps were left out because a loss or gradient was not finite", summary.skipped);
    }
    if json {
        println!("{text}");
    }
    Ok(())
}

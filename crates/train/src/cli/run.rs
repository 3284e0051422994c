//! What all verbs that train have in common once their models stand.

use super::options::ReportingOptions;
use super::safety::{self, Output, SafetyOptions};
use super::{interrupt, resume};
use crate::checkpoint::{Checkpoint, Identity, Keeper, Store, fingerprint};
use crate::comm::{self, Group, Joined};
use crate::data::DataFolder;
use crate::metrics::{EventFile, MetricsFile};
use crate::model::{Model, save};
use crate::optim::AdamW;
use crate::recipe::{MaskingConfig, Recipe};
use crate::trainer::{Course, MaskedCourse, MaskedTask, Reporting, State, Summary, Trainer};
use crate::{Error, Result, device, files};
use std::path::Path;

/// Does the work of a verb that trains, with the processes it was launched with. When it fails here, it fails everywhere.
pub(super) fn together(
    (safety, json): (&SafetyOptions, bool),
    out: &Path,
    work: impl FnOnce(&Joined) -> Result<()>,
) -> Result<()> {
    let joined = Joined::from_environment()?;
    let group = joined.group();
    let result = match check_output(group, (safety, json), out) {
        Ok(Output::Finished) => Ok(()),
        Ok(Output::Train) => work(&joined).inspect_err(|error| {
            if group.rank() == 0 && !matches!(error, Error::Interrupted(_)) {
                point_to_checkpoint(out);
            }
        }),
        Err(error) => Err(error),
    };
    if let Err(error) = &result
        && !matches!(error, Error::Interrupted(_))
    {
        group.fail(&error.to_string());
    }
    result
}

/// What can be done after a failure.
fn point_to_checkpoint(out: &Path) {
    if let Ok(Some(&step)) = Store::of(out).steps().as_deref().map(<[_]>::last) {
        eprintln!("note: the last checkpoint is after step {step}; `train resume {}` goes on from it", out.display());
    }
}

/// What rank 0 finds in the output folder: the others may not see it.
pub(super) fn check_output(group: &dyn Group, (safety, json): (&SafetyOptions, bool), out: &Path) -> Result<Output> {
    let found = if group.rank() == 0 { safety.check_output(out, json)? } else { Output::Train };
    let finished = group.broadcast(vec![u8::from(found == Output::Finished)])?;
    Ok(if finished == [1] { Output::Finished } else { Output::Train })
}

/// A run of a verb that trains.
#[derive(Debug)]
pub(super) struct Job<'a> {
    /// The model that is trained.
    pub(super) student: &'a Model,
    /// The one it learns from.
    pub(super) teacher: Option<&'a Model>,
    /// What it is trained on.
    pub(super) course: &'a dyn Course,
    /// All values.
    pub(super) recipe: &'a Recipe,
    /// Checksum of the data.
    pub(super) data: String,
    /// `vocab.txt`, and whether text is lower-cased.
    pub(super) vocabulary: (&'a [u8], bool),
    /// Output folder.
    pub(super) out: &'a Path,
    /// When to report.
    pub(super) reporting: Reporting,
    /// Checkpoints and the like.
    pub(super) safety: &'a SafetyOptions,
    /// Whether the model that is written is the one with the best held-out figures; else the last one.
    pub(super) keep_best: bool,
}

/// Trains on masked text.
pub(super) fn run(
    joined: &Joined,
    (student, teacher): (&Model, Option<&Model>),
    data: &DataFolder,
    recipe: &Recipe,
    out: &Path,
    options: &ReportingOptions,
) -> Result<()> {
    let train = data.train()?;
    let held_out = if data.index.held_out.is_empty() { None } else { Some(data.held_out()?) };
    let (masker, held_out_masker) = (data.masker(&recipe.masking), data.masker(&MaskingConfig::UNIFORM));
    let course = MaskedCourse {
        task: MaskedTask { student, teacher, objective: &recipe.objective },
        data: &train,
        held_out: held_out.as_ref(),
        masker: &masker,
        held_out_masker: &held_out_masker,
        seed: recipe.seed,
        evaluation: options.evaluation(),
    };
    let index = serde_json::to_string(&data.index).map_err(|e| Error::Config(e.to_string()))?;
    let job = Job {
        student,
        teacher,
        course: &course,
        recipe,
        data: files::sha256(index.as_bytes()),
        vocabulary: (&data.vocabulary, data.index.lowercase),
        out,
        reporting: options.reporting(),
        safety: &options.safety,
        keep_best: false,
    };
    let summary = train_one(joined, &job)?;
    if let (Some(summary), true) = (summary, options.json) {
        println!("{}", text(&summary)?);
    }
    Ok(())
}

fn text(summary: &Summary) -> Result<String> {
    serde_json::to_string(summary).map_err(|e| Error::Data(e.to_string()))
}

/// Trains and writes the run folder: `recipe.json`, `run.json`, `metrics.jsonl`, `tensorboard/`, `checkpoints/`, the model as a Hugging
/// Face folder, and at the very end `summary.json`. Rank 0 gets the summary.
pub(super) fn train_one(joined: &Joined, job: &Job<'_>) -> Result<Option<Summary>> {
    let Job { student, recipe, out, safety, .. } = *job;
    let group = &*joined.on_device(student.device())?;
    let mut trainer = Trainer {
        student,
        course: job.course,
        recipe,
        reporting: job.reporting,
        group,
        micro_tokens: safety.micro_tokens,
        free_memory: None,
        skip_non_finite: safety.skip_non_finite,
        stop: interrupt::listen(),
        keeper: None,
        folder: Some(out),
    };
    let (vocabulary, lowercase) = job.vocabulary;
    let sums = (job.data.clone(), files::sha256(vocabulary));
    let keeper = Keeper {
        store: Store::of(out),
        policy: safety.policy(),
        identity: Identity::new(recipe, sums, (&student.config, job.teacher), (trainer.total_steps(), group.world()))?,
        vocabulary: vocabulary.to_vec(),
        lowercase,
    };
    trainer.keeper = Some(&keeper);
    if group.world() > 1 {
        let json = |text: serde_json::Result<String>| text.map_err(|e| Error::Config(e.to_string()));
        comm::agree(group, "recipe", &json(serde_json::to_string(recipe))?)?;
        comm::agree(group, "run", &json(serde_json::to_string(&keeper.identity))?)?;
        comm::agree(group, "initial student", &fingerprint(student)?)?;
    }
    let mut optimizer = AdamW::new(recipe.optimizer.clone(), student)
        .map_err(|e| e.if_out_of_memory("the state of the optimizer beside the models"))?;
    let found = if safety.resume { find(&keeper, group)? } else { None };
    let state = match &found {
        Some(checkpoint) => checkpoint.restore(&keeper.identity, student, &mut optimizer)?,
        None => State::default(),
    };
    trainer.free_memory = device::free_memory(student.device());
    let mut claim = None;
    let metrics = if group.rank() == 0 {
        files::create_folder(out)?;
        claim = files::claim_folder(out)?;
        Some(start(out, recipe, found.as_ref(), state.step)?)
    } else {
        None
    };
    drop(found);
    if group.rank() == 0 {
        announce(student, &trainer, state.step);
    }
    let mut summary = trainer.run(state, optimizer, metrics)?;
    check_weights(group, student)?;
    if group.rank() == 0 {
        finish(job, &keeper.store, &mut summary)?;
    }
    drop(claim);
    // Whoever started the processes learns of a failure to write from all of them.
    group.barrier()?;
    Ok((group.rank() == 0).then_some(summary))
}

/// Fails when a rank's weights have gone another way: every rank took the same steps from the same start.
fn check_weights(group: &dyn Group, student: &Model) -> Result<()> {
    if group.world() == 1 {
        return Ok(());
    }
    match comm::differs(group, &fingerprint(student)?)? {
        None => Ok(()),
        Some((rank, _)) => Err(Error::Group(format!(
            "the weights of rank {rank} are not those of rank 0 any more, though both took the same steps: a fault of \
             its machine or GPU; the model is not written"
        ))),
    }
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

fn announce(student: &Model, trainer: &Trainer, done: usize) {
    let recipe = trainer.recipe;
    let (size, count, world) = (recipe.batch_size, recipe.accumulation, trainer.group.world());
    let shared = if world > 1 { format!(", shared by {world} processes") } else { String::new() };
    eprintln!(
        "{} parameters; {} sequences; {} steps; effective batch {} sequences ({count} x {size}{shared})",
        student.parameters.count(),
        trainer.course.lengths().len(),
        trainer.total_steps() - done,
        size * count,
    );
}

/// Writes the model, then the summary, which says that the run is finished.
fn finish(job: &Job<'_>, store: &Store, summary: &mut Summary) -> Result<()> {
    let Job { student, out, vocabulary: (vocabulary, lowercase), .. } = *job;
    if job.keep_best
        && let Some(best) = summary.best_step.filter(|&best| best != summary.steps)
    {
        store.best_of(best)?.put_back(student)?;
        student.settle_grid()?;
        summary.held_out = job.course.judge()?.map(|judgement| judgement.figures);
        eprintln!("the model is that of step {best}, which had the best held-out figures");
    }
    save(out, &student.config, &student.parameters, Some(vocabulary), lowercase)?;
    files::write(&safety::summary_file(out), format!("{}\n", text(summary)?).as_bytes())?;
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
    Ok(())
}

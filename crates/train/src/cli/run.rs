//! What `pretrain` and `distill` have in common once their models stand.

use super::options::ReportingOptions;
use crate::data::DataFolder;
use crate::metrics::{EventFile, MetricsFile};
use crate::model::{Model, save};
use crate::recipe::{MaskingConfig, Recipe};
use crate::trainer::Trainer;
use crate::{Result, files};
use std::path::Path;

/// Trains and writes the run folder: `recipe.json`, `metrics.jsonl`, `tensorboard/`, and the model as a Hugging Face folder.
pub(super) fn run(
    student: &Model,
    teacher: Option<&Model>,
    data: &DataFolder,
    recipe: &Recipe,
    out: &Path,
    options: &ReportingOptions,
) -> Result<()> {
    files::create_folder(out)?;
    recipe.write(&out.join("recipe.json"))?;
    let events = EventFile::create(&out.join("tensorboard"))?;
    let mut metrics = MetricsFile::create(&out.join("metrics.jsonl"))?.with_events(events);
    let train = data.train()?;
    let held_out = if data.index.held_out.is_empty() { None } else { Some(data.held_out()?) };
    let masker = data.masker(&recipe.masking);
    let held_out_masker = data.masker(&MaskingConfig::UNIFORM);
    let trainer = Trainer {
        student,
        teacher,
        data: &train,
        held_out: held_out.as_ref(),
        masker: &masker,
        held_out_masker: &held_out_masker,
        recipe,
        reporting: options.reporting(),
    };
    eprintln!(
        "{} parameters; {} sequences; {} steps of {} sequences (batches of {} x {})",
        student.parameters.count(),
        train.len(),
        trainer.total_steps(),
        recipe.batch_size * recipe.accumulation,
        recipe.batch_size,
        recipe.accumulation,
    );
    let summary = trainer.run(&mut metrics)?;
    let lowercase = data.index.lowercase;
    save(out, &student.config, &student.parameters, Some(&data.vocabulary), lowercase)?;
    eprintln!(
        "{}: {} steps, {} tokens in {:.1} s ({:.0} tokens/s)",
        out.display(),
        summary.steps,
        summary.tokens,
        summary.seconds,
        summary.tokens_per_second
    );
    if options.json {
        let text = serde_json::to_string(&summary).map_err(|e| crate::Error::Data(e.to_string()))?;
        println!("{text}");
    }
    Ok(())
}

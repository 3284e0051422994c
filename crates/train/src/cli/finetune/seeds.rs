//! Several runs that differ in their seed alone.

use super::{Options, train};
use crate::cli::resume;
use crate::cli::run::check_output;
use crate::cli::safety::{Output, summary_file};
use crate::comm::Joined;
use crate::finetune::metrics::Spread;
use crate::{Error, Result, files};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Runs one seed after another, in folders of their own; writes the best one's model and what they came to.
pub(super) fn run(options: &Options, seeds: &[Option<u64>], joined: &Joined) -> Result<()> {
    let seeds: Vec<u64> = seeds.iter().copied().flatten().collect();
    let (out, group) = (&options.output, joined.group());
    if let Some(seed) = seeds.iter().enumerate().find_map(|(i, seed)| seeds[..i].contains(seed).then_some(seed)) {
        return Err(Error::Config(format!("--seeds names {seed} twice")));
    }
    let mut claim = None;
    if group.rank() == 0 {
        files::create_folder(out)?;
        claim = files::claim_folder(out)?;
        files::remove(&summary_file(out))?;
        resume::remember(out)?;
    }
    for &seed in &seeds {
        let folder = folder(out, seed);
        if group.rank() == 0 {
            eprintln!("seed {seed}: {}", folder.display());
        }
        let safety = (&options.reporting.safety, false);
        if check_output(group, safety, &folder)? == Output::Train {
            train(options, Some(seed), &folder, joined)?;
        }
    }
    if group.rank() == 0 {
        finish(out, &seeds, options.reporting.json)?;
    }
    drop(claim);
    group.barrier()
}

fn folder(out: &Path, seed: u64) -> PathBuf {
    out.join(format!("seed-{seed}"))
}

/// Writes the model with the best score, and `summary.json`.
fn finish(out: &Path, seeds: &[u64], json: bool) -> Result<()> {
    let mut runs = vec![];
    for &seed in seeds {
        let path = summary_file(&folder(out, seed));
        let summary: Value = serde_json::from_slice(&files::read(&path)?)
            .map_err(|e| Error::file(&path, e, "start again with --overwrite"))?;
        runs.push((seed, summary["held_out"].clone()));
    }
    let score = |figures: &Value| figures["score"].as_f64();
    let scores: Vec<f64> = runs.iter().filter_map(|(_, figures)| score(figures)).collect();
    // The first of equals; without held-out data the first of all.
    let best = runs.iter().rev().max_by(|a, b| {
        let of = |run: &(u64, Value)| score(&run.1).unwrap_or(f64::NEG_INFINITY);
        of(a).total_cmp(&of(b))
    });
    let best = best.map_or(seeds[0], |(seed, _)| *seed);
    for name in ["vocab.txt", "tokenizer_config.json", "model.safetensors", "config.json"] {
        files::write(&out.join(name), &files::read(&folder(out, best).join(name))?)?;
    }
    let spread = (!scores.is_empty()).then(|| Spread::of(&scores));
    let each: Vec<Value> = runs.iter().map(|(seed, figures)| json!({"seed": seed, "held_out": figures})).collect();
    let summary = json!({"seeds": each, "score": spread, "best_seed": best});
    files::write(&summary_file(out), format!("{summary}\n").as_bytes())?;
    if let Some(spread) = spread {
        eprintln!(
            "{} seeds: median score {:.2}, mean {:.2} +- {:.2}, from {:.2} to {:.2}; {} is the model of seed {best}",
            scores.len(),
            100.0 * spread.median,
            100.0 * spread.mean,
            100.0 * spread.deviation,
            100.0 * spread.lowest,
            100.0 * spread.highest,
            out.display()
        );
    }
    if json {
        println!("{summary}");
    }
    Ok(())
}

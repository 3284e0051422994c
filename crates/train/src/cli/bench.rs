//! `train bench`: the speed of a distillation step.

use super::device::DeviceOptions;
use crate::data::Batch;
use crate::device::free_memory;
use crate::model::{Architecture, Model, ModelConfig, random};
use crate::ops::{IGNORE, trace};
use crate::recipe::{Preset, Recipe};
use crate::rng::{Purpose, stream};
use crate::trainer::{Bench, MaskedTask};
use crate::{Error, Result};
use candle_core::{DType, Device};
use clap::Args;
use rand::Rng;
use serde_json::{Value, json};
use std::time::Instant;

/// Measures a distillation step on random weights and random batches of full length: BERT-base and its DistilBERT student.
///
/// Speed depends neither on the weights nor on the words. Of the tokens, 15% are labelled. Prints one line of JSON: the median time of a
/// step, tokens a second, and the model's floating-point operations a second, of which the backward pass counts twice.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Length of the sequences
    #[arg(long, value_name = "N", default_value_t = 128)]
    tokens: usize,
    /// Sequences in a batch
    #[arg(long, value_name = "N", default_value_t = 256)]
    batch: usize,
    /// Steps measured, after some to warm up
    #[arg(long, value_name = "N", default_value_t = 30)]
    steps: usize,
    /// Steps to warm up
    #[arg(long, value_name = "N", default_value_t = 5)]
    warmup: usize,
    /// A teacher of 4 layers of 128 instead of BERT-base
    #[arg(long)]
    tiny: bool,
    /// At most this many tokens at once
    #[arg(long, value_name = "N", conflicts_with = "sweep")]
    micro_tokens: Option<usize>,
    /// Tries micro-batches of 1, 2, 4, ... sequences and prints the fastest; the peak of memory is that of all so far
    #[arg(long)]
    sweep: bool,
    /// Adds the launches, bytes and operations that a step takes on a GPU, counted from shapes on any machine
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let (teacher, student) = shapes(options.tiny);
    if options.tokens == 0 || options.tokens > teacher.max_positions || options.batch == 0 || options.steps == 0 {
        return Err(Error::Config(format!(
            "--tokens must lie between 1 and {}, --batch and --steps must be at least 1",
            teacher.max_positions
        )));
    }
    let (device, dtype) = options.device.open()?;
    let at_start = free_memory(&device);
    let recipe = Recipe::preset(Preset::Distilbert);
    let frozen = random(&teacher, 1, &device)?;
    let trained = random(&student, 2, &device)?.train(&student, |_| false)?;
    let teacher = Model::new(teacher, frozen, dtype)?;
    let student = Model::new(student, trained, dtype)?;
    let measured = |micro| measure(options, (&student, &teacher), &recipe, micro, at_start);
    let mut best = measured(options.micro_tokens.or(options.sweep.then_some(options.tokens)))?;
    let mut sequences = 1;
    while options.sweep && sequences < options.batch {
        sequences = (2 * sequences).min(options.batch);
        let next = measured(Some(sequences * options.tokens))?;
        eprintln!("{next}");
        if next["tokens_per_s"].as_u64() > best["tokens_per_s"].as_u64() {
            best = next;
        }
    }
    if options.trace {
        best["trace"] = traced(options, (&student, &teacher), &recipe, best["micro_tokens"].as_u64())?;
    }
    best["device"] = device_name(&device).into();
    best["precision"] = if dtype == DType::BF16 { "bf16" } else { "f32" }.into();
    println!("{best}");
    Ok(())
}

/// Teacher and student: BERT-base and DistilBERT, or small ones.
fn shapes(tiny: bool) -> (ModelConfig, ModelConfig) {
    let (hidden, layers, heads) = if tiny { (128, 4, 2) } else { (768, 12, 12) };
    let teacher = ModelConfig {
        architecture: Architecture::Bert,
        vocab_size: 30_522,
        hidden,
        layers,
        heads,
        intermediate: 4 * hidden,
        max_positions: 512,
        type_vocab: 2,
        layer_norm_eps: 1e-12,
        dropout: 0.1,
        attention_dropout: 0.1,
        initializer_range: 0.02,
        pad_id: 0,
        head: crate::model::Head::MaskedLm,
    };
    let student =
        ModelConfig { architecture: Architecture::DistilBert, layers: layers / 2, type_vocab: 0, ..teacher.clone() };
    (teacher, student)
}

fn measure(
    options: &Options,
    (student, teacher): (&Model, &Model),
    recipe: &Recipe,
    micro: Option<usize>,
    at_start: Option<u64>,
) -> Result<Value> {
    let task = MaskedTask { student, teacher: Some(teacher), objective: &recipe.objective };
    let mut bench = Bench::new((student, &task), recipe, micro, free_memory(student.device()))?;
    let (mut seconds, mut loss) = (Vec::with_capacity(options.steps), f64::NAN);
    for step in 0..options.warmup + options.steps {
        let batch = random_batch(options, student.config.vocab_size as u32, step as u64);
        let begun = Instant::now();
        loss = bench.step(batch)?;
        if step >= options.warmup {
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let rows = options.batch * options.tokens;
    let forward = |model: &Model| 2.0 * multiply_adds(&model.config, options.tokens) * rows as f64;
    let flop = forward(teacher) + 3.0 * forward(student);
    let round = |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
    Ok(json!({
        "batch": options.batch,
        "tokens": options.tokens,
        "micro_tokens": bench.micro_tokens(),
        "step_ms": round(1e3 * median, 2),
        "tokens_per_s": (rows as f64 / median).round() as u64,
        "model_tflops": round(flop / median / 1e12, 3),
        "peak_gb": peak(student.device(), at_start).map(|bytes| round(bytes as f64 / 1e9, 2)),
        "loss": round(loss, 3),
    }))
}

/// Multiply-adds of a forward pass for each token, the masked-LM head over all tokens included.
fn multiply_adds(config: &ModelConfig, tokens: usize) -> f64 {
    let (h, i) = (config.hidden, config.intermediate);
    let layer = 4 * h * h + 2 * h * i + 2 * tokens * h;
    (config.layers * layer + h * h + h * config.vocab_size) as f64
}

fn random_batch(options: &Options, vocabulary: u32, index: u64) -> Batch {
    let mut rng = stream(0, Purpose::Evaluation, index);
    let rows = options.batch * options.tokens;
    let ids: Vec<u32> = (0..rows).map(|_| rng.random_range(1000..vocabulary)).collect();
    let labels = ids.iter().map(|&id| if rng.random_bool(0.15) { id } else { IGNORE }).collect();
    let positions = (0..options.batch).flat_map(|_| 0..options.tokens as u32).collect();
    Batch { ids, positions, labels, lengths: vec![options.tokens; options.batch], ..Batch::default() }
}

/// Most memory in use so far: of the process on the CPU, of the device on a GPU, whose freed memory stays with the process.
fn peak(device: &Device, at_start: Option<u64>) -> Option<u64> {
    if !device.is_cpu() {
        return Some(at_start?.saturating_sub(free_memory(device)?));
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// Counts of one step by operation, and their sums: in micro-batches where the step was measured so, else in one piece.
fn traced(
    options: &Options,
    (student, teacher): (&Model, &Model),
    recipe: &Recipe,
    micro_tokens: Option<u64>,
) -> Result<Value> {
    let rows = micro_tokens.map_or(options.batch * options.tokens, |rows| rows as usize);
    let task = MaskedTask { student, teacher: Some(teacher), objective: &recipe.objective };
    let mut bench = Bench::new((student, &task), recipe, Some(rows), None)?;
    let counting = trace::start();
    bench.step(random_batch(options, student.config.vocab_size as u32, 0))?;
    drop(counting);
    let entries = trace::take();
    let sum = |f: fn(&trace::Entry) -> u64| entries.iter().map(f).sum::<u64>();
    let operations: Vec<Value> = entries
        .iter()
        .map(|e| {
            let pass = format!("{:?}", e.pass).to_lowercase();
            json!({"op": e.op, "pass": pass, "launches": e.launches, "bytes": e.bytes, "flops": e.flops})
        })
        .collect();
    Ok(json!({
        "launches": sum(|e| e.launches),
        "bytes": sum(|e| e.bytes),
        "flops": sum(|e| e.flops),
        "operations": operations,
    }))
}

fn device_name(device: &Device) -> &'static str {
    if device.is_cpu() { "cpu" } else { "cuda" }
}

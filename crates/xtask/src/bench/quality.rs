//! `bench quality`: what is left of a task in packed files, beside their bytes and the instructions of a text.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Outcome;
use super::instructions::checked;
use super::place;
use super::programs::{inspected, json, number, tools};
use super::scatter::{Panel, Point, svg};
use super::subjects::check_file;
use super::table::{Table, digits, grouped};
use crate::firmware::{self, Launch, Machine};

/// Arguments of `bench quality`.
#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// Packed files, the first of them the one that the others are compared with
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The task, as `tools eval` has it
    #[arg(long)]
    task: String,
    /// Its held-out data
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The number to show, a name in the JSON of `tools eval`
    #[arg(long, default_value = "accuracy")]
    metric: String,
    /// Judges on the first N examples only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Length of the text whose instructions are counted
    #[arg(long, default_value_t = 32)]
    tokens: usize,
    /// Processor to count on
    #[arg(long, default_value = "cortex-a53")]
    cpu: String,
    /// Also draw both plots
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
}

/// A file, measured.
struct Measured {
    name: String,
    bytes: u64,
    quality: f64,
    instructions: u64,
}

/// Runs the command.
pub(super) fn measure(args: &Args, command: &str) -> Result<Outcome> {
    let machine = Machine::named("qemu-a64")?;
    firmware::build(machine)?;
    let files = args.files.iter().map(|file| one(args, machine, file)).collect::<Result<Vec<_>>>()?;
    let head = ["file", "bytes", &args.metric, "of the first", "M instructions", "of the first"];
    let mut table = Table::new(format!("{}, packed", args.task), command, &head);
    table.rows = files.iter().map(|file| row(file, &files[0])).collect();
    table.notes.push(format!(
        "{} in per cent; instructions of a text of {} tokens on an emulated {} ({}), one core, every bit the host's.",
        args.metric,
        args.tokens,
        args.cpu,
        place::version("qemu-system-aarch64"),
    ));
    if let Some(path) = &args.svg {
        let text = svg(&format!("{}: {} (%)", args.task, args.metric), &panels(args, &files));
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(Outcome { tables: vec![table], measured: Vec::new() })
}

fn one(args: &Args, machine: &Machine, file: &Path) -> Result<Measured> {
    let mut eval = tools("eval")?;
    eval.arg(std::path::absolute(file)?).args(["--task", &args.task, "--json", "--data"]);
    eval.arg(std::path::absolute(&args.data)?);
    if let Some(limit) = args.limit {
        eval.args(["--limit", &limit.to_string()]);
    }
    let quality = 100.0 * number(&json(&mut eval)?, &args.metric)?;
    let file = std::path::absolute(file)?;
    let check = check_file(&file, &[args.tokens])?;
    let launch =
        Launch { model: Some(&file), check: Some(&check), cpu: Some(&args.cpu), cores: Some(1), ..Launch::default() };
    let run = checked(machine.launch(&launch)?, &[args.tokens])?;
    let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = number(&inspected(&file)?, "bytes")? as u64;
    Ok(Measured { name, bytes, quality, instructions: run.instructions().iter().sum() })
}

fn row(file: &Measured, first: &Measured) -> Vec<String> {
    vec![
        file.name.clone(),
        grouped(file.bytes),
        format!("{:.2}", file.quality),
        format!("{:.2}%", 100.0 * file.quality / first.quality),
        digits(file.instructions as f64 / 1e6),
        format!("{:.1}%", 100.0 * file.instructions as f64 / first.instructions as f64),
    ]
}

fn panels(args: &Args, files: &[Measured]) -> [Panel; 2] {
    let points = |across: fn(&Measured) -> f64| {
        files.iter().map(|file| Point { name: file.name.clone(), x: across(file), y: file.quality }).collect()
    };
    [
        Panel { across: "megabytes".into(), points: points(|file| file.bytes as f64 / 1e6) },
        Panel {
            across: format!("million instructions for {} tokens, {}", args.tokens, args.cpu),
            points: points(|file| file.instructions as f64 / 1e6),
        },
    ]
}

//! `tools diff`: what is different in two packed files.

use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::{bytes, json_line, progress};
use crate::diff::{FieldReport, FileReport, Report, Stored, TensorReport};
use crate::error::Error;
use crate::files::{open, read_aligned};

const DETAILS: &str = "\
Compares configuration, labels, tensors, vocabulary and manifest. A tensor is shown with its type, layout and size in \
both files, and with the difference of its values: |B - A| / |A| over the whole tensor, and of the row where it is \
largest.

Exit codes as those of diff: 0 both files have the same bytes, 1 they differ, 2 one of them is unusable.";

/// Manifest fields of tensors that are shown: the JSON has all.
const SHOWN: usize = 5;

/// Characters of a value that are shown.
const LONGEST: usize = 80;

/// Arguments of `tools diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    a: PathBuf,
    /// Packed file to compare with it
    b: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let (bytes_a, bytes_b) = (read_aligned(&self.a)?, read_aligned(&self.b)?);
        let (a, b) = (open(&self.a, &bytes_a)?, open(&self.b, &bytes_b)?);
        let files = [(&self.a, &a), (&self.b, &b)];
        let files = files.map(|(path, artifact)| FileReport::new(path.display().to_string(), artifact));
        let bar = progress("comparing tensors", a.config().tensor_count());
        let report = Report::new(files, &a, &b, || bar.inc(1));
        bar.finish_and_clear();
        let printed = if self.json { json_line(out, &report) } else { print(&report, out) };
        // Whether somebody still reads it or not: the files differ.
        if report.same { printed } else { Err(Error::Different) }
    }
}

fn print(report: &Report, out: &mut dyn Write) -> Result<(), Error> {
    let Report { same, a, b, same_tensors, .. } = report;
    if *same {
        return Ok(writeln!(out, "{} and {} have the same bytes", a.file, b.file)?);
    }
    for (mark, FileReport { file, bytes: size, checksum }) in [("A", a), ("B", b)] {
        writeln!(out, "{mark}: {file}, {}, checksum {checksum}", bytes(*size))?;
    }
    if report.parts_agree() {
        return Ok(writeln!(out, "every part is the same; only the writing of the manifest differs")?);
    }
    report.config.iter().try_for_each(|field| print_field("config", field, out))?;
    report.labels.iter().try_for_each(|field| print_field("label", field, out))?;
    if !report.tensors.is_empty() {
        writeln!(out, "\n{:<34} {:>27} {:>27} {:>10} {:>18}", "tensor", "A", "B", "difference", "worst row")?;
        report.tensors.iter().try_for_each(|tensor| print_tensor(tensor, out))?;
        writeln!(out, "{same_tensors} other tensors are the same")?;
    }
    if let Some(vocabulary) = &report.vocabulary {
        let (a, b) = (vocabulary.a, vocabulary.b);
        writeln!(
            out,
            "\nvocabulary: {a} entries -> {b}; {} only in A, {} only in B, {} with another id",
            vocabulary.only_a, vocabulary.only_b, vocabulary.renumbered
        )?;
        for entry in &vocabulary.first {
            let shown = |entry: &Option<String>| entry.clone().unwrap_or_else(|| "-".to_owned());
            writeln!(out, "  {}: {} -> {}", entry.id, shown(&entry.a), shown(&entry.b))?;
        }
    }
    print_manifest(&report.manifest, out)
}

fn print_field(part: &str, FieldReport { field, a, b }: &FieldReport, out: &mut dyn Write) -> Result<(), Error> {
    Ok(writeln!(out, "{part} {field}: {} -> {}", shown(a), shown(b))?)
}

/// `-` for what is not there; a long value loses its end.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.6}", number.as_f64().unwrap_or(0.0)),
        value => value.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn print_tensor(TensorReport { name, a, b, difference }: &TensorReport, out: &mut dyn Write) -> Result<(), Error> {
    let stored = |stored: &Option<Stored>| match (stored, difference) {
        (None, _) => "-".to_owned(),
        // Shapes are news only where they differ.
        (Some(stored), None) => format!("{} {}x{}", stored.dtype, stored.rows, stored.cols),
        (Some(stored), Some(_)) => format!("{} {} {} B", stored.dtype, stored.layout, stored.bytes),
    };
    write!(out, "{name:<34} {:>27} {:>27}", stored(a), stored(b))?;
    match difference {
        Some(error) => {
            let worst = format!("{}: {:.3}%", error.worst_row, error.worst_row_relative * 100.0);
            Ok(writeln!(out, " {:>9.3}% {worst:>18}", error.relative * 100.0)?)
        }
        None => Ok(writeln!(out, " {:>10} {:>18}", "-", "-")?),
    }
}

/// What the manifest says of tensors follows from the tensors, mostly: a few lines of it are enough.
fn print_manifest(fields: &[FieldReport], out: &mut dyn Write) -> Result<(), Error> {
    if fields.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let (tensors, others): (Vec<_>, Vec<_>) = fields.iter().partition(|report| report.field.starts_with("tensors"));
    others.iter().chain(tensors.iter().take(SHOWN)).try_for_each(|field| print_field("manifest", field, out))?;
    match tensors.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => Ok(writeln!(out, "manifest: {more} more fields of tensors differ (--json has them)")?),
    }
}

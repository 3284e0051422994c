//! The error of each tensor.

use super::groups;
use super::html::{legend, note, percent, table, words};
use crate::report::plot::{Dot, Panel};
use crate::report::{File, Report, TensorFacts};

/// Rows of the table of the largest errors.
const WORST: usize = 12;

pub(super) fn section(report: &Report) -> Option<String> {
    let tensors = || report.files.iter().flat_map(|file| &file.facts.tensors);
    if tensors().all(|tensor| tensor.error.is_none()) {
        return Some(note("The files say nothing of it. It is measured with --against DIR."));
    }
    // Vectors are kept as float16 or float32, and their errors would be dots on the zero line.
    let rounded: Vec<_> = tensors().filter(|tensor| error(tensor) > 0.0 && tensor.dtype.starts_with("int")).collect();
    if rounded.is_empty() {
        return Some(note("No matrix or table was rounded to integers; every error is in the table of all tensors."));
    }
    let source = match &report.original {
        Some(_) => "measured against the original",
        None => "as the files' manifests have it",
    };
    let mut html = note(&format!(
        "Root mean square of what packing changed, relative to the tensor, {source}; layers from left to right."
    ));
    html += &legend(report.files.iter().map(|file| file.facts.name.as_str()).enumerate());
    let most = rounded.iter().map(|tensor| 100.0 * error(tensor)).fold(0.0, f64::max);
    let panels = groups::panels(rounded.iter().copied());
    let plots: String = panels.iter().map(|panel| draw(panel, &report.files, most)).collect();
    html += &format!("<p class=\"unit\">relative error in %</p>\n<div class=\"card panels\">\n{plots}</div>\n");
    html += &worst(report);
    Some(html)
}

fn error(tensor: &TensorFacts) -> f64 {
    tensor.error.as_ref().map_or(0.0, |error| error.relative)
}

fn draw(panel: &Panel, files: &[File], most: f64) -> String {
    let mut dots = Vec::new();
    for (hue, file) in files.iter().enumerate() {
        for tensor in &file.facts.tensors {
            let (Some(column), Some(error)) = (groups::column(panel, tensor), &tensor.error) else { continue };
            let tip = format!(
                "{}\n{}, {}\nerror {}\nworst channel {}: {}",
                file.facts.name,
                tensor.name,
                tensor.dtype,
                percent(error.relative),
                error.worst_row,
                percent(error.worst_row_relative)
            );
            dots.push(Dot { column, value: 100.0 * error.relative, hue, tip });
        }
    }
    panel.dots(&dots, most)
}

/// The tensors with the largest errors, a column for each file.
fn worst(report: &Report) -> String {
    let mut names: Vec<(&str, f64)> = Vec::new();
    for tensor in report.files.iter().flat_map(|file| &file.facts.tensors) {
        match names.iter_mut().find(|(name, _)| *name == tensor.name) {
            Some((_, most)) => *most = most.max(error(tensor)),
            None => names.push((&tensor.name, error(tensor))),
        }
    }
    names.sort_by(|a, b| b.1.total_cmp(&a.1));
    names.truncate(WORST);
    // For several files the errors alone, side by side; the rest is in the tables of all tensors.
    let alone = report.files.len() == 1;
    let mut head = vec!["largest errors".to_owned()];
    match &report.files[..] {
        [_] => head.extend(words(&["type", "error", "worst channel"])),
        files => head.extend(files.iter().map(|file| file.facts.name.clone())),
    }
    let rows = names.iter().map(|(name, _)| {
        let mut row = vec![(*name).to_owned()];
        for file in &report.files {
            let tensor = file.facts.tensors.iter().find(|tensor| tensor.name == *name);
            let error = tensor.and_then(|tensor| tensor.error.as_ref());
            let relative = error.map_or("–".to_owned(), |error| percent(error.relative));
            let dtype = tensor.map_or("–", |tensor| tensor.dtype);
            if alone {
                let worst = error.map(|error| format!("{}: {}", error.worst_row, percent(error.worst_row_relative)));
                row.extend([dtype.to_owned(), relative, worst.unwrap_or_else(|| "–".to_owned())]);
            } else {
                row.push(format!("{dtype}, {relative}"));
            }
        }
        row
    });
    table(&head, &rows.collect::<Vec<_>>())
}

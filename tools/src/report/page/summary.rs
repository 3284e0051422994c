//! The head of the page: which files, and the figures that matter most.

use std::fmt::Write;

use super::html::{legend, milliseconds, note, percent, size, table, thousands};
use crate::report::plot::escape;
use crate::report::{File, Report};

/// Tokens of the input whose time and memory stand in the summary.
const USUAL: usize = 128;

pub(super) fn header(report: &Report) -> String {
    let names = report.files.iter().map(|file| file.facts.name.as_str());
    let about = match &report.files[..] {
        [one] => format!("<p class=\"about\"><b>{}</b> {}</p>\n", escape(&one.facts.name), escape(&one.facts.model)),
        _ => legend(names.enumerate()),
    };
    format!(
        "<header>\n<h1>Packed models</h1>\n{about}<button type=\"button\" id=\"theme\" hidden>Light or dark</button>\n</header>\n"
    )
}

/// Tiles for one file, a table for several.
pub(super) fn figures(report: &Report) -> String {
    let columns: Vec<Vec<(&str, String)>> = report.files.iter().map(|file| figures_of(file, report)).collect();
    let mut html = String::from("<section id=\"summary\">\n");
    if let [one] = &columns[..] {
        html += "<dl class=\"tiles\">\n";
        for (name, value) in one {
            let _ = writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
        }
        html += "</dl>\n";
    } else {
        let head: Vec<String> =
            std::iter::once(String::new()).chain(report.files.iter().map(|file| file.facts.name.clone())).collect();
        let names = columns.first().into_iter().flatten().map(|(name, _)| *name).enumerate();
        let rows = names.map(|(line, name)| {
            let values = columns.iter().map(|column| column[line].1.clone());
            std::iter::once(name.to_owned()).chain(values).collect()
        });
        html += &table(&head, &rows.collect::<Vec<_>>());
    }
    html + &note(
        "Point at a plot, or go to it with Tab and walk through it with the arrow keys, and each mark says what it is.",
    )
    .replace("class=\"note\"", "class=\"note script\" hidden")
        + "</section>\n"
}

/// The same names for every file, so that they make a table.
fn figures_of(file: &File, report: &Report) -> Vec<(&'static str, String)> {
    let facts = &file.facts;
    let none = || "–".to_owned();
    let float = 4 * facts.parameters;
    let mut figures = vec![
        ("Size", size(facts.bytes)),
        ("Parameters as float32", format!("{} ({:.2} times as much)", size(float), float as f64 / facts.bytes as f64)),
        ("Bits a parameter", format!("{:.2}", 8.0 * facts.bytes as f64 / facts.parameters as f64)),
        ("Parameters", thousands(facts.parameters)),
        ("Head", facts.head.to_owned()),
    ];
    if report.files.len() > 1 {
        figures.push(("Model", facts.model.clone()));
    }
    if report.original.is_some() {
        let fidelity = file.fidelity.as_ref();
        let cosine = |value: fn(&crate::report::Fidelity) -> f64| {
            fidelity.map_or_else(none, |fidelity| format!("{:.5}", value(fidelity)))
        };
        figures.push(("Mean cosine to the original", cosine(|fidelity| fidelity.mean_cosine)));
        figures.push(("Least cosine to the original", cosine(|fidelity| fidelity.least_cosine)));
        let last = fidelity.and_then(|fidelity| fidelity.layers.last());
        figures.push(("Error of the last layer", last.map_or_else(none, |last| percent(last.relative))));
    }
    if report.files.iter().any(|file| !file.latency.is_empty()) {
        let time = file.latency.iter().find(|time| time.tokens == USUAL).or(file.latency.last());
        let time = time.map(|time| format!("{}, {} tokens", milliseconds(time.median_ms), time.tokens));
        figures.push(("Time", time.unwrap_or_else(none)));
    }
    let arena = facts.arena.iter().find(|arena| arena.tokens == USUAL).or(facts.arena.last());
    let arena = arena.map(|arena| format!("{}, {} tokens", size(arena.fast_bytes), arena.tokens));
    figures.push(("Working memory, fast plan", arena.unwrap_or_else(none)));
    figures.push(("Longest input", format!("{} tokens", facts.max_tokens)));
    figures.push(("Checksum", facts.checksum.clone()));
    figures.push(("Packed by", facts.recipe.clone().unwrap_or_else(none)));
    figures
}

/// What the page could have and has not, and how to get it.
pub(super) fn left_out(report: &Report) -> String {
    let mut html = String::new();
    if report.original.is_none() {
        html +=
            &note("Error by layer, ranges of activations and quality need the original: --against DIR --text FILE.");
    }
    if report.files.iter().all(|file| file.latency.is_empty()) {
        html += &note("No times were taken (--no-bench).");
    }
    html
}

pub(super) fn footer(report: &Report) -> String {
    let mut text = format!("Written by {}.", report.tool);
    if let Some(original) = &report.original {
        let _ = write!(
            text,
            " Compared with {} (sha256 {}) on {} texts of {} tokens in all, from {}.",
            original.name,
            original.sha256,
            thousands(original.texts),
            thousands(original.tokens),
            original.source
        );
    }
    if let Some(isa) = report.isa {
        let _ = write!(text, " Run with the instruction set {isa}.");
    }
    format!("<footer>{}</footer>\n", escape(&text))
}

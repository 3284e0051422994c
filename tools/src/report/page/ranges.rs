//! How values are spread: those of weights, and those on their way through the float model.

use super::groups;
use super::html::{details, note, percent, table, thousands, words};
use crate::report::plot::{Panel, Range, number};
use crate::report::{Activation, Facts, Report, Spread};

/// Weights, as they are stored. Several files are folded up but for the first.
pub(super) fn weights(report: &Report) -> Option<String> {
    let mut html = note(
        "As stored. Thin: from the least to the largest value; thick: where 99.9 % of the values are. A long thin bar \
         makes the steps of its tensor coarse.",
    );
    for (hue, file) in report.files.iter().enumerate() {
        let plots = weight_plots(&file.facts, hue);
        let table =
            details(&format!("All {} tensors as a table", file.facts.tensors.len()), false, &tensors(&file.facts));
        let body = format!("<div class=\"card panels\">\n{plots}</div>\n{table}");
        html += &match report.files.len() {
            1 => body,
            _ => details(&file.facts.name, hue == 0, &body),
        };
    }
    Some(html)
}

fn weight_plots(facts: &Facts, hue: usize) -> String {
    let draw = |panel: &Panel| {
        let own = facts.tensors.iter().filter_map(|tensor| Some((groups::column(panel, tensor)?, tensor)));
        let ranges = own
            .map(|(column, tensor)| range(column, hue, &tensor.range, &format!("{}, {}", tensor.name, tensor.dtype)));
        panel.ranges(&ranges.collect::<Vec<_>>())
    };
    groups::panels(facts.tensors.iter()).iter().map(draw).collect()
}

fn range(column: usize, hue: usize, spread: &Spread, name: &str) -> Range {
    let (min, max, bulk) = (f64::from(spread.min), f64::from(spread.max), f64::from(spread.bulk));
    let tip = format!(
        "{name}\n{} to {}\n99.9 % within ±{}\nroot mean square {}",
        number(min, 4),
        number(max, 4),
        number(bulk, 4),
        number(spread.rms, 4)
    );
    Range { column, ends: (min, max), bulk: (min.max(-bulk), max.min(bulk)), hue, tip }
}

/// Everything that is known of each tensor.
fn tensors(facts: &Facts) -> String {
    let head = [
        "tensor",
        "type",
        "layout",
        "shape",
        "bytes",
        "share",
        "error",
        "worst channel",
        "least",
        "largest",
        "99.9 % within ±",
        "root mean square",
    ];
    let rows = facts.tensors.iter().map(|tensor| {
        let error = tensor.error.as_ref();
        vec![
            tensor.name.clone(),
            tensor.dtype.to_owned(),
            tensor.layout.to_owned(),
            format!("{} × {}", tensor.rows, tensor.cols),
            thousands(tensor.bytes),
            percent(tensor.bytes as f64 / facts.bytes as f64),
            error.map_or_else(|| "–".to_owned(), |error| percent(error.relative)),
            error.map_or_else(
                || "–".to_owned(),
                |error| format!("{}: {}", error.worst_row, percent(error.worst_row_relative)),
            ),
            number(f64::from(tensor.range.min), 4),
            number(f64::from(tensor.range.max), 4),
            number(f64::from(tensor.range.bulk), 4),
            number(tensor.range.rms, 4),
        ]
    });
    table(&words(&head), &rows.collect::<Vec<_>>())
}

/// Activations of the float model.
pub(super) fn activations(report: &Report) -> Option<String> {
    let original = report.original.as_ref()?;
    let mut panels: Vec<(Panel, Vec<&Activation>)> = Vec::new();
    for activation in &report.activations {
        let title = activation.point;
        let column = activation.layer.map_or_else(|| "before the first layer".to_owned(), |layer| layer.to_string());
        match panels.iter_mut().find(|(panel, _)| panel.title == title) {
            Some((panel, own)) => {
                panel.columns.push(column);
                own.push(activation);
            }
            None => {
                let panel = Panel { title: title.to_owned(), columns: vec![column], joined: true };
                panels.push((panel, vec![activation]));
            }
        }
    }
    let plots = panels.iter().map(|(panel, own)| {
        let ranges =
            own.iter().enumerate().map(|(column, activation)| range(column, 5, &activation.range, &name(activation)));
        panel.ranges(&ranges.collect::<Vec<_>>())
    });
    let plots: String = plots.collect();
    let rows = report.activations.iter().map(|activation| {
        let Spread { min, max, rms, bulk } = activation.range;
        let values = [f64::from(min), f64::from(max), f64::from(bulk), rms].map(|value| number(value, 4));
        std::iter::once(name(activation)).chain(values).collect()
    });
    let head = words(&["values", "least", "largest", "99.9 % within ±", "root mean square"]);
    let table = details("As a table", false, &table(&head, &rows.collect::<Vec<_>>()));
    let about = note(&format!(
        "In the float model {}, over {} tokens. Packed models quantize them to int8 with a scale for each token, so a long \
         thin bar costs only the tokens that reach it.",
        original.name,
        thousands(original.tokens)
    ));
    Some(format!("{about}<div class=\"card panels\">\n{plots}</div>\n{table}"))
}

fn name(activation: &Activation) -> String {
    activation.layer.map_or_else(|| activation.point.to_owned(), |layer| format!("layer.{layer}.{}", activation.point))
}

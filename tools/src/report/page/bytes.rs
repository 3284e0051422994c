//! Where the bytes are: a treemap and a table of the parts, for each file.

use super::html::{beside, legend, note, percent, size, table, thousands, words};
use crate::report::plot::{Cell, Treemap, escape};
use crate::report::{Facts, Report, TensorFacts};

/// Kinds of bytes, with their colours.
const KINDS: [(&str, usize); 6] =
    [("embeddings", 2), ("attention", 0), ("feed-forward", 1), ("head", 3), ("vocabulary", 4), ("other", 7)];

pub(super) fn section(report: &Report) -> Option<String> {
    let mut html = note("Areas are proportional to bytes; every tensor is there, the smallest as hairlines.");
    html += &legend(KINDS.map(|(name, hue)| (hue, name)));
    for file in &report.files {
        let facts = &file.facts;
        if report.files.len() > 1 {
            html += &format!("<h3>{}, {}</h3>\n", escape(&facts.name), size(facts.bytes));
        }
        let map = treemap(facts);
        let label = format!("Bytes of {} by tensor", facts.name);
        // One for wide windows and paper, one for telephones; the style sheet shows one of them.
        let plots = map.draw(760.0, 430.0, &label, "wide") + &map.draw(340.0, 480.0, &label, "narrow");
        html += &beside(&plots, &parts(facts));
    }
    Some(html)
}

/// The cells, in groups: the embeddings, each layer, the head, and what is no tensor.
pub(super) fn treemap(facts: &Facts) -> Treemap {
    let cell = |label: &str, tip: String, bytes: usize, hue| Cell {
        label: label.to_owned(),
        size_label: size(bytes),
        tip,
        size: bytes as f64,
        hue,
    };
    let mut groups: Vec<(String, Vec<Cell>)> = Vec::new();
    for tensor in &facts.tensors {
        let TensorFacts { name, role, dtype, rows, cols, bytes, .. } = tensor;
        let tip = format!("{name}\n{dtype}, {rows} × {cols}\n{} bytes, {}", thousands(*bytes), share(*bytes, facts));
        let cell = cell(role, tip, *bytes, hue(tensor));
        let part = tensor.part();
        match groups.last_mut().filter(|(name, _)| *name == part) {
            Some((_, cells)) => cells.push(cell),
            None => groups.push((part, vec![cell])),
        }
    }
    for other in facts.others.iter().filter(|other| other.bytes > 0) {
        let tip = format!("{}\n{} bytes, {}", other.name, thousands(other.bytes), share(other.bytes, facts));
        let hue = if other.name == "vocabulary" { 4 } else { 7 };
        groups.push((other.name.to_owned(), vec![cell(other.name, tip, other.bytes, hue)]));
    }
    Treemap { groups }
}

fn share(bytes: usize, facts: &Facts) -> String {
    format!("{} of the file", percent(bytes as f64 / facts.bytes as f64))
}

fn hue(tensor: &TensorFacts) -> usize {
    let kind = match tensor.part().as_str() {
        "embeddings" => "embeddings",
        "head" => "head",
        _ if tensor.role.contains("norm") => "other",
        _ if tensor.role.starts_with("feed-forward") => "feed-forward",
        _ => "attention",
    };
    KINDS.iter().find(|(name, _)| *name == kind).map_or(7, |(_, hue)| *hue)
}

/// The parts of a file; the layers as one, since they are alike.
fn parts(facts: &Facts) -> String {
    let of = |wanted: &dyn Fn(&TensorFacts) -> bool| {
        facts.tensors.iter().filter(|tensor| wanted(tensor)).map(|tensor| tensor.bytes).sum::<usize>()
    };
    let layer = |tensor: &TensorFacts| tensor.layer.is_some();
    let wide = |tensor: &TensorFacts| tensor.role.starts_with("feed-forward");
    let norm = |tensor: &TensorFacts| tensor.role.contains("norm");
    let mut rows = vec![
        ("embeddings", of(&|tensor| tensor.part() == "embeddings")),
        ("layers: attention", of(&|tensor| layer(tensor) && !wide(tensor) && !norm(tensor))),
        ("layers: feed-forward", of(&|tensor| layer(tensor) && wide(tensor))),
        ("layers: normalizations", of(&|tensor| layer(tensor) && norm(tensor))),
        ("head", of(&|tensor| tensor.part() == "head")),
    ];
    rows.extend(facts.others.iter().map(|other| (other.name, other.bytes)));
    rows.push(("file", facts.bytes));
    let share = |bytes: usize| percent(bytes as f64 / facts.bytes as f64);
    let rows: Vec<_> =
        rows.into_iter().map(|(name, bytes)| vec![name.to_owned(), thousands(bytes), share(bytes)]).collect();
    table(&words(&["part", "bytes", "share"]), &rows)
}

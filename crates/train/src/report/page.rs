//! The page: HTML made here, its style and script in the files beside.

use super::{Chart, Run, Summary, charts};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Colours of the style sheet; more runs than these share them.
const COLOURS: usize = 8;

/// One self-contained page. Its security policy allows nothing but what is in it: no network, no other file.
pub fn page(runs: &[Run]) -> Result<String> {
    let charts = charts(runs);
    let summaries: Vec<Summary> = runs.iter().map(Summary::of).collect();
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let data = json!({ "runs": names, "charts": charts });
    let data = serde_json::to_string(&data).map_err(|e| Error::Data(e.to_string()))?;
    // Nothing within may end the element.
    let data = data.replace('<', "\\u003c");
    let title = escape(&names.join(", "));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>{title} · training report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    html += &header(&names);
    html += &figures(&summaries);
    html += &notes(runs);
    html += &curves(&charts);
    html += &recipe(runs);
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        html,
        "<footer>Written by train {version}. The numbers are those of metrics.jsonl in each run.</footer>"
    );
    let _ = writeln!(html, "<script type=\"application/json\" id=\"data\">{data}</script>");
    let _ = writeln!(html, "<script>\n{SCRIPT}</script>\n</body>\n</html>");
    Ok(html)
}

fn header(names: &[&str]) -> String {
    let mut legend = String::new();
    for (i, name) in names.iter().enumerate() {
        let _ = write!(
            legend,
            "<label class=\"run c{}\"><input type=\"checkbox\" checked data-run=\"{i}\"><i></i>{}</label>",
            i % COLOURS,
            escape(name)
        );
    }
    format!(
        "<header>\n<h1>Training report</h1>\n<div class=\"legend\">{legend}</div>\n<div class=\"controls\">\n\
         <label>Smoothing <input type=\"range\" id=\"smoothing\" min=\"0\" max=\"99\" value=\"0\"> \
         <output id=\"smoothed\">0.00</output></label>\n\
         <label><input type=\"checkbox\" id=\"log\"> Log scale</label>\n\
         <button type=\"button\" id=\"theme\">Light or dark</button>\n</div>\n</header>\n"
    )
}

/// Tiles for one run, a table for several.
fn figures(summaries: &[Summary]) -> String {
    let rows: Vec<Vec<(&str, String)>> = summaries.iter().map(figures_of).collect();
    let mut html = String::from("<section id=\"summary\">\n");
    if let [one] = &rows[..] {
        html += "<dl class=\"tiles\">\n";
        for (name, value) in one {
            let _ = writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
        }
        html += "</dl>\n";
    } else {
        html += "<div class=\"scroll\"><table>\n<thead><tr><th></th>";
        for (i, summary) in summaries.iter().enumerate() {
            let _ = write!(html, "<th class=\"run c{}\"><i></i>{}</th>", i % COLOURS, escape(&summary.name));
        }
        html += "</tr></thead>\n<tbody>\n";
        for (line, (name, _)) in rows.first().into_iter().flatten().enumerate() {
            let _ = write!(html, "<tr><th>{name}</th>");
            for row in &rows {
                let _ = write!(html, "<td>{}</td>", escape(&row[line].1));
            }
            html += "</tr>\n";
        }
        html += "</tbody>\n</table></div>\n";
    }
    html + "</section>\n"
}

/// The same names for every run, so that they make a table.
fn figures_of(summary: &Summary) -> Vec<(&'static str, String)> {
    let real = |value: Option<f64>| value.map_or("–".into(), |v| format!("{v:.4}"));
    let percent = |value: Option<f64>| value.map_or("–".into(), |v| format!("{:.2} %", 100.0 * v));
    let best = summary.best.as_ref();
    vec![
        ("State", if summary.finished { "finished".into() } else { "unfinished".into() }),
        ("Steps", thousands(summary.steps as f64)),
        ("Epochs", summary.epochs.map_or("–".into(), |v| format!("{v:.2}"))),
        ("Time", duration(summary.seconds)),
        ("Tokens a second", summary.tokens_per_second.map_or("–".into(), thousands)),
        ("Loss", real(summary.loss)),
        ("Largest gradient norm", real(summary.largest_gradient_norm)),
        (
            "Lowest held-out loss",
            best.map_or("–".into(), |b| format!("{:.4} (step {})", b.mlm_loss, thousands(b.step as f64))),
        ),
        ("Accuracy there", percent(best.and_then(|b| b.mlm_accuracy))),
        ("Agreement there", percent(best.and_then(|b| b.agreement))),
    ]
}

fn notes(runs: &[Run]) -> String {
    let mut html = String::new();
    for run in runs {
        for note in &run.notes {
            let _ = writeln!(html, "<li><b>{}</b>: {}</li>", escape(&run.name), escape(note));
        }
    }
    if html.is_empty() { html } else { format!("<ul id=\"notes\">\n{html}</ul>\n") }
}

/// An empty frame for each chart; the script draws into it.
fn curves(charts: &[Chart]) -> String {
    let mut html = String::from(
        "<main>\n<noscript>The curves are drawn by the page's script, which is switched off.</noscript>\n",
    );
    for (i, chart) in charts.iter().enumerate() {
        let _ = writeln!(
            html,
            "<figure data-chart=\"{i}\"><figcaption><h2>{}</h2><p>{}</p></figcaption></figure>",
            escape(&chart.title),
            escape(&chart.note)
        );
    }
    html + "</main>\n"
}

/// Every value of the recipes; rows in which runs differ are marked.
fn recipe(runs: &[Run]) -> String {
    let mut names: Vec<&String> = runs.iter().flat_map(|run| run.recipe.keys()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return String::new();
    }
    let mut html =
        String::from("<section id=\"recipe\">\n<h2>Recipe</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th></th>");
    for (i, run) in runs.iter().enumerate() {
        let _ = write!(html, "<th class=\"run c{}\"><i></i>{}</th>", i % COLOURS, escape(&run.name));
    }
    html += "</tr></thead>\n<tbody>\n";
    for name in names {
        let values: Vec<String> = runs.iter().map(|run| run.recipe.get(name).map_or("–".into(), plain)).collect();
        let differs = values.iter().any(|value| *value != values[0]);
        let class = if differs { " class=\"differs\"" } else { "" };
        let _ = write!(html, "<tr{class}><th>{}</th>", escape(name));
        for value in values {
            let _ = write!(html, "<td>{}</td>", escape(&value));
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table></div>\n</section>\n"
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".into(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// A whole number with commas.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0.0, 999.0, 1000.0, 1234567.4].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12.34, 61.0, 7384.0].map(duration), ["12.3 s", "1 min 01 s", "2 h 03 min"]);
    }

    #[test]
    fn names_and_values_cannot_become_markup() {
        let evil = "</script><b>\"'&";
        let mut run = Run { name: evil.into(), notes: vec![evil.into()], ..Run::default() };
        run.curves.insert(evil.into(), vec![(1.0, 2.0)]);
        run.recipe.insert(evil.into(), Value::String(evil.into()));
        for runs in [vec![run.clone()], vec![run.clone(), run]] {
            let html = page(&runs).unwrap();
            assert_eq!(html.matches("</script>").count(), 2);
            assert_eq!(html.matches("<b>").count(), runs.len(), "only those around the names of notes");
            assert!(html.contains("&lt;/script&gt;&lt;b&gt;&quot;&#39;&amp;"));
        }
    }
}

//! What was measured by running the files: quality, errors by layer, times; and the memory they ask for.

use super::html::{beside, legend, milliseconds, note, percent, size, table, thousands, words};
use crate::report::plot::{Lines, Point, Scatter, Series};
use crate::report::{Arena, File, Report};

fn names(report: &Report) -> impl Iterator<Item = (usize, &str)> {
    report.files.iter().map(|file| file.facts.name.as_str()).enumerate()
}

/// Each file one point; for a single file the summary says it.
pub(super) fn quality(report: &Report) -> Option<String> {
    let original = report.original.as_ref().filter(|_| report.files.len() > 1)?;
    let compared: Vec<_> = report.files.iter().filter_map(|file| Some((file, file.fidelity.as_ref()?))).collect();
    let what = compared.first()?.1.what;
    let points = compared.iter().enumerate().map(|(hue, (file, fidelity))| Point {
        name: file.facts.name.clone(),
        x: file.facts.bytes as f64 / 1e6,
        y: fidelity.mean_cosine,
        hue,
        tip: format!(
            "{}\n{}\nmean cosine {:.5}\nleast cosine {:.5}",
            file.facts.name,
            size(file.facts.bytes),
            fidelity.mean_cosine,
            fidelity.least_cosine
        ),
    });
    let scatter = Scatter {
        label: "Mean cosine to the original against the size of the file".to_owned(),
        x_name: "size in MB".to_owned(),
        y_name: format!("mean cosine of {what} to the original"),
        points: points.collect(),
    };
    let rows = compared.iter().map(|(file, fidelity)| {
        vec![
            file.facts.name.clone(),
            size(file.facts.bytes),
            format!("{:.5}", fidelity.mean_cosine),
            format!("{:.5}", fidelity.least_cosine),
        ]
    });
    let mut rows: Vec<_> = rows.collect();
    rows.push(vec![format!("{}, float32", original.name), size(original.float_bytes), "1".to_owned(), "1".to_owned()]);
    let table = table(&words(&["file", "size", "mean cosine", "least cosine"]), &rows);
    let about = note(&format!(
        "Cosine of the {what} of {} texts with those of the original; higher is nearer, and further left is smaller.",
        thousands(original.texts)
    ));
    Some(about + &beside(&scatter.draw(), &table))
}

/// Hidden states of the packed files against the float ones, after each layer.
pub(super) fn layers(report: &Report) -> Option<String> {
    let compared: Vec<_> =
        report.files.iter().enumerate().filter_map(|(hue, file)| Some((hue, file, file.fidelity.as_ref()?))).collect();
    let deepest = compared.iter().map(|(_, _, fidelity)| fidelity.layers.len()).max()?;
    let series = compared.iter().map(|(hue, file, fidelity)| Series {
        hue: *hue,
        points: fidelity
            .layers
            .iter()
            .map(|layer| {
                let tip = format!(
                    "{}\n{}\nerror {}\nmean cosine of tokens {:.5}",
                    file.facts.name,
                    after(layer.after),
                    percent(layer.relative),
                    layer.mean_cosine
                );
                (layer.after as f64, 100.0 * layer.relative, tip)
            })
            .collect(),
    });
    let lines = Lines {
        label: "Relative error of the hidden states after each layer".to_owned(),
        x_name: "layers (0: embeddings)".to_owned(),
        y_name: "relative error in %".to_owned(),
        x_ticks: (0..deepest).map(|after| after as f64).collect(),
        x_log: false,
        y_log: false,
        series: series.collect(),
    };
    // For several files the errors alone, side by side; the rest is said by the marks.
    let alone = compared.len() == 1;
    let mut head = vec!["error of hidden states".to_owned()];
    head.extend(
        compared.iter().map(|(_, file, _)| if alone { "relative".to_owned() } else { file.facts.name.clone() }),
    );
    head.extend(alone.then(|| "cosine of tokens".to_owned()));
    let rows = (0..deepest).map(|at| {
        let own = || compared.iter().map(move |(_, _, fidelity)| fidelity.layers.get(at));
        let mut row = vec![after(at)];
        row.extend(own().map(|layer| layer.map_or("–".to_owned(), |layer| percent(layer.relative))));
        if alone {
            row.extend(own().flatten().map(|layer| format!("{:.5}", layer.mean_cosine)));
        }
        row
    });
    let table = table(&head, &rows.collect::<Vec<_>>());
    let about = note(
        "Hidden states of the packed model against those of the float model on the same tokens, all that came before \
         included: root mean square of the difference, relative to the float ones.",
    );
    Some(about + &legend(names(report)) + &beside(&lines.draw(), &table))
}

fn after(layers: usize) -> String {
    match layers {
        0 => "embeddings".to_owned(),
        layers => format!("after layer {}", layers - 1),
    }
}

/// Times from token ids to the answer.
pub(super) fn latency(report: &Report) -> Option<String> {
    let timed: Vec<(usize, &File)> =
        report.files.iter().enumerate().filter(|(_, file)| !file.latency.is_empty()).collect();
    let lengths: Vec<usize> = timed.first()?.1.latency.iter().map(|time| time.tokens).collect();
    let series = timed.iter().map(|(hue, file)| Series {
        hue: *hue,
        points: file
            .latency
            .iter()
            .map(|time| {
                let tip = format!(
                    "{}\n{} tokens\nmedian {}\nbest {} of {} runs",
                    file.facts.name,
                    time.tokens,
                    milliseconds(time.median_ms),
                    milliseconds(time.min_ms),
                    time.runs
                );
                (time.tokens as f64, time.median_ms, tip)
            })
            .collect(),
    });
    let lines = Lines {
        label: "Median time by length of the input".to_owned(),
        x_name: "tokens".to_owned(),
        y_name: "median time in ms".to_owned(),
        x_ticks: lengths.iter().map(|&tokens| tokens as f64).collect(),
        x_log: true,
        y_log: true,
        series: series.collect(),
    };
    let alone = timed.len() == 1;
    let mut head = vec!["tokens".to_owned()];
    head.extend(timed.iter().map(|(_, file)| if alone { "median".to_owned() } else { file.facts.name.clone() }));
    head.extend(alone.then(|| words(&["best", "runs"])).into_iter().flatten());
    let rows = lengths.iter().enumerate().map(|(at, tokens)| {
        let own = || timed.iter().filter_map(move |(_, file)| file.latency.get(at));
        let mut row = vec![tokens.to_string()];
        row.extend(own().map(|time| milliseconds(time.median_ms)));
        if alone {
            row.extend(own().flat_map(|time| [milliseconds(time.min_ms), time.runs.to_string()]));
        }
        row
    });
    let table = table(&head, &rows.collect::<Vec<_>>());
    let isa = report.isa.map_or_else(String::new, |isa| format!(" with {isa}"));
    let about = note(&format!(
        "From token ids to the answer, head included, on one thread{isa}, the plan large; measured when this page was made."
    ));
    Some(about + &legend(names(report)) + &beside(&lines.draw(), &table))
}

/// A memory plan's name, and the bytes it takes.
type Plan = (&'static str, fn(&Arena) -> usize);

/// Memory that a session asks for. Files that ask for the same share a plot.
pub(super) fn arena(report: &Report) -> Option<String> {
    let mut html =
        note("What a session asks its caller for, on one thread, and all that it uses beside the file itself.");
    let plans: [Plan; 3] = [
        ("large: all rows together", |arena| arena.large_bytes),
        ("fast: 56 rows", |arena| arena.fast_bytes),
        ("small: 8 rows", |arena| arena.small_bytes),
    ];
    html += &legend(plans.iter().map(|(name, _)| *name).enumerate());
    let mut kinds: Vec<(&[Arena], Vec<&str>)> = Vec::new();
    for file in &report.files {
        match kinds.iter_mut().find(|(arena, _)| *arena == file.facts.arena) {
            Some((_, names)) => names.push(&file.facts.name),
            None => kinds.push((&file.facts.arena, vec![&file.facts.name])),
        }
    }
    for (arena, names) in &kinds {
        if kinds.len() > 1 {
            html += &format!("<h3>{}</h3>\n", crate::report::plot::escape(&names.join(", ")));
        }
        let series = plans.iter().enumerate().map(|(hue, (name, bytes))| Series {
            hue,
            points: arena
                .iter()
                .map(|arena| {
                    let plan = name.split(':').next().unwrap_or(name);
                    let tip = format!("{plan}, {} tokens\n{} bytes", arena.tokens, thousands(bytes(arena)));
                    (arena.tokens as f64, bytes(arena) as f64 / 1e6, tip)
                })
                .collect(),
        });
        let lines = Lines {
            label: "Working memory by length of the input".to_owned(),
            x_name: "tokens".to_owned(),
            y_name: "memory in MB".to_owned(),
            x_ticks: arena.iter().map(|arena| arena.tokens as f64).collect(),
            x_log: true,
            y_log: true,
            series: series.collect(),
        };
        let rows = arena.iter().map(|arena| {
            let sizes = plans.iter().map(|(_, bytes)| size(bytes(arena)));
            std::iter::once(arena.tokens.to_string()).chain(sizes).collect()
        });
        let table = table(&words(&["tokens", "large", "fast", "small"]), &rows.collect::<Vec<_>>());
        html += &beside(&lines.draw(), &table);
    }
    Some(html)
}

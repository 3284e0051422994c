//! Accuracy of a classifier of texts or pairs of texts.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::Subject;
use crate::error::Error;
use crate::text::read_text;

const NEXT: &str = "the first line names the columns, tabs between them: `sentence` (or `sentence1` and `sentence2`) and \
                    `label`, a label's name or number";

/// A text, or two, with the number of its label.
#[derive(Debug, PartialEq)]
struct Example {
    text: String,
    pair: Option<String>,
    label: usize,
}

/// The result; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// `classification`.
    pub task: &'static str,
    /// `packed`, or `float` for the original.
    pub path: &'static str,
    /// Texts.
    pub texts: usize,
    /// Texts that lost their end because the model has too few positions.
    pub truncated: usize,
    /// Share of the texts whose best label is right.
    pub accuracy: f64,
}

/// Classifies the first `limit` texts of a TSV file. `labels` are the model's label names.
pub fn run(
    subject: &Subject<'_>,
    labels: &[String],
    data: &Path,
    limit: Option<usize>,
    tick: impl Fn() + Sync,
) -> Result<Report, Error> {
    let mut examples = read(&read_text(data)?, data, labels)?;
    examples.truncate(limit.unwrap_or(usize::MAX));
    let sequencer = subject.sequencer();
    let most = subject.config().max_positions as usize;
    let one = |arena: &mut Vec<u8>, example: &Example| {
        let (sequence, cut) = sequencer.fitting(&example.text, example.pair.as_deref(), most);
        let scores = subject.classes(arena, &sequence)?;
        tick();
        let best = (0..scores.len()).fold(0, |best, at| if scores[at] > scores[best] { at } else { best });
        Ok((best == example.label, cut))
    };
    let results: Result<Vec<(bool, bool)>, Error> =
        examples.par_iter().map_init(|| vec![0; subject.arena_len()], one).collect();
    let results = results?;
    Ok(Report {
        task: "classification",
        path: subject.path_name(),
        texts: results.len(),
        truncated: results.iter().filter(|(_, cut)| *cut).count(),
        accuracy: results.iter().filter(|(right, _)| *right).count() as f64 / results.len() as f64,
    })
}

fn read(text: &str, path: &Path, labels: &[String]) -> Result<Vec<Example>, Error> {
    let wrong =
        |line: usize, reason: String| Error::Line { source_name: path.display().to_string(), line, reason, next: NEXT };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
    let header: Vec<&str> = lines.next().map_or_else(Vec::new, |(_, line)| line.split('\t').collect());
    let column = |name: &str| header.iter().position(|&column| column == name);
    let (Some(first), Some(label)) = (column("sentence").or(column("sentence1")), column("label")) else {
        return Err(wrong(1, "no columns `sentence` and `label`".into()));
    };
    let second = column("sentence2");
    let examples: Vec<Example> = lines
        .map(|(index, line)| {
            let fields: Vec<&str> = line.split('\t').collect();
            if fields.len() != header.len() {
                return Err(wrong(index + 1, format!("{} fields for {} columns", fields.len(), header.len())));
            }
            let named = labels.iter().position(|name| name == fields[label]);
            let numbered = || fields[label].parse().ok().filter(|&number| number < labels.len());
            let label = named.or_else(numbered).ok_or_else(|| {
                wrong(index + 1, format!("`{}` is none of the model's labels ({})", fields[label], labels.join(", ")))
            })?;
            Ok(Example { text: fields[first].into(), pair: second.map(|second| fields[second].into()), label })
        })
        .collect::<Result<_, _>>()?;
    if examples.is_empty() {
        return Err(Error::usage(format!("{}: no text in it", path.display()), NEXT));
    }
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_labels_by_name_or_number() {
        let labels = ["no".to_owned(), "yes".to_owned()];
        let read = |text: &str| read(text, Path::new("data.tsv"), &labels);
        let example =
            |text: &str, pair: Option<&str>, label| Example { text: text.into(), pair: pair.map(str::to_owned), label };
        let found = read("sentence\tlabel\na b \t1\nc\tno\n").unwrap();
        assert_eq!(found, [example("a b ", None, 1), example("c", None, 0)]);
        let found = read("index\tsentence1\tsentence2\tlabel\n0\ta\tb\tyes\n").unwrap();
        assert_eq!(found, [example("a", Some("b"), 1)]);
        for (text, said) in [
            ("text\tlabel\na\t1\n", "line 1: no columns `sentence` and `label`"),
            ("sentence\tlabel\na\t2\n", "line 2: `2` is none of the model's labels (no, yes)"),
            ("sentence\tlabel\na\n", "line 2: 1 fields for 2 columns"),
            ("sentence\tlabel\n", "no text in it"),
        ] {
            assert!(read(text).unwrap_err().to_string().contains(said), "{text}");
        }
    }
}

//! Texts with their labels, as a file has them.

use super::layout::short;
use super::table::{SEPARATOR, Table};
use super::{Layout, Task};
use crate::model::Problem;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a text is to be answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// The number of the right label.
    Class(u32),
    /// A number.
    Value(f32),
    /// The numbers of all right labels, ascending.
    Set(Vec<u32>),
}

/// A text or a pair of texts, with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Text.
    pub text: String,
    /// Second text.
    pub pair: Option<String>,
    /// What is right.
    pub label: Label,
}

/// The examples of a file.
#[derive(Clone, Debug)]
pub struct Examples {
    /// In the order of the file.
    pub all: Vec<Example>,
    /// Names of the labels, by number.
    pub labels: Vec<String>,
    /// Lines that were left out because they have not all columns.
    pub left_out: usize,
    /// SHA-256 of the file's text.
    pub sha256: String,
}

impl Examples {
    /// Reads a file. `labels` are those of the training data, or of a model that is trained on; without them the task says them, or
    /// the file: all that occur, numbers in their order and words in that of the alphabet. `separator` parts the labels of a text.
    ///
    /// # Errors
    /// A file that cannot be read, without the columns, without an example; a line with too few fields or a label that is none.
    pub fn read(path: &Path, task: Task, layout: &Layout, labels: Option<&[String]>, separator: char) -> Result<Self> {
        let mut table = Table::read(path)?;
        let columns = layout.find(task, &mut table)?;
        let (mut rows, mut left_out) = (vec![], 0);
        let least = 1 + columns.text.max(columns.label).max(columns.pair.unwrap_or(0));
        for (line, fields) in table.rows() {
            if fields.len() >= least {
                rows.push((line, fields));
            } else if task.has_short_lines() {
                left_out += 1;
            } else {
                let reason = format!("line {line}: {} fields, where {least} are needed", fields.len());
                return Err(Error::file(path, reason, "correct the line, or leave it out"));
            }
        }
        if rows.is_empty() {
            return Err(Error::file(path, "no example in it", "give a file with texts and labels"));
        }
        let fields: Vec<&str> = rows.iter().map(|(_, fields)| fields[columns.label].as_str()).collect();
        let known = task.labels().map(|names| names.iter().map(|name| name.to_string()).collect());
        let labels = labels.map(<[String]>::to_vec).or(known).unwrap_or_else(|| discover(task, &fields, separator));
        let numbers: BTreeMap<&str, u32> = (0..).zip(&labels).map(|(i, name)| (name.as_str(), i)).collect();
        let mut all = Vec::with_capacity(rows.len());
        for (line, fields) in rows {
            let label = label(task, &fields[columns.label], &numbers, separator).map_err(|reason| {
                let next = "correct the line, or name the column with --label-column";
                Error::file(path, format!("line {line}: {reason}"), next)
            })?;
            let pair = columns.pair.map(|pair| fields[pair].clone());
            all.push(Example { text: fields[columns.text].clone(), pair, label });
        }
        Ok(Self { all, labels, left_out, sha256: table.sha256().to_string() })
    }
}

/// The labels of one field.
fn parts(field: &str, separator: char) -> impl Iterator<Item = &str> {
    let separator = if field.contains(SEPARATOR) { SEPARATOR } else { separator };
    field.split(separator).map(str::trim).filter(|name| !name.is_empty())
}

fn discover(task: Task, fields: &[&str], separator: char) -> Vec<String> {
    let names: BTreeSet<&str> = match task.problem() {
        Problem::MultiLabel => fields.iter().flat_map(|field| parts(field, separator)).collect(),
        _ => fields.iter().map(|field| field.trim()).collect(),
    };
    ordered(names)
}

/// Names of labels in the order of their numbers: words as in the alphabet, numbers by their value.
pub(super) fn ordered(names: BTreeSet<&str>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(str::to_string).collect();
    // 10 comes after 9.
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or(0));
    }
    names
}

/// The number of a label by its name, or by its number written out.
pub(super) fn class_of(name: &str, numbers: &BTreeMap<&str, u32>) -> Result<u32, String> {
    let number = || name.parse::<u32>().ok().filter(|&number| (number as usize) < numbers.len());
    numbers.get(name).copied().or_else(number).ok_or_else(|| {
        let mut names: Vec<(&u32, &&str)> = numbers.iter().map(|(name, number)| (number, name)).collect();
        names.sort();
        let names: Vec<&str> = names.into_iter().take(8).map(|(_, name)| *name).collect();
        format!("`{}` is no label of the task ({})", short(name), names.join(", "))
    })
}

fn label(task: Task, field: &str, numbers: &BTreeMap<&str, u32>, separator: char) -> Result<Label, String> {
    let class = |name: &str| class_of(name, numbers);
    match task.problem() {
        Problem::SingleLabel => class(field.trim()).map(Label::Class),
        Problem::Regression => {
            let value = field.trim().parse::<f32>().ok().filter(|value| value.is_finite());
            value.map(Label::Value).ok_or_else(|| format!("`{}` is not a number", short(field)))
        }
        Problem::MultiLabel => {
            let set: BTreeSet<u32> = parts(field, separator).map(class).collect::<Result<_, _>>()?;
            Ok(Label::Set(set.into_iter().collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(task: Task, layout: &Layout, name: &str, text: &str) -> Result<Examples> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Examples::read(&path, task, layout, None, ',')
    }

    fn glue(task: Task, text: &str) -> Result<Vec<(String, Option<String>, Label)>> {
        let examples = read(task, &Layout::default(), "dev.tsv", text)?;
        Ok(examples.all.into_iter().map(|e| (e.text, e.pair, e.label)).collect())
    }

    #[test]
    fn the_files_of_glue() {
        let one = |text: &str, pair: Option<&str>, label| vec![(text.to_string(), pair.map(str::to_string), label)];
        let class = Label::Class;
        for (task, text, expected) in [
            (Task::Cola, "gj04\t0\t*\tHe gone.\n", one("He gone.", None, class(0))),
            (Task::Sst2, "sentence\tlabel\ngood . \t1\n", one("good . ", None, class(1))),
            (Task::Rte, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n", one("a", Some("b"), class(1))),
            (Task::Qnli, "index\tquestion\tsentence\tlabel\n0\ta\tb\tentailment\n", one("a", Some("b"), class(0))),
            (Task::Wnli, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n", one("a", Some("b"), class(1))),
            (
                Task::Mrpc,
                "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\ta \"x\tb\n",
                one("a \"x", Some("b"), class(1)),
            ),
            (
                Task::Qqp,
                "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\ta\tb\t0\nshort\t1\n",
                one("a", Some("b"), class(0)),
            ),
            (
                Task::Mnli,
                "index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label\n0\tg\ta\tb\tneutral\tcontradiction\n",
                one("a", Some("b"), class(2)),
            ),
            (
                Task::Stsb,
                "index\tgenre\tsentence1\tsentence2\tscore\n0\tg\ta\tb\t3.800\n",
                one("a", Some("b"), Label::Value(3.8)),
            ),
            (
                Task::Stsb,
                "main-captions\tMSRvid\t2012test\t0000\t4.750\ta\tb\n",
                one("a", Some("b"), Label::Value(4.75)),
            ),
        ] {
            assert_eq!(glue(task, text).unwrap(), expected, "{task:?}");
        }
    }

    #[test]
    fn files_of_ones_own() {
        let layout = Layout { text: Some("body".into()), label: Some("tags".into()), ..Layout::default() };
        let found = read(Task::MultiLabel, &layout, "a.csv", "body,tags\nx,\"b, a\"\ny,\nz,c\n").unwrap();
        assert_eq!(found.labels, ["a", "b", "c"]);
        let sets: Vec<Label> = found.all.into_iter().map(|example| example.label).collect();
        assert_eq!(sets, [Label::Set(vec![0, 1]), Label::Set(vec![]), Label::Set(vec![2])]);
        let found = read(Task::MultiLabel, &layout, "a.jsonl", "{\"body\": \"x\", \"tags\": [\"a, b\"]}\n").unwrap();
        assert_eq!(found.labels, ["a, b"]);
        let found = read(Task::Classification, &Layout::default(), "a.tsv", "text\tlabel\nx\t10\ny\t9\n").unwrap();
        assert_eq!((found.labels, found.all[0].label.clone()), (vec!["9".into(), "10".into()], Label::Class(1)));
    }

    #[test]
    fn errors_name_file_line_and_reason() {
        for (task, text, words) in [
            (Task::Sst2, "sentence\tlabel\na\t2\n", "line 2: `2` is no label of the task (negative, positive)"),
            (Task::Sst2, "sentence\tlabel\na\n", "line 2: 1 fields, where 2 are needed"),
            (Task::Sst2, "text\tlabel\na\t1\n", "no column `sentence` (the first line has `text`, `label`)"),
            (Task::Sst2, "sentence\tlabel\n", "no example in it"),
            (Task::Sst2, "", "it is empty"),
            (Task::Stsb, "index\tsentence1\tsentence2\tscore\n0\ta\tb\tnan\n", "line 2: `nan` is not a number"),
            (Task::Cola, "a\t1\n", "no column `sentence`"),
        ] {
            let error = glue(task, text).unwrap_err().to_string();
            assert!(error.contains("dev.tsv") && error.contains(words), "{error}");
        }
    }
}

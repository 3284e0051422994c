//! Where a task's files are.

use crate::cli::safety::at_least_1;
use crate::finetune::Task;
use crate::{Error, Result};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(super) struct FileOptions {
    /// Folder with the task's files: train and dev (or validation), .tsv, .csv or .jsonl (for tokens .conll, .txt or .jsonl), also .gz or
    /// .zst
    #[arg(long, value_name = "DIR", required_unless_present = "train")]
    data: Option<PathBuf>,
    /// Training file [default: the one in --data]
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Held-out file [default: the one in --data; without one the last model is written, unjudged]
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    /// Column of the text, or of the words
    #[arg(long, value_name = "NAME")]
    pub(super) text_column: Option<String>,
    /// Column of a second text
    #[arg(long, value_name = "NAME")]
    pub(super) pair_column: Option<String>,
    /// Column of the label, or of the labels
    #[arg(long, value_name = "NAME")]
    pub(super) label_column: Option<String>,
    /// Trains on N examples (or questions) only, spread evenly over the file
    #[arg(long, value_name = "N", value_parser = at_least_1)]
    pub(super) limit: Option<usize>,
    /// Judges on the first N held-out examples (or questions) only
    #[arg(long, value_name = "N", value_parser = at_least_1)]
    pub(super) dev_limit: Option<usize>,
    /// Between the labels of one text, for multi-label
    #[arg(long, value_name = "CHAR", default_value_t = ',')]
    pub(super) label_separator: char,
}

/// The files of a task.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) train: PathBuf,
    /// Those after the first have a name.
    pub(super) dev: Vec<(&'static str, PathBuf)>,
}

const FORMS: [&str; 5] = ["tsv", "csv", "jsonl", "json", "ndjson"];
/// For sentences whose words have labels.
const WORD_FORMS: [&str; 8] = ["conll", "txt", "tsv", "bio", "iob2", "jsonl", "json", "ndjson"];

/// The file of this name, in any of these forms.
fn named(folder: &Path, name: &str, forms: &[&str]) -> Option<PathBuf> {
    let packed = ["", ".zst", ".gz"];
    let mut all = forms.iter().flat_map(|form| packed.map(|end| folder.join(format!("{name}.{form}{end}"))));
    all.find(|path| path.is_file())
}

impl FileOptions {
    /// The files of a folder, with the columns of their task.
    pub(super) fn of_folder(data: PathBuf, limit: Option<usize>, dev_limit: Option<usize>) -> Self {
        Self {
            data: Some(data),
            train: None,
            dev: None,
            text_column: None,
            pair_column: None,
            label_column: None,
            limit,
            dev_limit,
            label_separator: ',',
        }
    }

    /// Finds the files.
    pub(super) fn find(&self, task: Task) -> Result<Files> {
        let folder = self.data.as_deref();
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let reason = if folder.exists() { "not a folder" } else { "no such folder" };
            return Err(Error::file(folder, reason, "name the folder with the task's files, or use --train and --dev"));
        }
        let words = task == Task::Tokens;
        let forms = if words { &WORD_FORMS[..] } else { &FORMS };
        let within = |name: &str| folder.and_then(|folder| named(folder, name, forms));
        let squad = task == Task::Squad;
        let versions = |name: &str| {
            let mut names = [format!("{name}-v1.1"), format!("{name}-v2.0")].into_iter().filter(|_| squad);
            names.find_map(|name| within(&name))
        };
        let train = self.train.clone().or_else(|| versions("train")).or_else(|| within("train")).ok_or_else(|| {
            let folder = folder.unwrap_or(Path::new("."));
            let names = if words { "train.conll, train.txt" } else { "train.tsv, train.csv" };
            Error::file(folder, format!("no {names} or train.jsonl in it"), "name the file with --train")
        })?;
        let first = ["dev", "validation", "valid", "dev_matched", "validation_matched"];
        let dev = self.dev.clone().or_else(|| versions("dev")).or_else(|| first.into_iter().find_map(within));
        let mut dev: Vec<(&'static str, PathBuf)> = dev.into_iter().map(|path| ("", path)).collect();
        if task == Task::Mnli && self.dev.is_none() {
            let other = within("dev_mismatched").or_else(|| within("validation_mismatched"));
            dev.extend(other.map(|path| ("mismatched", path)));
        }
        Ok(Files { train, dev })
    }
}

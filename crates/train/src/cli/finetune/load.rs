//! Files of a task, as token ids and targets.

use super::files::{FileOptions, Files};
use crate::comm;
use crate::data::vocabulary::Vocabulary;
use crate::finetune::tagging::{self, Sentences};
use crate::finetune::{Data, Examples, FinetuneConfig, Layout, reading};
use crate::{Result, files};
use std::fmt::Debug;
use std::path::Path;

/// All data of a run.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Labels by number.
    pub(super) names: Vec<String>,
    pub(super) train: Data,
    pub(super) dev: Vec<(&'static str, Data)>,
    /// Checksum of all files, and of what was read of them.
    pub(super) sum: String,
}

/// Keeps `limit` of them, spread evenly.
fn spread<T>(all: &mut Vec<T>, limit: Option<usize>) {
    let (n, count) = (all.len(), limit.unwrap_or(usize::MAX));
    let mut index = 0;
    // Number i is kept where i count / n passes a whole number.
    all.retain(|_| {
        index += 1;
        count >= n || index * count / n > (index - 1) * count / n
    });
}

/// Of what was read, from the sums of the files and what was taken of them.
fn sum_of(files: &[String], read: impl Debug) -> String {
    files::sha256(format!("{} {read:?}", files.join(" ")).as_bytes())
}

/// Texts with labels; `labels` are those that the data has to have.
pub(super) fn texts(
    files: &Files,
    options: &FileOptions,
    config: &FinetuneConfig,
    labels: Option<&[String]>,
    vocabulary: &Vocabulary,
) -> Result<Loaded> {
    let layout = options.layout();
    let read = |path: &Path, labels: Option<&[String]>| {
        Examples::read(path, config.task, &layout, labels, options.label_separator)
    };
    let mut train = read(&files.train, labels)?;
    spread(&mut train.all, options.limit);
    let mut sums = vec![train.sha256.clone()];
    let data = encode(&files.train, &train, vocabulary, config.max_length)?;
    let mut dev = vec![];
    for (name, path) in &files.dev {
        let mut examples = read(path, Some(&train.labels))?;
        examples.all.truncate(options.dev_limit.unwrap_or(usize::MAX));
        sums.push(examples.sha256.clone());
        dev.push((*name, encode(path, &examples, vocabulary, config.max_length)?));
    }
    let sum = sum_of(&sums, (layout, options.limit, options.dev_limit));
    Ok(Loaded { names: train.labels, train: data, dev, sum })
}

/// Questions about paragraphs.
pub(super) fn questions(
    files: &Files,
    options: &FileOptions,
    config: &FinetuneConfig,
    vocabulary: &Vocabulary,
) -> Result<Loaded> {
    let mut sums = vec![];
    let mut load = |path: &Path, train: bool| -> Result<Data> {
        let (mut questions, sum) = reading::read(path)?;
        sums.push(sum);
        match train {
            true => spread(&mut questions, options.limit),
            false => questions.truncate(options.dev_limit.unwrap_or(usize::MAX)),
        }
        let count = questions.len();
        let data = reading::encode(questions, vocabulary, config.max_length, config.stride)?;
        comm::say(&format!("{}: {count} questions in {} windows", path.display(), data.len()));
        Ok(data)
    };
    let train = load(&files.train, true)?;
    let dev = files.dev.iter().map(|(name, path)| Ok((*name, load(path, false)?))).collect::<Result<_>>()?;
    let sum = sum_of(&sums, (options.limit, options.dev_limit));
    Ok(Loaded { names: vec![], train, dev, sum })
}

/// Sentences whose words have labels; `labels` are those that the data has to have.
pub(super) fn sentences(
    files: &Files,
    options: &FileOptions,
    config: &FinetuneConfig,
    labels: Option<&[String]>,
    vocabulary: &Vocabulary,
) -> Result<Loaded> {
    let (layout, longest) = (options.layout(), config.max_length);
    let encode = |path: &Path, all: &[tagging::Sentence], training: bool| -> Result<Data> {
        let (data, unseen) = tagging::encode(all, vocabulary, longest, training)?;
        let (n, words) = (all.len(), all.iter().map(|sentence| sentence.words.len()).sum::<usize>());
        let path = path.display();
        if unseen.cut > 0 {
            let tagging::Unseen { cut, behind, .. } = unseen;
            comm::say(&format!(
                "note: {path}: {cut} of {n} sentences are longer than --max-length {longest}: {behind} of {words} words at their ends \
                 are not seen"
            ));
        }
        if unseen.empty > 0 {
            comm::say(&format!(
                "note: {path}: {} of {words} words have no character that the tokenizer keeps",
                unseen.empty
            ));
        }
        Ok(data)
    };
    let mut train = Sentences::read(&files.train, &layout, labels)?;
    spread(&mut train.all, options.limit);
    let mut sums = vec![train.sha256.clone()];
    let data = encode(&files.train, &train.all, true)?;
    let mut dev = vec![];
    for (name, path) in &files.dev {
        let mut found = Sentences::read(path, &layout, Some(&train.labels))?;
        found.all.truncate(options.dev_limit.unwrap_or(usize::MAX));
        sums.push(found.sha256);
        dev.push((*name, encode(path, &found.all, false)?));
    }
    let sum = sum_of(&sums, (layout, options.limit, options.dev_limit));
    Ok(Loaded { names: train.labels, train: data, dev, sum })
}

fn encode(path: &Path, examples: &Examples, vocabulary: &Vocabulary, longest: usize) -> Result<Data> {
    let data = Data::encode(&examples.all, vocabulary, longest)?;
    if examples.left_out > 0 {
        comm::say(&format!("note: {}: {} lines without all columns are left out", path.display(), examples.left_out));
    }
    if data.truncated > 0 {
        comm::say(&format!(
            "note: {}: {} of {} texts are longer than --max-length {longest} and lose their end",
            path.display(),
            data.truncated,
            data.len()
        ));
    }
    Ok(data)
}

impl FileOptions {
    fn layout(&self) -> Layout {
        Layout { text: self.text_column.clone(), pair: self.pair_column.clone(), label: self.label_column.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_keeps_so_many_from_everywhere() {
        for (n, limit) in [(10, 3), (10, 10), (10, 99), (1000, 7), (5, 1)] {
            let mut all: Vec<usize> = (0..n).collect();
            spread(&mut all, Some(limit));
            assert_eq!(all.len(), n.min(limit));
            assert!(all.windows(2).all(|pair| pair[1] - pair[0] <= n.div_ceil(limit)), "{all:?}");
        }
        let mut all = vec![1, 2, 3];
        spread(&mut all, None);
        assert_eq!(all, [1, 2, 3]);
    }
}

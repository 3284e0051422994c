//! Sentences whose words have labels each: files of them (CoNLL, JSON lines), and their tokens.

use super::data::{Data, Targets};
use super::examples::{class_of, ordered};
use super::layout::{Layout, short};
use super::table::{SEPARATOR, Table, form, read_text};
use super::{Columns, Task};
use crate::data::vocabulary::{Encoder, Vocabulary};
use crate::{Error, Result, files};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Words and their labels, as a file has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    /// The words.
    pub words: Vec<String>,
    /// The number of each one's label.
    pub labels: Vec<u32>,
}

/// The sentences of a file.
#[derive(Clone, Debug)]
pub struct Sentences {
    /// In the order of the file.
    pub all: Vec<Sentence>,
    /// Names of the labels, by number.
    pub labels: Vec<String>,
    /// SHA-256 of the file's text.
    pub sha256: String,
}

/// The labels of a sentence that is a sequence of tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tags {
    /// For each word the number of its label.
    pub labels: Vec<u32>,
    /// For each word its first token, counted in the sequence; none for a word without a token or behind the sequence's end.
    pub places: Vec<Option<u32>>,
}

impl Tags {
    /// Token and label of every word that the model sees.
    pub fn seen(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.places.iter().zip(&self.labels).filter_map(|(place, label)| Some(((*place)?, *label)))
    }
}

/// Words that the model does not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Sentences that lost their end.
    pub cut: usize,
    /// Words behind the end of those.
    pub behind: usize,
    /// Words without a character that the tokenizer keeps.
    pub empty: usize,
}

/// Words and tags of one sentence, and the line in which each stands.
type Raw = (Vec<String>, Vec<String>, Vec<usize>);

const NEXT: &str = "each line is a word and, in its last column, its label; an empty line ends a sentence";

impl Sentences {
    /// Reads a file: JSON lines with a list of words (`tokens`) and one of labels (`tags`) where its name says so, else CoNLL's columns, of
    /// which the first is the word and the last its label. `labels` are those of the training data, or of a model that is trained on;
    /// without them all that occur.
    ///
    /// # Errors
    /// A file that cannot be read or has no sentence; a word without label; a label that is none of `labels`.
    pub fn read(path: &Path, layout: &Layout, labels: Option<&[String]>) -> Result<Self> {
        if layout.pair.is_some() {
            return Err(Error::Config("--pair-column: a sentence whose words have labels has no second text".into()));
        }
        let (raw, sha256) = match form(path).as_str() {
            "json" | "jsonl" | "ndjson" => json(path, layout)?,
            _ if *layout != Layout::default() => {
                let reason = "--text-column and --label-column are for JSON lines";
                return Err(Error::file(path, reason, NEXT));
            }
            _ => {
                let text = read_text(path)?;
                (columns(path, &text)?, files::sha256(text.as_bytes()))
            }
        };
        let raw: Vec<Raw> = raw.into_iter().filter(|(words, ..)| !words.is_empty()).collect();
        if raw.is_empty() {
            return Err(Error::file(path, "no sentence in it", NEXT));
        }
        let occurring: BTreeSet<&str> = raw.iter().flat_map(|(_, tags, _)| tags.iter().map(String::as_str)).collect();
        let labels = labels.map_or_else(|| ordered(occurring), <[String]>::to_vec);
        let numbers: BTreeMap<&str, u32> = (0..).zip(&labels).map(|(i, name)| (name.as_str(), i)).collect();
        let number = |(tag, line): (&String, &usize)| {
            class_of(tag, &numbers).map_err(|reason| {
                let next = "correct the line; labels are those of the training data, or of the teacher";
                Error::file(path, format!("line {line}: {reason}"), next)
            })
        };
        let all = raw.iter().map(|(words, tags, lines)| {
            let labels = tags.iter().zip(lines).map(number).collect::<Result<_>>()?;
            Ok(Sentence { words: words.clone(), labels })
        });
        let all = all.collect::<Result<_>>()?;
        Ok(Self { all, labels, sha256 })
    }
}

/// CoNLL: a word and its label a line, an empty line between sentences, `-DOCSTART-` between documents.
fn columns(path: &Path, text: &str) -> Result<Vec<Raw>> {
    let mut sentences: Vec<Raw> = vec![Raw::default()];
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let mut fields = text.split_whitespace();
        match (fields.next(), fields.next_back()) {
            (None, _) | (Some("-DOCSTART-"), _) => sentences.push(Raw::default()),
            (Some(word), Some(tag)) => {
                if let Some((words, tags, lines)) = sentences.last_mut() {
                    words.push(word.to_string());
                    tags.push(tag.to_string());
                    lines.push(line);
                }
            }
            (Some(word), None) => {
                let reason = format!("line {line}: the word `{}` has no label", short(word));
                return Err(Error::file(path, reason, NEXT));
            }
        }
    }
    Ok(sentences)
}

fn json(path: &Path, layout: &Layout) -> Result<(Vec<Raw>, String)> {
    let mut table = Table::read(path)?;
    let Columns { text, label, .. } = layout.find(Task::Tokens, &mut table)?;
    let wrong = |line: usize, reason: String| {
        Error::file(path, format!("line {line}: {reason}"), "give each sentence as a list of words and one of labels")
    };
    let mut sentences = vec![];
    for (line, fields) in table.rows() {
        let list = |field: &str| members(field).ok_or_else(|| wrong(line, format!("`{}` is no list", short(field))));
        let (words, tags) = (list(&fields[text])?, list(&fields[label])?);
        if words.len() != tags.len() {
            return Err(wrong(line, format!("{} words and {} labels", words.len(), tags.len())));
        }
        let lines = vec![line; words.len()];
        sentences.push((words, tags, lines));
    }
    Ok((sentences, table.sha256().to_string()))
}

/// The members of a list in a field of a table.
fn members(field: &str) -> Option<Vec<String>> {
    if field.is_empty() {
        return Some(vec![]);
    }
    Some(field.strip_suffix(SEPARATOR)?.split(SEPARATOR).map(str::to_string).collect())
}

/// `[CLS] words [SEP]` of at most `longest` tokens each, every word encoded by itself and known by its first token. For training,
/// sentences of which the model sees no word are left out: nothing can be learned from them.
///
/// # Errors
/// A tokenizer that fails; training data in which no word has a token.
pub fn encode(
    sentences: &[Sentence],
    vocabulary: &Vocabulary,
    longest: usize,
    training: bool,
) -> Result<(Data, Unseen)> {
    let room = longest.saturating_sub(1);
    let sequence = |encoder: &mut Encoder<'_>, sentence: &Sentence| -> Result<(Vec<u32>, Tags, Unseen)> {
        let (mut ids, mut places, mut unseen) = (vec![vocabulary.special.cls], vec![], Unseen::default());
        for word in &sentence.words {
            let place = ids.len();
            encoder.encode(word, &mut ids)?;
            let empty = ids.len() == place;
            unseen.empty += usize::from(empty);
            unseen.behind += usize::from(!empty && place >= room);
            places.push((!empty && place < room).then_some(place as u32));
        }
        unseen.cut = usize::from(ids.len() > room);
        ids.truncate(room);
        ids.push(vocabulary.special.sep);
        Ok((ids, Tags { labels: sentence.labels.clone(), places }, unseen))
    };
    let blocks: Vec<Vec<_>> = sentences
        .par_chunks(1 << 10)
        .map(|sentences| {
            let mut encoder = Encoder::new(vocabulary)?;
            sentences.iter().map(|sentence| sequence(&mut encoder, sentence)).collect()
        })
        .collect::<Result<_>>()?;
    let (mut all, mut targets, mut unseen) = (vec![], vec![], Unseen::default());
    for (ids, tags, more) in blocks.into_iter().flatten() {
        unseen.cut += more.cut;
        unseen.behind += more.behind;
        unseen.empty += more.empty;
        if !training || tags.seen().next().is_some() {
            let length = ids.len();
            all.push((ids, length));
            targets.push(tags);
        }
    }
    if all.is_empty() {
        return Err(Error::Data(
            "no word of the training data has a token; is the vocabulary of another language?".into(),
        ));
    }
    Ok((Data::of(all, Targets::Tags(targets), None), unseen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str, layout: &Layout, labels: Option<&[String]>) -> Result<Sentences> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Sentences::read(&path, layout, labels)
    }

    fn sentence(words: &[&str], labels: &[u32]) -> Sentence {
        Sentence { words: words.iter().map(|word| word.to_string()).collect(), labels: labels.to_vec() }
    }

    #[test]
    fn both_forms_give_the_same_sentences() {
        let conll = "\u{feff}-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n \n\nJane\tB-PER\r\nBlack\tI-PER\r\n";
        let lines = "{\"tokens\": [\"EU\", \"rejects\"], \"tags\": [\"B-ORG\", \"O\"]}\n{\"tags\": [], \"tokens\": []}\n\
                     {\"tags\": [\"B-PER\", \"I-PER\"], \"tokens\": [\"Jane\", \"Black\"]}\n";
        for (name, text) in [("train.conll", conll), ("eng.train", conll), ("train.jsonl", lines)] {
            let found = read(name, text, &Layout::default(), None).unwrap();
            assert_eq!(found.labels, ["B-ORG", "B-PER", "I-PER", "O"]);
            assert_eq!(found.all, [sentence(&["EU", "rejects"], &[0, 3]), sentence(&["Jane", "Black"], &[1, 2])]);
        }
        let layout = Layout { text: Some("w".into()), label: Some("ner".into()), ..Layout::default() };
        let found = read("a.json", "{\"w\": [\"a\", \"b\"], \"ner\": [10, 9]}\n", &layout, None).unwrap();
        assert_eq!((found.labels, found.all), (vec!["9".into(), "10".into()], vec![sentence(&["a", "b"], &[1, 0])]));
    }

    #[test]
    fn errors_name_file_line_and_reason() {
        let known = ["B-PER".to_string(), "O".to_string()];
        let columns = Layout { label: Some("ner".into()), ..Layout::default() };
        for (name, text, words) in [
            ("dev.conll", "EU O\n\nalone\n", "line 3: the word `alone` has no label; each line is a word"),
            ("dev.conll", "EU O\nJane B-LOC\n", "line 2: `B-LOC` is no label of the task (B-PER, O)"),
            ("dev.conll", "", "no sentence in it"),
            ("dev.txt", "-DOCSTART- O\n\n\n", "no sentence in it"),
            ("dev.jsonl", "{\"tokens\": [\"a\", \"b\"], \"tags\": [\"O\"]}", "line 1: 2 words and 1 labels"),
            ("dev.jsonl", "{\"tokens\": \"a b\", \"tags\": [\"O\"]}", "line 1: `a b` is no list"),
            ("dev.jsonl", "{\"words\": [\"a\"], \"tags\": [\"O\"]}", "no column `tokens`"),
            ("dev.jsonl", "", "it is empty"),
        ] {
            let error = read(name, text, &Layout::default(), Some(&known)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(words), "{error}");
        }
        let error = read("dev.conll", "EU O\n", &columns, None).unwrap_err().to_string();
        assert!(error.contains("--label-column are for JSON lines"), "{error}");
        let pair = Layout { pair: Some("b".into()), ..Layout::default() };
        assert!(read("dev.conll", "EU O\n", &pair, None).unwrap_err().to_string().contains("no second text"));
    }

    #[test]
    fn a_word_is_its_first_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.txt");
        std::fs::write(&path, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##s\n'\n").unwrap();
        let vocabulary = Vocabulary::read(&path, false).unwrap();
        let all = [
            sentence(&["ass", "\u{200b}", "b's", "a"], &[1, 0, 2, 0]),
            sentence(&["\u{200b}"], &[1]),
            sentence(&["a", "bs"], &[0, 1]),
        ];
        let (data, unseen) = encode(&all, &vocabulary, 12, false).unwrap();
        assert_eq!((data.len(), unseen), (3, Unseen { cut: 0, behind: 0, empty: 2 }));
        assert_eq!(data.batch(&[0]).ids, [2, 5, 7, 7, 6, 8, 1, 5, 3]);
        let Targets::Tags(tags) = &data.targets else { panic!() };
        assert_eq!(tags[0].places, [Some(1), None, Some(4), Some(7)]);
        assert_eq!(tags[0].seen().collect::<Vec<_>>(), [(1, 1), (4, 2), (7, 0)]);
        assert_eq!(tags[1].places, [None]);

        // Room for four tokens between the marks: a word whose first piece is there is seen.
        let (data, unseen) = encode(&all, &vocabulary, 6, true).unwrap();
        assert_eq!(
            (data.len(), unseen),
            (2, Unseen { cut: 1, behind: 1, empty: 2 }),
            "nothing to learn from the second"
        );
        assert_eq!(data.batch(&[0, 1]).ids, [2, 5, 7, 7, 6, 3, 2, 5, 6, 7, 3]);
        let Targets::Tags(tags) = &data.targets else { panic!() };
        assert_eq!(tags[0].places, [Some(1), None, Some(4), None]);
        assert!(encode(&all[1..2], &vocabulary, 6, true).unwrap_err().to_string().contains("no word"));
    }
}

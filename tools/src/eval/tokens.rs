//! Token classification on a CoNLL file: F1 of entities, and the share of words with the right tag.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::entities::{is_tag, tally};
use super::{Source, Subject, Ticks, scores};
use crate::error::Error;
use crate::text::read_text;

const NEXT: &str = "each line is a word and, in its last column, the word's tag; an empty line ends a sentence";

/// A sentence's words with their tags.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sentence {
    words: Vec<String>,
    tags: Vec<String>,
}

/// The result; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// `tokens`.
    pub task: &'static str,
    /// `packed`, or `float` for the original.
    pub path: &'static str,
    /// Sentences.
    pub sentences: usize,
    /// Their words.
    pub words: usize,
    /// Words beyond what the model takes, or without a character that it knows: they count as `O`.
    pub unseen: usize,
    /// F1 of the entities; null if the model's labels are no tags of entities.
    pub f1: Option<f64>,
    /// Share of the entities that were found that are right.
    pub precision: Option<f64>,
    /// Share of the right entities that were found.
    pub recall: Option<f64>,
    /// Share of the words with the right tag.
    pub accuracy: f64,
}

/// Tags the first `limit` sentences of a file. A word's tag is that of its first piece.
pub fn run(subject: &Subject<'_>, source: &Source, ticks: Ticks<'_>) -> Result<Report, Error> {
    let (data, limit) = source.place();
    let labels = subject.labels();
    let mut sentences = read(&read_text(data)?, data)?;
    sentences.truncate(limit.unwrap_or(usize::MAX));
    let known = |tag: &String| tag != "O" && labels.contains(tag);
    if !sentences.iter().flat_map(|sentence| &sentence.tags).any(known) {
        let message = format!("{}: no tag in it is one of the model's labels ({})", data.display(), labels.join(", "));
        return Err(Error::usage(message, "give data of the kind that the model was trained for"));
    }
    ticks.start(sentences.len());
    let sequencer = subject.sequencer();
    let most = subject.config().max_positions as usize;
    let one = |arena: &mut Vec<u8>, sentence: &Sentence| {
        let (sequence, places) = sequencer.words(&sentence.words, most);
        let seen: Vec<usize> = places.iter().flatten().copied().collect();
        let mut tags = subject.tags(arena, &sequence, &seen)?.into_iter();
        let said = places.iter().map(|place| place.and_then(|_| tags.next()));
        let said: Vec<Option<usize>> = said.collect();
        ticks.one();
        Ok(said)
    };
    let each = sentences.par_iter().map_init(|| vec![0; subject.arena_len()], one);
    let said: Vec<Vec<Option<usize>>> = each.collect::<Result<_, Error>>()?;

    let name = |label: Option<usize>| label.map_or("O", |label| &labels[label]);
    let said_names = || said.iter().map(|tags| tags.iter().map(|&tag| name(tag)).collect::<Vec<_>>());
    let right_names = || sentences.iter().map(|sentence| sentence.tags.iter().map(String::as_str).collect::<Vec<_>>());
    let entities = labels.iter().all(|label| is_tag(label)).then(|| tally(said_names().zip(right_names())));
    let (all_said, all_right): (Vec<&str>, Vec<&str>) =
        (said_names().flatten().collect(), right_names().flatten().collect());
    Ok(Report {
        task: "tokens",
        path: subject.path_name(),
        sentences: sentences.len(),
        words: all_right.len(),
        unseen: said.iter().flatten().filter(|tag| tag.is_none()).count(),
        f1: entities.map(scores::Tally::f1),
        precision: entities.map(scores::Tally::precision),
        recall: entities.map(scores::Tally::recall),
        accuracy: scores::accuracy(&all_said, &all_right),
    })
}

fn read(text: &str, path: &Path) -> Result<Vec<Sentence>, Error> {
    let (mut sentences, mut sentence) = (Vec::new(), Sentence::default());
    for (at, line) in text.lines().enumerate() {
        let mut fields = line.split_whitespace();
        match (fields.next(), fields.next_back()) {
            // The mark between the documents of CoNLL 2003.
            (None, _) | (Some("-DOCSTART-"), _) => sentences.push(std::mem::take(&mut sentence)),
            (Some(word), Some(tag)) => {
                sentence.words.push(word.to_owned());
                sentence.tags.push(tag.to_owned());
            }
            (Some(_), None) => {
                let source_name = path.display().to_string();
                return Err(Error::Line {
                    source_name,
                    line: at + 1,
                    reason: "a word without a tag".into(),
                    next: NEXT,
                });
            }
        }
    }
    sentences.push(sentence);
    sentences.retain(|sentence| !sentence.words.is_empty());
    if sentences.is_empty() {
        return Err(Error::usage(format!("{}: no sentence in it", path.display()), NEXT));
    }
    Ok(sentences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_with_an_empty_line() {
        let text = "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n \nJane\tB-PER\r\n";
        let found = read(text, Path::new("dev.conll")).unwrap();
        let sentence = |words: &[&str], tags: &[&str]| Sentence {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        };
        assert_eq!(found, [sentence(&["EU", "rejects"], &["B-ORG", "O"]), sentence(&["Jane"], &["B-PER"])]);
        let error = read("EU O\nalone\n", Path::new("dev.conll")).unwrap_err();
        assert_eq!(error.to_string(), "dev.conll: line 2: a word without a tag");
        assert!(read("\n\n", Path::new("dev.conll")).unwrap_err().to_string().contains("no sentence"));
    }
}

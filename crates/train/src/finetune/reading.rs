//! Questions about paragraphs, as the Stanford question answering dataset has them, cut into windows.

use super::data::{Data, Targets};
use super::table::read_text;
use crate::data::vocabulary::Vocabulary;
use crate::{Error, Result, files};
use rayon::prelude::*;
use serde::Deserialize;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Most tokens of a question.
const LONGEST_QUESTION: usize = 64;

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
    #[serde(default)]
    answers: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    text: String,
    /// In code points.
    answer_start: usize,
}

/// A question and what people answered.
#[derive(Clone, Debug)]
pub struct Question {
    /// The question.
    pub question: String,
    /// The paragraph.
    pub context: Arc<str>,
    /// Right answers; none where there is none.
    pub answers: Vec<String>,
    /// Bytes of the first answer in the paragraph.
    answer: Option<Range<usize>>,
}

impl Question {
    /// A question about a paragraph, for judging.
    pub fn of(question: &str, context: &str, answers: &[&str]) -> Self {
        let answers = answers.iter().map(|answer| answer.to_string()).collect();
        Self { question: question.into(), context: context.into(), answers, answer: None }
    }
}

/// One window: the whole question and a part of its paragraph.
#[derive(Clone, Debug)]
pub struct Window {
    /// Number of the question.
    pub question: usize,
    /// Token of the window that is the paragraph's first in it.
    pub first: usize,
    /// Bytes of the paragraph's tokens in it.
    pub spans: Vec<Range<u32>>,
}

/// What is needed to turn scores into answers.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// All questions.
    pub questions: Vec<Question>,
    /// One for each sequence.
    pub windows: Vec<Window>,
}

/// Reads a file of versions 1.1 or 2.0; returns its questions and the SHA-256 of its text.
///
/// # Errors
/// A file that cannot be read or is none, has no question, or an answer outside its paragraph.
pub fn read(path: &Path) -> Result<(Vec<Question>, String)> {
    let text = read_text(path)?;
    let next = "give a file such as train-v1.1.json";
    let file: File =
        serde_json::from_str(&text).map_err(|e| Error::file(path, format!("not such a file: {e}"), next))?;
    let mut questions = vec![];
    for paragraph in file.data.into_iter().flat_map(|article| article.paragraphs) {
        let context: Arc<str> = paragraph.context.into();
        for asked in paragraph.qas {
            let range = asked.answers.first().map(|given| bytes_of(&context, given)).transpose();
            let answer = range.map_err(|reason| {
                let reason = format!("question `{}`: {reason}", super::layout::short(&asked.question));
                Error::file(path, reason, "correct the answer, or leave it out")
            })?;
            let answers = asked.answers.into_iter().map(|given| given.text).collect();
            questions.push(Question { question: asked.question, context: context.clone(), answers, answer });
        }
    }
    match questions.is_empty() {
        true => Err(Error::file(path, "no question in it", next)),
        false => Ok((questions, files::sha256(text.as_bytes()))),
    }
}

fn bytes_of(context: &str, given: &Given) -> Result<Range<usize>, String> {
    let mut places = context.char_indices().map(|(byte, _)| byte).chain([context.len()]);
    let start = places.nth(given.answer_start).ok_or("its answer begins behind the paragraph")?;
    let end = start + given.text.len();
    match context.get(start..end) {
        Some(found) if found == given.text => Ok(start..end),
        _ => Err(format!("its answer `{}` does not stand where it says", super::layout::short(&given.text))),
    }
}

/// Token ids of a window, what it is, and where the answer stands.
type Cut = (Vec<u32>, Window, [u32; 2]);

/// Cuts questions into windows of at most `longest` tokens, neighbours sharing `stride` of the paragraph: `[CLS] question [SEP] part
/// [SEP]`. The target of a window without the whole answer is `[CLS]`.
///
/// # Errors
/// When a window has no room for more of a paragraph than it shares.
pub fn encode(questions: Vec<Question>, vocabulary: &Vocabulary, longest: usize, stride: usize) -> Result<Data> {
    let cut = |(i, question): (usize, &Question)| -> Result<Vec<Cut>> {
        let mut asked = vocabulary.encode(&question.question)?;
        asked.truncate(LONGEST_QUESTION);
        if longest <= asked.len() + 3 + stride {
            return Err(Error::Config(format!(
                "a window of {longest} tokens has no room for a question of {} and more of the paragraph than the {stride} it shares \
                 with its neighbour; raise --max-length or lower --stride",
                asked.len()
            )));
        }
        let context = vocabulary.encode_with_spans(&question.context)?;
        let room = longest - asked.len() - 3;
        let first = asked.len() + 2;
        let (mut windows, mut start) = (vec![], 0);
        loop {
            let part = &context[start..context.len().min(start + room)];
            let mut ids = vec![vocabulary.special.cls];
            ids.extend(&asked);
            ids.push(vocabulary.special.sep);
            ids.extend(part.iter().map(|(id, _)| id));
            ids.push(vocabulary.special.sep);
            let spans: Vec<Range<u32>> = part.iter().map(|(_, span)| span.start as u32..span.end as u32).collect();
            let target = question.answer.as_ref().and_then(|answer| tokens_of(answer, &spans));
            let target = target.map_or([0, 0], |[a, b]| [(first + a) as u32, (first + b) as u32]);
            windows.push((ids, Window { question: i, first, spans }, target));
            if start + room >= context.len() {
                return Ok(windows);
            }
            start += room - stride;
        }
    };
    let cut: Vec<_> = questions.par_iter().enumerate().map(cut).collect::<Result<Vec<_>>>()?;
    let mut reading = Reading { questions, windows: vec![] };
    let (mut sequences, mut targets) = (vec![], vec![]);
    for (ids, window, target) in cut.into_iter().flatten() {
        sequences.push((ids, window.first));
        targets.push(target);
        reading.windows.push(window);
    }
    Ok(Data::of(sequences, Targets::Spans(targets), Some(reading)))
}

/// First and last of the tokens that hold an answer; none when they do not hold all of it.
fn tokens_of(answer: &Range<usize>, spans: &[Range<u32>]) -> Option<[usize; 2]> {
    let (start, end) = (answer.start as u32, answer.end as u32);
    let (first, last) = (spans.first()?, spans.last()?);
    // Cut off at either side; white space around tokens belongs to none.
    if start < first.start || end > last.end {
        return None;
    }
    let a = spans.iter().position(|span| span.end > start)?;
    let b = spans.iter().rposition(|span| span.start < end)?;
    (a <= b).then_some([a, b])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.txt");
        std::fs::write(&path, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\n?\n##s\n").unwrap();
        Vocabulary::read(&path, false).unwrap()
    }

    fn write(context: &str, answers: &str) -> Result<(Vec<Question>, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train-v2.0.json");
        let text = format!(
            r#"{{"version": "2.0", "data": [{{"title": "t", "paragraphs": [{{"context": "{context}", "qas": [
                {{"id": "1", "question": "a b?", "is_impossible": false, "answers": [{answers}]}}]}}]}}]}}"#
        );
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn windows_share_and_targets_are_in_those_that_hold_the_answer() {
        let (questions, _) = write("\u{e4}A b c ds e a b", r#"{"text": "ds e", "answer_start": 7}"#).unwrap();
        assert_eq!(questions[0].answer, Some(8..12));
        let data = encode(questions.clone(), &vocabulary(), 11, 2).unwrap();
        let Targets::Spans(targets) = &data.targets else { panic!() };
        let reading = data.reading.as_ref().unwrap();
        // Room for 5: [UNK] b c d ##s, then d ##s e a b.
        assert_eq!(data.lengths().collect::<Vec<_>>(), [11, 11]);
        assert_eq!(targets, &[[0, 0], [5, 7]]);
        assert_eq!(reading.windows[1].spans[0..3], [8..9, 9..10, 11..12]);
        let batch = data.batch(&[1]);
        assert_eq!(batch.ids, [2, 5, 6, 10, 3, 8, 11, 9, 5, 6, 3]);
        assert_eq!(batch.types, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
        let error = encode(questions, &vocabulary(), 11, 5).unwrap_err().to_string();
        assert!(error.contains("lower --stride"), "{error}");
        let (questions, _) = write("a b c", "").unwrap();
        let data = encode(questions, &vocabulary(), 20, 2).unwrap();
        assert_eq!(data.targets, Targets::Spans(vec![[0, 0]]));
    }

    #[test]
    fn errors_name_the_question() {
        for (answers, words) in [
            (r#"{"text": "c", "answer_start": 0}"#, "question `a b?`: its answer `c` does not stand where it says"),
            (r#"{"text": "c", "answer_start": 99}"#, "begins behind the paragraph"),
            (r#"{"text": "c"}"#, "not such a file"),
        ] {
            let error = write("a b c", answers).unwrap_err().to_string();
            assert!(error.contains("train-v2.0.json") && error.contains(words), "{error}");
        }
    }
}

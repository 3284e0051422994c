//! `tools run`: text in, answer out.

mod among;
mod answer;

use std::io::Write;
use std::path::PathBuf;

use distil_format::Head;
use distil_kernels::Isa;
use distil_runtime::{Search, Session, texts_of};

use super::{json_line, packed};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::sequence::Sequencer;
use crate::text::each_stdin_line;
use among::Sentences;
use answer::Answer;
pub(super) use answer::Report;

const DETAILS: &str = "\
Answers as the file's head does: with the embedding, or with --among the nearest of given sentences; the labels by \
probability, of several at once those that hold (a probability of at least one half), or the number of a regression; each \
word with its label; the words for each [MASK]; or the part of the text that answers the question. A question stands \
before its text, and the first text of a pair before the second, with a tab between them, unless --question or --pair \
gives it. Places in a text are in bytes. The answer has the \
same bits on every instruction set.

A text that is longer than --window is searched for an answer in windows that share --overlap tokens.";

/// Arguments of `tools run`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    file: PathBuf,
    /// Text [default: each line of standard input]
    #[arg(long)]
    text: Option<String>,
    /// Second text of a pair
    #[arg(long, requires = "text")]
    pair: Option<String>,
    /// Question about each text
    #[arg(long, conflicts_with = "pair")]
    question: Option<String>,
    /// Sentences, one per line: show the nearest to each text with the cosine of their embeddings
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pair", "question"])]
    among: Option<PathBuf>,
    /// Instruction set to use, one that `tools bench --kernels` lists [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa)]
    isa: Option<Isa>,
    /// How many labels, words for each [MASK], answers, or near sentences to show
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// Tokens that are searched for an answer at once [default: 384, or what the model takes if that is less]
    #[arg(long, value_name = "N")]
    window: Option<usize>,
    /// Tokens of the text that one window shares with the next, at most half of them
    #[arg(long, value_name = "N", default_value_t = Search::default().overlap)]
    overlap: usize,
    /// Most tokens of an answer
    #[arg(long, value_name = "N", default_value_t = Search::default().longest)]
    longest: usize,
    /// Cut texts that are too long instead of refusing them
    #[arg(long)]
    truncate: bool,
    /// Print a JSON object per text
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let bytes = read_aligned(&self.file)?;
        let artifact = open(&self.file, &bytes)?;
        let config = artifact.config();
        let asks = config.head == Head::QuestionAnswering;
        self.check(config.head)?;
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let sentences = self.among.as_deref().map(|path| Sentences::read(path, &model, self.truncate)).transpose()?;
        let mut arena = packed::arena(&artifact);
        let most = config.max_positions as usize;
        let tokens = if asks { self.window.unwrap_or(most.min(packed::WINDOW)) } else { most };
        let session = Session::new(&model, &mut arena, tokens)?.truncating(self.truncate);
        let mut session = session.answers_only(sentences.is_none());
        let mut pieces = Sequencer::new(config, artifact.vocabulary()).pieces();
        let mut each = |text: &str, pair: Option<&str>, out: &mut dyn Write| {
            let (answer, tokens) = match pair {
                Some(context) if asks => {
                    let search = Search { longest: self.longest, overlap: self.overlap };
                    answer::find(&mut session, text, context, search, usize::from(self.top))?
                }
                _ => {
                    let tokens = session.encode(text, pair)?;
                    let top = usize::from(self.top);
                    let answer = match &sentences {
                        Some(sentences) => Answer::Nearest { nearest: sentences.nearest(session.pooled()?, top) },
                        None => answer::of(&artifact, &mut session, &mut pieces, text, top)?,
                    };
                    (answer, tokens)
                }
            };
            let (text, pair, question) = if asks { (pair.unwrap_or(""), None, Some(text)) } else { (text, pair, None) };
            let isa = model.isa().name();
            let report = Report { text, pair, question, tokens, isa, head: config.head.name(), answer };
            if self.json { json_line(out, &report) } else { report.print(out) }
        };
        let mut line = |line: &str, out: &mut dyn Write| match (&self.question, texts_of(config.head, line)) {
            (Some(question), _) => each(question, Some(line), out),
            (None, (_, None)) if asks => Err(no_question()),
            (None, _) if self.pair.is_some() => each(line, self.pair.as_deref(), out),
            (None, (text, pair)) => each(text, pair, out),
        };
        match &self.text {
            Some(text) => line(text, out),
            None => {
                let mut number = 0;
                each_stdin_line(|text| {
                    number += 1;
                    if asks && self.question.is_none() && texts_of(config.head, text).1.is_none() {
                        let (source_name, reason) = ("standard input".to_owned(), NO_QUESTION.to_owned());
                        return Err(Error::Line { source_name, line: number, reason, next: ASK });
                    }
                    line(text, out)
                })
            }
        }
    }

    /// Refuses options of another head.
    fn check(&self, head: Head) -> Result<(), Error> {
        let asks = head == Head::QuestionAnswering;
        let file = self.file.display();
        if self.question.is_some() && !asks {
            let message =
                format!("{file}: --question needs the head {}, this file has {head}", Head::QuestionAnswering);
            return Err(Error::usage(
                message,
                "leave --question out, or use a file packed from a model that answers questions",
            ));
        }
        if self.pair.is_some() && asks {
            return Err(Error::usage(
                format!("{file}: --pair is not for question answering"),
                "give the question with --question and the text it is about with --text",
            ));
        }
        if self.window.is_some() && !asks {
            return Err(Error::usage(
                format!("{file}: --window is for question answering, this file has {head}"),
                "leave --window out; --truncate cuts texts that are too long",
            ));
        }
        Ok(())
    }
}

const NO_QUESTION: &str = "a text without a question";
const ASK: &str = "write `question<TAB>text`, or give the question with --question";

fn no_question() -> Error {
    Error::usage(NO_QUESTION, ASK)
}

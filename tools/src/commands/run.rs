//! `tools run`: text in, answer out.

use std::io::Write;
use std::path::PathBuf;

use distil_format::{Artifact, Head};
use distil_kernels::Isa;
use distil_runtime::{Candidate, Session};
use serde::Serialize;

use super::{json_line, packed};
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::sequence::{Pieces, Sequencer};
use crate::text::each_stdin_line;

const DETAILS: &str = "\
Answers as the file's head does: with the embedding, the labels by probability, or the words for each [MASK]. The answer \
has the same bits on every instruction set.";

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
    /// Instruction set to use, one that `tools bench --kernels` lists [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa)]
    isa: Option<Isa>,
    /// How many labels, or words for each [MASK], to show
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// Cut texts that are too long instead of refusing them
    #[arg(long)]
    truncate: bool,
    /// Print a JSON object per text
    #[arg(long)]
    json: bool,
}

/// One text's answer; its JSON.
#[derive(Serialize)]
struct Report<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pair: Option<&'a str>,
    tokens: usize,
    isa: &'static str,
    head: &'static str,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Embedding { embedding: Vec<f32> },
    Labels { label: String, probability: f32, labels: Vec<Label> },
    Masks { masks: Vec<Mask> },
}

#[derive(Serialize)]
struct Label {
    label: String,
    logit: f32,
    probability: f32,
}

#[derive(Serialize)]
struct Mask {
    /// Place among the tokens, [CLS] being 0.
    position: usize,
    candidates: Vec<Word>,
}

#[derive(Serialize)]
struct Word {
    id: u32,
    token: String,
    logit: f32,
    probability: f32,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let bytes = read_aligned(&self.file)?;
        let artifact = open(&self.file, &bytes)?;
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let mut arena = packed::arena(&artifact);
        let mut session = packed::session(&model, &mut arena)?.truncating(self.truncate);
        let mut pieces = Sequencer::new(artifact.config(), artifact.vocabulary()).pieces();
        let mut each = |text: &str, pair: Option<&str>, out: &mut dyn Write| {
            let tokens = session.encode(text, pair)?;
            let answer = answer(&artifact, &mut session, &mut pieces, usize::from(self.top))?;
            let report =
                Report { text, pair, tokens, isa: model.isa().name(), head: artifact.config().head.name(), answer };
            if self.json { json_line(out, &report) } else { report.print(out) }
        };
        match &self.text {
            Some(text) => each(text, self.pair.as_deref(), out),
            None => each_stdin_line(|line| each(line, None, out)),
        }
    }
}

fn answer(
    artifact: &Artifact<'_>,
    session: &mut Session<'_>,
    pieces: &mut Pieces<'_>,
    top: usize,
) -> Result<Answer, Error> {
    match artifact.config().head {
        Head::Embedding => Ok(Answer::Embedding { embedding: session.pooled()?.to_vec() }),
        Head::SequenceClassification => {
            let result = session.classification()?;
            let scores = result.logits().iter().zip(result.probabilities()).enumerate();
            let mut labels: Vec<Label> = scores
                .map(|(index, (&logit, &probability))| {
                    let label = artifact.label(index).unwrap_or_default().to_owned();
                    Label { label, logit, probability }
                })
                .collect();
            labels.sort_by(|a, b| b.logit.total_cmp(&a.logit));
            labels.truncate(top);
            Ok(Answer::Labels { label: result.label().to_owned(), probability: result.probability(), labels })
        }
        Head::MaskedLm => {
            let positions: Vec<usize> = session.masks().collect();
            if positions.is_empty() {
                return Err(distil_runtime::RunError::NoMask.into());
            }
            let mut best = vec![Candidate::default(); top];
            let mut masks = Vec::with_capacity(positions.len());
            for position in positions {
                let found = session.predict(position, None, &mut best)?.candidates;
                let candidates = best[..found].iter().map(|&Candidate { id, logit, probability }| {
                    let token = pieces.get(id).to_owned();
                    Word { id, token, logit, probability }
                });
                masks.push(Mask { position, candidates: candidates.collect() });
            }
            Ok(Answer::Masks { masks })
        }
    }
}

impl Report<'_> {
    fn print(&self, out: &mut dyn Write) -> Result<(), Error> {
        match &self.answer {
            Answer::Embedding { embedding } => {
                for (index, value) in embedding.iter().enumerate() {
                    write!(out, "{}{value}", if index == 0 { "" } else { " " })?;
                }
                writeln!(out)?;
            }
            // One label is a regression: its score is the answer.
            Answer::Labels { labels, .. } if labels.len() == 1 => {
                writeln!(out, "{}\t{}", labels[0].label, labels[0].logit)?
            }
            Answer::Labels { labels, .. } => {
                let shown = labels.iter().map(|label| format!("{} {:.1}%", label.label, label.probability * 100.0));
                writeln!(out, "{}", shown.collect::<Vec<_>>().join("\t"))?;
            }
            Answer::Masks { masks } => {
                for mask in masks {
                    let shown =
                        mask.candidates.iter().map(|word| format!("{} {:.1}%", word.token, word.probability * 100.0));
                    writeln!(out, "{}", shown.collect::<Vec<_>>().join("\t"))?;
                }
            }
        }
        Ok(())
    }
}

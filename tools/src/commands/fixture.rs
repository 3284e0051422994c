//! `tools fixture`: a random model of a given shape.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use distil_format::Problem;
use schemars::JsonSchema;
use serde::Serialize;

use super::{json_line, working};
use crate::error::Error;
use crate::fixture::Fixture;
use crate::hf::{Architecture, HeadKind, Vocabulary};

const DETAILS: &str = "\
The weights are random numbers from a seed: for tests of speed, size and exactness where no trained model is at hand. \
The answers mean nothing. The same arguments give the same bytes.";

/// Arguments of `tools fixture`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Folder to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Encoder family
    #[arg(long, value_enum, default_value = "distilbert")]
    architecture: ArchitectureArg,
    /// Head
    #[arg(long, value_enum, default_value = "masked-lm")]
    head: HeadArg,
    /// Width
    #[arg(long, default_value_t = 64)]
    hidden: usize,
    /// Layers
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Attention heads
    #[arg(long, default_value_t = 4)]
    heads: usize,
    /// Feed-forward width
    #[arg(long, default_value_t = 128)]
    intermediate: usize,
    /// Vocabulary entries, 109 or more
    #[arg(long, default_value_t = 512, conflicts_with = "vocab")]
    vocab_size: usize,
    /// Vocabulary to use in place of the built-in one
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
    /// Positions
    #[arg(long, default_value_t = 128)]
    positions: usize,
    /// Classes of a classifier
    #[arg(long, default_value_t = 2)]
    labels: usize,
    /// How the scores of a classifier of texts are read [default: one label, a regression; else single-label]
    #[arg(long, value_enum)]
    problem: Option<ProblemArg>,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What `tools fixture --json` prints.
#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The folder that was written.
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ArchitectureArg {
    Bert,
    Distilbert,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HeadArg {
    Embedding,
    MaskedLm,
    SequenceClassification,
    TokenClassification,
    QuestionAnswering,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProblemArg {
    SingleLabel,
    MultiLabel,
    Regression,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let vocabulary = match &self.vocab {
            Some(path) => Some(Vocabulary::read_file(path, true)?.pieces),
            None => None,
        };
        let fixture = Fixture {
            architecture: match self.architecture {
                ArchitectureArg::Bert => Architecture::Bert,
                ArchitectureArg::Distilbert => Architecture::DistilBert,
            },
            head: match self.head {
                HeadArg::Embedding => HeadKind::Embedding,
                HeadArg::MaskedLm => HeadKind::MaskedLm,
                HeadArg::SequenceClassification => HeadKind::SequenceClassification,
                HeadArg::TokenClassification => HeadKind::TokenClassification,
                HeadArg::QuestionAnswering => HeadKind::QuestionAnswering,
            },
            problem: self.problem.map(|problem| match problem {
                ProblemArg::SingleLabel => Problem::SingleLabel,
                ProblemArg::MultiLabel => Problem::MultiLabel,
                ProblemArg::Regression => Problem::Regression,
            }),
            hidden: self.hidden,
            layers: self.layers,
            heads: self.heads,
            intermediate: self.intermediate,
            vocab_size: self.vocab_size,
            positions: self.positions,
            labels: self.labels,
            seed: self.seed,
            vocabulary,
        };
        let writing = working("drawing random numbers");
        fixture.write(&self.output)?;
        drop(writing);
        if self.json {
            return json_line(out, &Report { folder: self.output.clone() });
        }
        Ok(writeln!(out, "{}", self.output.display())?)
    }
}

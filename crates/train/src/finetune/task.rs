//! The tasks by name, and what is known of each.

use crate::model::Problem;
use serde::{Deserialize, Serialize};

/// A task: one of GLUE's, or one of a user's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Linguistic acceptability; Matthews correlation
    Cola,
    /// Sentiment of sentences; accuracy
    Sst2,
    /// Textual entailment; accuracy
    Rte,
    /// Similarity of sentences from 0 to 5; Pearson and Spearman correlation
    Stsb,
    /// Paraphrases; F1 and accuracy
    Mrpc,
    /// Questions asked twice; F1 and accuracy
    Qqp,
    /// Whether a sentence answers a question; accuracy
    Qnli,
    /// Entailment, neutral or contradiction; accuracy
    Mnli,
    /// Pronouns; accuracy
    Wnli,
    /// A label for each text of one's own
    Classification,
    /// A number for each text of one's own
    Regression,
    /// Any number of labels for each text of one's own
    MultiLabel,
    /// Answers that stand in a paragraph (SQuAD 1.1, and 2.0 with questions that have none); exact match and F1
    Squad,
    /// A label for each word of a sentence of one's own; F1 of entities (CoNLL), or accuracy
    Tokens,
}

impl Task {
    /// The tasks of GLUE, in the order of its tables.
    pub const GLUE: [Self; 9] =
        [Self::Cola, Self::Mnli, Self::Mrpc, Self::Qnli, Self::Qqp, Self::Rte, Self::Sst2, Self::Stsb, Self::Wnli];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cola => "cola",
            Self::Sst2 => "sst2",
            Self::Rte => "rte",
            Self::Stsb => "stsb",
            Self::Mrpc => "mrpc",
            Self::Qqp => "qqp",
            Self::Qnli => "qnli",
            Self::Mnli => "mnli",
            Self::Wnli => "wnli",
            Self::Classification => "classification",
            Self::Regression => "regression",
            Self::MultiLabel => "multi-label",
            Self::Squad => "squad",
            Self::Tokens => "tokens",
        }
    }

    /// The name that people know.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cola => "CoLA",
            Self::Sst2 => "SST-2",
            Self::Rte => "RTE",
            Self::Stsb => "STS-B",
            Self::Mrpc => "MRPC",
            Self::Qqp => "QQP",
            Self::Qnli => "QNLI",
            Self::Mnli => "MNLI",
            Self::Wnli => "WNLI",
            Self::Squad => "SQuAD",
            Self::Tokens => "token classification",
            other => other.name(),
        }
    }

    /// How its scores are read.
    pub fn problem(self) -> Problem {
        match self {
            Self::Stsb | Self::Regression => Problem::Regression,
            Self::MultiLabel => Problem::MultiLabel,
            _ => Problem::SingleLabel,
        }
    }

    /// Its labels in the order of their numbers; none where the data says them.
    pub fn labels(self) -> Option<&'static [&'static str]> {
        Some(match self {
            Self::Cola => &["unacceptable", "acceptable"],
            Self::Sst2 => &["negative", "positive"],
            Self::Rte | Self::Qnli => &["entailment", "not_entailment"],
            Self::Mrpc => &["not_equivalent", "equivalent"],
            Self::Qqp => &["not_duplicate", "duplicate"],
            Self::Mnli => &["entailment", "neutral", "contradiction"],
            Self::Wnli => &["not_entailment", "entailment"],
            Self::Stsb | Self::Regression => &["LABEL_0"],
            Self::Classification | Self::MultiLabel | Self::Squad | Self::Tokens => return None,
        })
    }
}

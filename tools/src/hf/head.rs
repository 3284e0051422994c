//! Which head a checkpoint has, told by its tensors and, where they do not tell, by its class; and what its labels are.

use distil_format::{Head, Problem};

use super::config::{Architecture, Config};
use super::error::{HfError, Problem as Fault};
use super::tensors::TensorFile;

/// The heads that can be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// No head: pooled hidden states.
    Embedding,
    /// Fill-mask.
    MaskedLm,
    /// Labels (or scores) for the text.
    SequenceClassification,
    /// A label for each token.
    TokenClassification,
    /// The part of a text that answers a question.
    QuestionAnswering,
}

impl From<Head> for HeadKind {
    fn from(head: Head) -> Self {
        match head {
            Head::Embedding => Self::Embedding,
            Head::MaskedLm => Self::MaskedLm,
            Head::SequenceClassification => Self::SequenceClassification,
            Head::TokenClassification => Self::TokenClassification,
            Head::QuestionAnswering => Self::QuestionAnswering,
        }
    }
}

impl From<HeadKind> for Head {
    fn from(kind: HeadKind) -> Self {
        match kind {
            HeadKind::Embedding => Self::Embedding,
            HeadKind::MaskedLm => Self::MaskedLm,
            HeadKind::SequenceClassification => Self::SequenceClassification,
            HeadKind::TokenClassification => Self::TokenClassification,
            HeadKind::QuestionAnswering => Self::QuestionAnswering,
        }
    }
}

impl HeadKind {
    /// The name on the command line and in packed files.
    pub fn name(self) -> &'static str {
        Head::from(self).name()
    }

    /// The head to read: the one asked for, which has to be there, or the one the file has.
    pub fn choose(file: &TensorFile, config: &Config, wanted: Option<Self>) -> Result<Self, HfError> {
        let found = candidates(file, config);
        match (wanted, &found[..]) {
            (Some(Self::Embedding), _) | (None, []) => Ok(Self::Embedding),
            (Some(wanted), found) if found.contains(&Ok(wanted)) => Ok(wanted),
            (Some(wanted), found) => {
                let found =
                    found.first().map_or(Self::Embedding.name(), |first| first.map_or_else(|name| name, Self::name));
                Err(Fault::Head { wanted: wanted.name(), found }.at(file.path()))
            }
            (None, [first, ..]) => first.map_err(|found| Fault::UnsupportedHead { found }.at(file.path())),
        }
    }

    /// Label names, one for each row of the classifier: the configuration's, or `LABEL_0` and so on where it names none;
    /// none without a classifier.
    ///
    /// # Errors
    /// The configuration names another number of labels than the classifier has rows.
    pub fn labels(self, file: &TensorFile, config: &Config) -> Result<Vec<String>, HfError> {
        if !Head::from(self).has_labels() {
            return Ok(Vec::new());
        }
        let rows = file.shape("classifier.weight").and_then(|shape| shape.first().copied()).unwrap_or(0);
        match config.labels.len() {
            0 => Ok((0..rows).map(|row| format!("LABEL_{row}")).collect()),
            names if names == rows => Ok(config.labels.clone()),
            names => Err(Fault::Labels { names, rows }.at(file.path())),
        }
    }

    /// How the scores of `labels` labels are read: as the configuration says; where it does not, one label is a
    /// regression and of several one is right, as in `transformers`. One label of which one is right would always be
    /// right: that is a regression too.
    pub fn problem(self, config: &Config, labels: usize) -> Problem {
        match (self, config.problem) {
            (Self::SequenceClassification, None | Some(Problem::SingleLabel)) if labels == 1 => Problem::Regression,
            (Self::SequenceClassification, Some(problem)) => problem,
            _ => Problem::SingleLabel,
        }
    }
}

/// The heads the file has, the one that its class names first; `Err` names one that cannot be packed.
fn candidates(file: &TensorFile, config: &Config) -> Vec<Result<HeadKind, &'static str>> {
    let (transform, pre) = match config.architecture {
        Architecture::Bert => ("cls.predictions.transform.dense.weight", "pooler.dense.weight"),
        Architecture::DistilBert => ("vocab_transform.weight", "pre_classifier.weight"),
    };
    let class = |name: &str| config.class.as_deref().is_some_and(|class| class.ends_with(name));
    let mut found = Vec::new();
    if file.has(transform) {
        found.push(Ok(HeadKind::MaskedLm));
    }
    if file.has("qa_outputs.weight") {
        found.push(Ok(HeadKind::QuestionAnswering));
    }
    if file.has("classifier.weight") {
        // The same tensors may be either: BERT's token classifiers of older versions have a pooler that they do not use.
        let texts = match (class("ForSequenceClassification"), class("ForTokenClassification")) {
            (true, _) => true,
            (_, true) => false,
            _ => file.has(pre),
        };
        found.push(match texts {
            _ if class("ForMultipleChoice") => Err("multiple choice"),
            true => Ok(HeadKind::SequenceClassification),
            false => Ok(HeadKind::TokenClassification),
        });
    }
    let named = |head: &Result<HeadKind, _>| match head {
        Ok(HeadKind::MaskedLm) => class("ForMaskedLM") || class("ForPreTraining"),
        Ok(HeadKind::QuestionAnswering) => class("ForQuestionAnswering"),
        Ok(HeadKind::SequenceClassification) => class("ForSequenceClassification"),
        Ok(HeadKind::TokenClassification) => class("ForTokenClassification"),
        Ok(HeadKind::Embedding) => false,
        Err(_) => class("ForMultipleChoice"),
    };
    // A stable order: the others stay as they are.
    found.sort_by_key(|head| !named(head));
    found
}

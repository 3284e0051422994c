//! The tasks of GLUE (Wang et al. 2019): their files, their labels in order, and what each is judged by.

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glue {
    /// Is it a sentence? One sentence; Matthews' correlation.
    Cola,
    /// Is it praise? One sentence; accuracy.
    Sst2,
    /// Do both say the same? Accuracy and F1.
    Mrpc,
    /// Do both ask the same? Accuracy and F1.
    Qqp,
    /// Does the sentence answer the question? Accuracy.
    Qnli,
    /// Does the second follow from the first, or contradict it? Accuracy.
    Mnli,
    /// Does the second follow from the first? Accuracy.
    Rte,
    /// The same, for what a pronoun stands for. Accuracy.
    Wnli,
}

/// Where a file has what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Names that the column of the text may have, the first that there is counting.
    pub text: &'static [&'static str],
    /// The same for the second text; none for tasks about one.
    pub pair: &'static [&'static str],
    /// The same for the label.
    pub label: &'static [&'static str],
    /// The places of the three in a file without a header, and how many fields it has at least; `None` if it needs one.
    pub bare: Option<(usize, Option<usize>, usize, usize)>,
}

impl Glue {
    /// Every task.
    pub const ALL: [Self; 8] =
        [Self::Cola, Self::Sst2, Self::Mrpc, Self::Qqp, Self::Qnli, Self::Mnli, Self::Rte, Self::Wnli];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cola => "cola",
            Self::Sst2 => "sst2",
            Self::Mrpc => "mrpc",
            Self::Qqp => "qqp",
            Self::Qnli => "qnli",
            Self::Mnli => "mnli",
            Self::Rte => "rte",
            Self::Wnli => "wnli",
        }
    }

    /// The labels in the order in which their numbers are used.
    pub fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Cola => &["unacceptable", "acceptable"],
            Self::Sst2 => &["negative", "positive"],
            Self::Mrpc => &["not_equivalent", "equivalent"],
            Self::Qqp => &["not_duplicate", "duplicate"],
            Self::Mnli => &["entailment", "neutral", "contradiction"],
            Self::Qnli | Self::Rte => &["entailment", "not_entailment"],
            Self::Wnli => &["not_entailment", "entailment"],
        }
    }

    /// The columns of its file, as GLUE has it or as data sets of the hub call them.
    pub fn columns(self) -> Columns {
        let pair = Columns { text: &["sentence1"], pair: &["sentence2"], label: &["label", "gold_label"], bare: None };
        match self {
            // Source, label, the author's mark, sentence.
            Self::Cola => Columns { bare: Some((3, None, 1, 4)), text: &["sentence"], pair: &[], ..pair },
            Self::Sst2 => Columns { text: &["sentence"], pair: &[], ..pair },
            Self::Mrpc => Columns {
                text: &["#1 String", "sentence1"],
                pair: &["#2 String", "sentence2"],
                label: &["Quality", "label"],
                bare: None,
            },
            Self::Qqp => {
                Columns { text: &["question1"], pair: &["question2"], label: &["is_duplicate", "label"], bare: None }
            }
            Self::Qnli => Columns { text: &["question"], pair: &["sentence"], ..pair },
            Self::Mnli => Columns {
                text: &["sentence1", "premise"],
                pair: &["sentence2", "hypothesis"],
                label: &["gold_label", "label"],
                bare: None,
            },
            Self::Rte | Self::Wnli => pair,
        }
    }

    /// Whether files of GLUE have lines that lack fields, which everybody skips.
    pub fn has_broken_lines(self) -> bool {
        self == Self::Qqp
    }

    /// Whether F1 of the second label is of interest.
    pub fn has_f1(self) -> bool {
        matches!(self, Self::Mrpc | Self::Qqp)
    }
}

/// The columns of a user's own file.
pub const OWN: Columns = Columns {
    text: &["text", "sentence", "sentence1"],
    pair: &["sentence2"],
    label: &["label", "labels", "score"],
    bare: None,
};

/// The columns of STS-B: GLUE's with a header, or those of the STS benchmark without: genre, file, year, id, score, two
/// sentences.
pub const STSB: Columns =
    Columns { text: &["sentence1"], pair: &["sentence2"], label: &["score", "label"], bare: Some((5, Some(6), 4, 7)) };

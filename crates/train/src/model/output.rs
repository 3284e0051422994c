//! What stands on the encoder, as `config.json` has it.

use super::config::Architecture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The head of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// `...ForMaskedLM`: the projection onto the vocabulary.
    #[default]
    MaskedLm,
    /// `...ForSequenceClassification`: scores of a text or of a pair.
    Texts(Labels),
    /// `...ForTokenClassification`: scores of every token.
    Tokens(Labels),
    /// `...ForQuestionAnswering`: two scores of every token, for the start and the end of an answer.
    Spans {
        /// Dropout before the scores.
        dropout: f64,
    },
}

/// The outputs of a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// One for each row of the classifier.
    pub names: Vec<String>,
    /// How the scores are read.
    pub problem: Problem,
    /// Dropout before the classifier.
    pub dropout: f64,
}

/// How the scores of a classifier are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    /// Each is a number.
    #[serde(rename = "regression")]
    Regression,
    /// One label is right.
    #[serde(rename = "single_label_classification")]
    SingleLabel,
    /// Any number of labels is right.
    #[serde(rename = "multi_label_classification")]
    MultiLabel,
}

impl Head {
    /// The head that a Hugging Face configuration names; none for an encoder alone or a head of another kind.
    pub fn from_json(json: &Value, architecture: Architecture) -> Option<Self> {
        let class = json["architectures"][0].as_str()?;
        let dropout = Self::dropout(json, architecture);
        let token_dropout = match architecture {
            Architecture::Bert => dropout,
            Architecture::DistilBert => json["dropout"].as_f64().unwrap_or(0.1),
        };
        let labels = |dropout: f64, problem: Problem| Labels { names: names(json), problem, dropout };
        match class {
            _ if class.ends_with("ForMaskedLM") || class.ends_with("ForPreTraining") => Some(Self::MaskedLm),
            _ if class.ends_with("ForSequenceClassification") => Some(Self::Texts(labels(dropout, problem(json)))),
            _ if class.ends_with("ForTokenClassification") => {
                Some(Self::Tokens(labels(token_dropout, Problem::SingleLabel)))
            }
            _ if class.ends_with("ForQuestionAnswering") => {
                let dropout = json["qa_dropout"].as_f64().unwrap_or(0.1);
                Some(Self::Spans { dropout: if architecture == Architecture::Bert { 0.0 } else { dropout } })
            }
            _ => None,
        }
    }

    /// The dropout before a classifier of texts.
    pub fn dropout(json: &Value, architecture: Architecture) -> f64 {
        match architecture {
            Architecture::Bert => {
                json["classifier_dropout"].as_f64().or(json["hidden_dropout_prob"].as_f64()).unwrap_or(0.1)
            }
            Architecture::DistilBert => json["seq_classif_dropout"].as_f64().unwrap_or(0.2),
        }
    }

    /// The labels of a classifier.
    pub fn labels(&self) -> Option<&Labels> {
        match self {
            Self::Texts(labels) | Self::Tokens(labels) => Some(labels),
            Self::MaskedLm | Self::Spans { .. } => None,
        }
    }

    /// In words.
    pub fn text(&self) -> &'static str {
        match self {
            Self::MaskedLm => "a masked LM",
            Self::Texts(labels) if labels.problem == Problem::Regression => "a regression",
            Self::Texts(_) => "a classifier of texts",
            Self::Tokens(_) => "a classifier of tokens",
            Self::Spans { .. } => "a model for question answering",
        }
    }

    /// Writes the keys of this head over those of a masked LM.
    pub(super) fn write(&self, architecture: Architecture, json: &mut Map<String, Value>) {
        let bert = architecture == Architecture::Bert;
        let mut put = |key: &str, value: Value| json.insert(key.to_string(), value);
        let class = match self {
            Self::MaskedLm => return,
            Self::Texts(_) => "ForSequenceClassification",
            Self::Tokens(_) => "ForTokenClassification",
            Self::Spans { .. } => "ForQuestionAnswering",
        };
        put("architectures", json!([format!("{}{class}", if bert { "Bert" } else { "DistilBert" })]));
        if let Self::Spans { dropout } = self
            && !bert
        {
            put("qa_dropout", json!(dropout));
        }
        if let Some(labels) = self.labels() {
            let numbered = labels.names.iter().enumerate();
            put("id2label", numbered.clone().map(|(i, name)| (i.to_string(), json!(name))).collect());
            put("label2id", numbered.map(|(i, name)| (name.clone(), json!(i))).collect());
            match self {
                _ if bert => drop(put("classifier_dropout", json!(labels.dropout))),
                Self::Texts(_) => drop(put("seq_classif_dropout", json!(labels.dropout))),
                _ => {}
            }
            if matches!(self, Self::Texts(_)) {
                put("problem_type", json!(labels.problem));
            }
        }
    }
}

/// The values of `id2label` in order of their numbers, or as many `LABEL_0` as `num_labels` says, by default 2.
fn names(json: &Value) -> Vec<String> {
    let numbered = json["id2label"].as_object().into_iter().flatten();
    let mut all: Vec<(usize, String)> =
        numbered.filter_map(|(id, name)| Some((id.parse().ok()?, name.as_str()?.to_string()))).collect();
    all.sort();
    if all.is_empty() {
        let count = json["num_labels"].as_u64().unwrap_or(2).min(1 << 16);
        return (0..count).map(|i| format!("LABEL_{i}")).collect();
    }
    all.into_iter().map(|(_, name)| name).collect()
}

fn problem(json: &Value) -> Problem {
    match json["problem_type"].as_str() {
        Some("regression") => Problem::Regression,
        Some("multi_label_classification") => Problem::MultiLabel,
        _ if names(json).len() == 1 => Problem::Regression,
        _ => Problem::SingleLabel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for architecture in [Architecture::Bert, Architecture::DistilBert] {
            let labels = |problem| Labels { names: vec!["no".into(), "yes".into()], problem, dropout: 0.25 };
            for head in [
                Head::MaskedLm,
                Head::Texts(labels(Problem::MultiLabel)),
                Head::Texts(labels(Problem::SingleLabel)),
                Head::Texts(Labels { names: vec!["LABEL_0".into()], ..labels(Problem::Regression) }),
            ] {
                let mut json = json!({"architectures": ["BertForMaskedLM"]});
                head.write(architecture, json.as_object_mut().unwrap());
                assert_eq!(Head::from_json(&json, architecture), Some(head));
            }
            let mut json = json!({});
            Head::Spans { dropout: 0.0 }.write(architecture, json.as_object_mut().unwrap());
            assert_eq!(Head::from_json(&json, architecture), Some(Head::Spans { dropout: 0.0 }));
        }
        assert_eq!(Head::from_json(&json!({"architectures": ["BertModel"]}), Architecture::Bert), None);
        let old = json!({"architectures": ["BertForSequenceClassification"], "num_labels": 3});
        let head = Head::from_json(&old, Architecture::Bert).unwrap();
        assert_eq!(head.labels().unwrap().names, ["LABEL_0", "LABEL_1", "LABEL_2"]);
    }
}

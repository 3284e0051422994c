//! Answers of `transformers` 5.23 on the seeded fixtures, in float64: token ids, and outputs for a pair of texts. They
//! were printed by `AutoModelFor...from_pretrained(folder, dtype=float64)` on the ids of `BertTokenizer`; no key was
//! missing or unexpected, apart from the pooler of a bare `BertModel`.

mod support;

use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use serde_json::Value;
use support::Place;

const TEXT: &str = "turn the [MASK] off";
const PAIR: &str = "in the kitchen";
const IDS: &str = "2 278 109 4 242 3\n2 114 109 339 3\n";

/// The answer of a float32 packed file, which has to be within float32 rounding of float64.
fn answer(architecture: Architecture, head: HeadKind) -> Value {
    let place = Place::with(&Fixture { architecture, head, ..Fixture::default() });
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    assert_eq!(place.ok(&["tokenize", "model.distil", "--text", TEXT, "--text", PAIR]), IDS);
    let answer = place.json(&["run", "model.distil", "--text", TEXT, "--pair", PAIR, "--top", "3", "--json"]);
    assert_eq!(answer["tokens"], 10);
    answer
}

fn assert_close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 5e-6, "{found} {expected}");
}

#[test]
fn masked_lm() {
    for (architecture, expected) in [
        (Architecture::Bert, [(364, 2.808496), (379, 2.642133), (369, 2.635418)]),
        (Architecture::DistilBert, [(73, 2.575468), (155, 2.407071), (457, 2.28576)]),
    ] {
        let answer = answer(architecture, HeadKind::MaskedLm);
        for (word, (id, logit)) in answer["masks"][0]["candidates"].as_array().unwrap().iter().zip(expected) {
            assert_eq!(word["id"], id);
            assert_close(&word["logit"], logit);
        }
    }
}

#[test]
fn embedding() {
    for (architecture, expected) in [
        (Architecture::Bert, [0.030245, -0.746132, 0.647525, 0.262659]),
        (Architecture::DistilBert, [-0.773362, 0.248679, 0.068506, -0.209218]),
    ] {
        let answer = answer(architecture, HeadKind::Embedding);
        for (found, expected) in answer["embedding"].as_array().unwrap().iter().zip(expected) {
            assert_close(found, expected);
        }
    }
}

#[test]
fn sequence_classification() {
    for (architecture, expected) in
        [(Architecture::Bert, [-0.093995, 0.583981]), (Architecture::DistilBert, [-0.482394, -0.788309])]
    {
        let answer = answer(architecture, HeadKind::SequenceClassification);
        for (name, expected) in ["negative", "positive"].into_iter().zip(expected) {
            let labels = answer["labels"].as_array().unwrap();
            assert_close(&labels.iter().find(|label| label["label"] == name).unwrap()["logit"], expected);
        }
    }
}

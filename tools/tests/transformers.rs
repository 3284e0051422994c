//! Answers of `transformers` 5.23 on the seeded fixtures, in float64: token ids, and outputs for a pair of texts. They
//! were printed by `AutoModelFor...from_pretrained(folder, dtype=float64)` on the ids of `BertTokenizer`; no key was
//! missing or unexpected, apart from the pooler of a bare `BertModel`.

mod support;

use distil_format::{AlignedBytes, Artifact, Problem};
use distil_runtime::{Model, Plan, Session, arena_len};
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use serde_json::Value;
use support::Place;

const TEXT: &str = "turn the [MASK] off";
const PAIR: &str = "in the kitchen";
const IDS: &str = "2 278 109 4 242 3\n2 114 109 339 3\n";

/// Scores of every token of the pair: of three labels, or as the start and the end of an answer.
fn scores(architecture: Architecture, head: HeadKind) -> Vec<Vec<f32>> {
    let place = Place::with(&Fixture { architecture, head, labels: 3, ..Fixture::default() });
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    let bytes = AlignedBytes::copy_of(&std::fs::read(place.path("model.distil")).unwrap());
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::new(&artifact).unwrap();
    let mut arena = vec![0; arena_len(&artifact, 16, Plan::FAST)];
    let mut session = Session::new(&model, &mut arena, 16).unwrap();
    let tokens = session.encode(TEXT, Some(PAIR)).unwrap();
    match head {
        HeadKind::QuestionAnswering => session.span_logits().unwrap().iter().map(|both| both.to_vec()).collect(),
        _ => (0..tokens).map(|at| session.token_classification(at).unwrap().logits().to_vec()).collect(),
    }
}

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

#[test]
fn token_classification() {
    for (architecture, expected) in [
        (
            Architecture::Bert,
            [
                [-1.754032, 1.494408, -0.202776],
                [-0.067998, 0.45799, -0.668855],
                [-1.911451, 0.688793, -1.24981],
                [-0.931477, 1.675256, -0.922415],
                [-0.948824, 1.515888, 0.002699],
                [-1.087116, 0.903945, -1.097368],
                [-1.179506, 0.137311, -0.962206],
                [-1.451457, 0.332602, -1.009826],
                [-2.039719, 0.272402, -0.906831],
                [-0.83168, 0.614913, -0.766342],
            ],
        ),
        (
            Architecture::DistilBert,
            [
                [-0.485555, -2.800215, -2.175855],
                [-0.996587, 0.231424, -0.435688],
                [-1.767432, -1.202714, -2.176591],
                [-0.828682, -2.238897, -0.693094],
                [-0.265266, -1.013206, -0.907492],
                [-1.399133, -0.884215, -0.891416],
                [-1.918352, -1.035736, -0.443896],
                [-0.546386, -1.490341, -1.906752],
                [-0.059234, -2.716272, -3.040861],
                [-0.019532, -0.488698, -1.593046],
            ],
        ),
    ] {
        let found = scores(architecture, HeadKind::TokenClassification);
        assert!(support::largest_difference(&found.concat(), &expected.concat()) < 5e-6);
    }
}

#[test]
fn question_answering() {
    for (architecture, expected) in [
        (
            Architecture::Bert,
            [
                [-1.639258, 1.50728],
                [0.046777, 0.470862],
                [-1.796677, 0.701665],
                [-0.816702, 1.688128],
                [-0.83405, 1.52876],
                [-0.972341, 0.916818],
                [-1.064732, 0.150184],
                [-1.336683, 0.345474],
                [-1.924944, 0.285275],
                [-0.716906, 0.627786],
            ],
        ),
        (
            Architecture::DistilBert,
            [
                [-0.467054, -2.696451],
                [-0.978086, 0.335188],
                [-1.74893, -1.098949],
                [-0.810181, -2.135133],
                [-0.246764, -0.909441],
                [-1.380631, -0.780451],
                [-1.89985, -0.931972],
                [-0.527885, -1.386577],
                [-0.040732, -2.612508],
                [-0.00103, -0.384934],
            ],
        ),
    ] {
        let found = scores(architecture, HeadKind::QuestionAnswering);
        assert!(support::largest_difference(&found.concat(), &expected.concat()) < 5e-6);
    }
}

#[test]
fn several_labels_at_once() {
    for (architecture, expected) in [
        (Architecture::Bert, [-0.140961, 0.647689, 0.588587]),
        (Architecture::DistilBert, [-0.42727, -0.790313, 0.385993]),
    ] {
        let (head, problem) = (HeadKind::SequenceClassification, Some(Problem::MultiLabel));
        let place = Place::with(&Fixture { architecture, head, problem, labels: 3, ..Fixture::default() });
        place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
        let answer = place.json(&["run", "model.distil", "--text", TEXT, "--pair", PAIR, "--json"]);
        for label in answer["labels"].as_array().unwrap() {
            let class: usize = label["label"].as_str().unwrap().strip_prefix("class ").unwrap().parse().unwrap();
            let logit: f64 = expected[class];
            assert_close(&label["logit"], logit);
            assert_close(&label["probability"], 1.0 / (1.0 + (-logit).exp()));
        }
    }
}

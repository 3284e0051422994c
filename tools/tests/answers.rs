//! What running, evaluating and checking compute.

mod support;

use distil_format::{AlignedBytes, Artifact};
use distil_kernels::Kernels;
use distil_runtime::{Model, Plan, Session, arena_len};
use distil_tools::checkfile::{self, Case};
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use serde_json::Value;
use support::{Place, shared};

const HEADS: [HeadKind; 5] = [
    HeadKind::Embedding,
    HeadKind::MaskedLm,
    HeadKind::SequenceClassification,
    HeadKind::TokenClassification,
    HeadKind::QuestionAnswering,
];

fn place(head: HeadKind) -> Place {
    Place::packed(&Fixture { head, architecture: Architecture::Bert, ..Fixture::default() })
}

/// The same bits on every instruction set of this machine, seen from outside.
#[test]
fn every_instruction_set_answers_alike() {
    for head in HEADS {
        let place = place(head);
        let answer = |isa: &str| {
            let text = match head {
                HeadKind::QuestionAnswering => "what is cold?\tthe [MASK] is cold, isn't it?",
                _ => "the [MASK] is cold, isn't it?",
            };
            let mut answer = place.json(&["run", "model.distil", "--text", text, "--json", "--isa", isa]);
            assert_eq!(answer["isa"].take(), isa);
            place.ok(&["check", "model.distil", "-o", "check.bin", "--isa", isa]);
            (answer, std::fs::read(place.path("check.bin")).unwrap())
        };
        let expected = answer("reference");
        for kernels in Kernels::available() {
            assert_eq!(answer(kernels.isa().name()), expected, "{}", kernels.isa());
        }
    }
}

#[test]
fn a_tab_stands_between_the_texts_of_a_pair() {
    let place = place(HeadKind::SequenceClassification);
    let answer = |args: &[&str]| place.json(&[&["run", "model.distil", "--json", "--text"], args].concat());
    let paired = answer(&["the cat sat", "--pair", "on the table"]);
    assert_eq!(answer(&["the cat sat\ton the table"]), paired);
    assert_ne!(answer(&["the cat sat on the table"])["labels"], paired["labels"]);
}

#[test]
fn check_files_hold_what_the_runtime_computes() {
    for head in HEADS {
        let place = place(head);
        place.write("text.txt", "open the [MASK]\nthe\t[MASK] and the [MASK], café\n");
        place.ok(&["check", "model.distil", "--text", "text.txt", "-o", "check.bin"]);
        let bytes = AlignedBytes::copy_of(&std::fs::read(place.path("model.distil")).unwrap());
        let artifact = Artifact::open(&bytes).unwrap();
        let (checksum, cases) = checkfile::read(&std::fs::read(place.path("check.bin")).unwrap()).unwrap();
        assert_eq!((checksum, cases.len()), (artifact.checksum(), 2));
        let model = Model::new(&artifact).unwrap();
        let mut arena = vec![0; arena_len(&artifact, 64, Plan::FAST)];
        let mut session = Session::new(&model, &mut arena, 64).unwrap();
        for (case, masks) in cases.iter().zip([1, 2]) {
            assert_eq!(*case, Case::compute(&model, &mut session, &case.text).unwrap());
            let words = match head {
                HeadKind::Embedding => 64,
                HeadKind::SequenceClassification => 2,
                // Two labels, or two ends of an answer.
                HeadKind::TokenClassification | HeadKind::QuestionAnswering => 2 * case.tokens as usize,
                HeadKind::MaskedLm => masks * 10,
            };
            assert_eq!(case.output.len(), words);
        }
    }
}

#[test]
fn answers_come_line_by_line_and_by_rank() {
    let place = place(HeadKind::MaskedLm);
    let output = place.run_with(&["run", "model.distil", "--top", "3", "--json"], b"the [MASK]\r\n[MASK] and [MASK]\n");
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["text"], lines[1]["masks"].as_array().unwrap().len()), (&Value::from("the [MASK]"), 2));
    for mask in lines.iter().flat_map(|line| line["masks"].as_array().unwrap()) {
        let logits: Vec<f64> =
            mask["candidates"].as_array().unwrap().iter().map(|word| word["logit"].as_f64().unwrap()).collect();
        assert!(logits.len() == 3 && logits.is_sorted_by(|a, b| a >= b), "{logits:?}");
    }
}

#[test]
fn tokens_have_ids_and_places() {
    let place = place(HeadKind::MaskedLm);
    let line = place.json(&["tokenize", "model.distil", "--text", "Lights, [MASK] Éa", "--json"]);
    let tokens: Vec<&str> = line["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
    assert_eq!(tokens, ["[CLS]", "lights", ",", "[MASK]", "e", "##a", "[SEP]"]);
    let offsets = serde_json::json!([[0, 0], [0, 6], [6, 7], [8, 14], [15, 17], [17, 18], [0, 0]]);
    assert_eq!(line["offsets"], offsets);
    assert_eq!(
        place.ok(&["tokenize", "--vocab", "model/vocab.txt", "--text", "Lights", "--no-special"]).lines().count(),
        1
    );
    let packed = place.ok(&["tokenize", "model.distil", "--text", "turn it off!"]);
    assert_eq!(packed, place.ok(&["tokenize", "--vocab", "model/vocab.txt", "--text", "turn it off!"]));
    let output = place.run_with(&["tokenize", "model.distil"], b"turn it off!\n\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{packed}2 3\n"));
}

/// Embeddings of equal sentences are equal, so these pairs rank perfectly.
#[test]
fn stsb_measures_rank_correlation() {
    let place = place(HeadKind::Embedding);
    place.write("pairs.tsv", "g\tf\t1\t1\t5.0\tthe cat\tthe cat\ng\tf\t1\t2\t0.5\tthe cat\tred wine and old bread\n");
    for subject in ["model.distil", "model"] {
        let report = place.json(&["eval", subject, "--task", "stsb", "--data", "pairs.tsv", "--json"]);
        assert_eq!((report["pairs"].as_u64(), report["spearman"].as_f64()), (Some(2), Some(1.0)), "{report}");
    }
}

/// The packed path and the float path mask the same tokens and see about the same loss; an untrained model is as good as
/// chance.
#[test]
fn mlm_measures_the_same_on_both_paths() {
    let place = place(HeadKind::MaskedLm);
    let lines = ["turn the lights off", "she was reading a book in the garden", "it is cold", "[MASK]"];
    place.write("text.txt", format!("{}\n{}", lines.join("\n"), "the car ".repeat(100)));
    let eval = |subject: &str, seed: &str| {
        place.json(&["eval", subject, "--task", "mlm", "--data", "text.txt", "--seed", seed, "--json"])
    };
    let (packed, float) = (eval("model.distil", "3"), eval("model", "3"));
    assert_eq!((&packed["masked"], &packed["truncated"]), (&float["masked"], &Value::from(1)));
    let (a, b) = (packed["loss"].as_f64().unwrap(), float["loss"].as_f64().unwrap());
    assert!((a - b).abs() < 0.02 * b && b > 4.0, "{a} {b}");
    assert_eq!(eval("model.distil", "3"), packed);
    assert_ne!(eval("model.distil", "4")["loss"], packed["loss"]);
}

#[test]
fn verify_fails_below_its_threshold_and_for_another_model() {
    let place = place(HeadKind::MaskedLm);
    let output = place.run(&["verify", "model.distil", "--against", "model", "--min-cosine", "0.9999999"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("hidden states: least cosine 0.999"));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("error: model.distil: differs too much from model: --min-cosine 0.9999999: 0.9")
    );

    let other = Fixture { architecture: Architecture::Bert, seed: 9, ..Fixture::default() };
    other.write(&place.path("other")).unwrap();
    assert_eq!(place.run(&["verify", "model.distil", "--against", "other"]).status.code(), Some(1));
    Fixture { layers: 3, ..other }.write(&place.path("other")).unwrap();
    let said = place.fails(&["verify", "model.distil", "--against", "other"]);
    assert!(said.contains("models of different shape") && said.ends_with("exit code 2\n"), "{said}");
}

/// Prints what the project promises for all-MiniLM-L6-v2; needs its folder in `DISTIL_MINILM`.
#[test]
fn minilm_keeps_its_quality() {
    let (Some(folder), Some(data)) = (std::env::var_os("DISTIL_MINILM"), shared("data/labelled/stsb/dev.tsv")) else {
        eprintln!("SKIPPED: set DISTIL_MINILM to the folder of all-MiniLM-L6-v2");
        return;
    };
    let place = Place::empty();
    let packed = place.json(&["pack", folder.to_str().unwrap(), "-o", "minilm.distil", "--json"]);
    assert!(packed["bytes"].as_u64().unwrap() <= 23_500_000, "{packed}");
    let report = place.json(&["eval", "minilm.distil", "--task", "stsb", "--data", data.to_str().unwrap(), "--json"]);
    assert!(report["spearman"].as_f64().unwrap() >= 0.862, "{report}");
}

/// `--among` gives the sentences in the order of their cosines, which are those of the embeddings.
#[test]
fn the_nearest_of_given_sentences() {
    let place = place(HeadKind::Embedding);
    let sentences = ["the cat sat", "turn it off", "she was reading a book", "who is there?"];
    place.write("among.txt", "the cat sat\n\nturn it off\nshe was reading a book\nwho is there?\n");
    let embedding = |text: &str| -> Vec<f64> {
        let answer = place.json(&["run", "model.distil", "--text", text, "--json"]);
        answer["embedding"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let cosine = |a: &[f64], b: &[f64]| {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let text = "turn the lamp off";
    let mut expected: Vec<(f64, &str)> =
        sentences.iter().map(|sentence| (cosine(&embedding(text), &embedding(sentence)), *sentence)).collect();
    expected.sort_by(|a, b| b.0.total_cmp(&a.0));
    let args = ["run", "model.distil", "--among", "among.txt", "--text", text];
    let answer = place.json(&[&args[..], &["--top", "3", "--json"]].concat());
    let nearest = answer["nearest"].as_array().unwrap();
    assert_eq!(nearest.len(), 3);
    for (near, (cosine, sentence)) in nearest.iter().zip(&expected) {
        assert_eq!(near["sentence"], *sentence);
        assert!((near["cosine"].as_f64().unwrap() - cosine).abs() < 1e-6, "{answer}");
        let line = sentences.iter().position(|other| other == sentence).unwrap() + 1;
        assert_eq!(near["line"], line + usize::from(line > 1), "empty lines count, too");
    }
    let said = place.ok(&args);
    assert_eq!(said.trim_end().split('\t').count(), 4);
    assert!(said.starts_with(&format!("{} {:.4}\t", expected[0].1, expected[0].0)), "{said}");
    // A sentence is nearest to itself.
    let lines = place.run_with(&["run", "model.distil", "--among", "among.txt", "--top", "1"], b"who is there?\n");
    assert_eq!(String::from_utf8(lines.stdout).unwrap(), "who is there? 1.0000\n");
    place.write("among.txt", "the cat ".repeat(100));
    let said = place.fails(&args);
    assert!(said.contains("among.txt: line 1: ") && said.ends_with("exit code 2\n"), "{said}");
    place.ok(&[&args[..], &["--truncate"]].concat());
    place.ok(&["fixture", "-o", "masked"]);
    place.ok(&["pack", "masked", "-o", "masked.distil"]);
    let said = place.fails(&["run", "masked.distil", "--among", "among.txt", "--text", "a"]);
    assert!(said.contains("--among needs the head embedding, this file has masked-lm"), "{said}");
}

/// Of labels each of which is right or not, people read those that hold.
#[test]
fn several_labels_at_once_are_a_set() {
    let problem = Some(distil_format::Problem::MultiLabel);
    let fixture = Fixture { head: HeadKind::SequenceClassification, labels: 4, problem, ..Fixture::default() };
    let place = Place::packed(&fixture);
    for text in ["the cat sat", "turn it off", "she was reading", "who is there?"] {
        let chosen = place.json(&["run", "model.distil", "--text", text, "--json"])["chosen"].clone();
        let said = place.ok(&["run", "model.distil", "--text", text]);
        let mut shown: Vec<&str> =
            said.trim_end().split('\t').filter_map(|item| Some(item.rsplit_once(' ')?.0)).collect();
        shown.sort_unstable();
        let chosen: Vec<&str> = chosen.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(shown, if chosen.is_empty() { vec!["(no"] } else { chosen }, "{said}");
    }
}

//! `tools verify`: every layer, every tensor, every threshold; and the runtime's hidden states that it rests on.

mod support;

use distil_format::{AlignedBytes, Artifact};
use distil_runtime::{Model, Plan, Session, arena_len};
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use serde_json::Value;
use support::{Place, edit_weights};

/// Packed, 3 layers, an embedding: each layer draws its weights after those before it, so a fixture of fewer layers is
/// the beginning of this one.
fn three_layers() -> Fixture {
    Fixture { head: HeadKind::Embedding, layers: 3, ..Fixture::default() }
}

const IDS: [u32; 7] = [2, 30, 41, 52, 63, 200, 3];

/// What `observe_ids` shows, and the last hidden states.
fn observed(place: &Place, plan: Plan) -> (Vec<(u32, Vec<f32>)>, Vec<f32>) {
    let bytes = AlignedBytes::copy_of(&std::fs::read(place.path("model.distil")).unwrap());
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::new(&artifact).unwrap();
    let mut arena = vec![0; arena_len(&artifact, IDS.len(), plan)];
    let mut session = Session::with_plan(&model, &mut arena, IDS.len(), plan, &distil_runtime::SingleThread).unwrap();
    let mut seen = Vec::new();
    session.observe_ids(&IDS, None, |done, hidden| seen.push((done, hidden.to_vec()))).unwrap();
    let observed = session.hidden().to_vec();
    session.encode_ids(&IDS, None).unwrap();
    assert_eq!(session.hidden(), observed, "watching changes nothing");
    (seen, observed)
}

#[test]
fn hidden_states_on_their_way_are_those_of_a_shallower_model() {
    let (seen, last) = observed(&Place::packed(&three_layers()), Plan::FAST);
    assert_eq!(seen.iter().map(|(done, _)| *done).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(seen[3].1, last);
    for layers in [1, 2] {
        let (_, shallow) = observed(&Place::packed(&Fixture { layers, ..three_layers() }), Plan::FAST);
        assert_eq!(seen[layers].1, shallow, "after {layers} layers");
    }
    for plan in [Plan::SMALL, Plan::LARGE] {
        assert_eq!(observed(&Place::packed(&three_layers()), plan).0, seen);
    }
}

#[test]
fn nothing_is_shown_for_ids_out_of_range() {
    let place = Place::packed(&three_layers());
    let bytes = AlignedBytes::copy_of(&std::fs::read(place.path("model.distil")).unwrap());
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::new(&artifact).unwrap();
    let mut arena = vec![0; arena_len(&artifact, 4, Plan::FAST)];
    let mut session = Session::new(&model, &mut arena, 4).unwrap();
    for ids in [&[2, 9999, 3][..], &[], &[2, 5, 5, 5, 3]] {
        session.observe_ids(ids, None, |_, _| panic!("shown")).unwrap_err();
    }
}

fn verify(place: &Place, file: &str, more: &[&str]) -> Value {
    place.json(&[&["verify", file, "--against", "model", "--json"], more].concat())
}

#[test]
fn every_layer_is_compared() {
    for head in [HeadKind::Embedding, HeadKind::MaskedLm, HeadKind::SequenceClassification] {
        for architecture in [Architecture::Bert, Architecture::DistilBert] {
            let place = Place::packed(&Fixture { head, architecture, ..three_layers() });
            let report = verify(&place, "model.distil", &[]);
            let layers = report["layers"].as_array().unwrap();
            let names: Vec<&str> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
            assert_eq!(names, ["embeddings", "layer.0", "layer.1", "layer.2"]);
            let number = |layer: &Value, key: &str| layer[key].as_f64().unwrap();
            for layer in layers {
                let (error, most) = (number(layer, "error"), number(layer, "max_error"));
                assert!(error > 1e-4 && error <= most && most < 0.05, "{layer}");
                let (cosine, least) = (number(layer, "cosine"), number(layer, "min_cosine"));
                assert!(cosine >= least && cosine < 1.0 && least > 0.998, "{layer}");
            }
            // After the last layer it is the whole encoder.
            assert_eq!(layers[3]["max_error"], report["max_hidden_error"]);
            assert_eq!(layers[3]["min_cosine"], report["min_hidden_cosine"]);

            place.ok(&["pack", "model", "-o", "float.distil", "--weights", "f32"]);
            let report = verify(&place, "float.distil", &["--max-layer-error", "0.000005", "--max-tensor-error", "0"]);
            assert_eq!(report["passed"], true);
        }
    }
}

/// One row of one matrix is changed after packing: it has to be found, and the error to begin at its layer.
#[test]
fn a_wrong_row_is_found_and_its_layer() {
    let place = Place::packed(&Fixture { architecture: Architecture::Bert, ..three_layers() });
    let clean = verify(&place, "model.distil", &[]);
    edit_weights(&place.path("model"), |tensors| {
        let (_, _, data) = tensors.get_mut("bert.encoder.layer.1.output.dense.weight").unwrap();
        let row = 17 * 128 * 4;
        data[row..row + 128 * 4].fill(0);
    });
    let report = verify(&place, "model.distil", &["--min-cosine", "0"]);
    assert_eq!((&clean["same_source"], &report["same_source"]), (&Value::Bool(true), &Value::Bool(false)));
    let tensors = report["tensors"].as_array().unwrap();
    let by_error = |a: &&Value, b: &&Value| a["relative"].as_f64().unwrap().total_cmp(&b["relative"].as_f64().unwrap());
    let worst = tensors.iter().max_by(by_error).unwrap();
    assert_eq!((&worst["name"], &worst["worst_row"]), (&"layer.1.feed-forward-out".into(), &17.into()), "{worst}");
    let error = |report: &Value, layer: usize| report["layers"][layer]["error"].as_f64().unwrap();
    for layer in [0, 1] {
        assert_eq!(error(&report, layer), error(&clean, layer), "before it nothing changed");
    }
    for layer in [2, 3] {
        assert!(
            error(&report, layer) > 2.0 * error(&clean, layer),
            "{} {}",
            error(&report, layer),
            error(&clean, layer)
        );
    }
    let said = place.fails(&["verify", "model.distil", "--against", "model", "--max-tensor-error", "0.05"]);
    assert!(said.contains("--max-tensor-error 0.05: 0.") && said.contains("(layer.1.feed-forward-out)"), "{said}");
}

/// What is too much to ask of int8, for each threshold; and what is not.
#[test]
fn every_threshold_decides_the_exit_code() {
    let place = Place::packed(&three_layers());
    for (option, strict, easy) in [
        ("--min-cosine", "1", "0.99"),
        ("--max-error", "0", "0.05"),
        ("--min-output-cosine", "1", "0.99"),
        ("--max-tensor-error", "0", "0.05"),
        ("--max-layer-error", "0.0001", "0.05"),
    ] {
        let args = ["verify", "model.distil", "--against", "model", option];
        let said = place.fails(&[&args[..], &[strict]].concat());
        assert!(said.contains("error: model.distil: differs too much from model: ") && said.contains(option), "{said}");
        assert!(said.ends_with("exit code 1\n"), "{said}");
        place.ok(&[&args[..], &[easy]].concat());
        let output = place.run(&[&args[..], &[strict, "--json"]].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let limits = report["limits"].as_array().unwrap();
        let limit = limits.iter().find(|limit| limit["option"] == option).unwrap();
        assert_eq!((&report["passed"], &limit["held"]), (&false.into(), &false.into()), "{limit}");
        assert!(limit["place"].is_string(), "{limit}");
    }
}

#[test]
fn agreement_is_a_threshold_for_heads_that_answer() {
    let place = Place::packed(&Fixture::default());
    let other = Fixture { seed: 5, ..Fixture::default() };
    other.write(&place.path("other")).unwrap();
    place.ok(&["verify", "model.distil", "--against", "model", "--min-agreement", "0.5"]);
    let args = ["verify", "model.distil", "--against", "other", "--min-cosine=-1", "--max-error", "9"];
    let said = place.fails(&[&args[..], &["--min-agreement", "0.9"]].concat());
    assert!(said.contains(": --min-agreement 0.9: 0") && !said.contains("--max-error 9:"), "{said}");
    assert!(said.ends_with("exit code 1\n"), "{said}");
}

#[test]
fn thresholds_that_do_not_suit_are_refused() {
    let masked = Place::packed(&Fixture::default());
    let embedding = Place::packed(&three_layers());
    let mut said = String::new();
    for (place, option, value) in [
        (&masked, "--min-output-cosine", "0.9"),
        (&embedding, "--min-agreement", "0.9"),
        (&embedding, "--min-cosine", "1.5"),
        (&embedding, "--max-error", "-1"),
        (&embedding, "--max-layer-error", "nan"),
    ] {
        let answer = place.fails(&["verify", "model.distil", "--against", "model", &format!("{option}={value}")]);
        assert!(answer.ends_with("exit code 2\n"), "{answer}");
        said += &answer;
    }
    insta::assert_snapshot!(said);
}

/// Any number of threads gives the same report.
#[test]
fn threads_do_not_matter() {
    let place = Place::packed(&three_layers());
    place.write("texts.txt", "turn the lights off\nit is cold\nthe cat sat on the table\nred wine\n".repeat(3));
    let report = |threads: &str| {
        let mut command = assert_cmd::Command::cargo_bin("tools").unwrap();
        command.current_dir(place.0.path()).env("RAYON_NUM_THREADS", threads);
        let args = ["verify", "model.distil", "--against", "model", "--text", "texts.txt", "--json"];
        command.args(args).output().unwrap().stdout
    };
    assert_eq!(report("1"), report("3"));
}

/// What only a comparison heeds is not quietly left out with the signature alone.
#[test]
fn options_of_a_comparison_need_an_original() {
    let place = Place::packed(&three_layers());
    for option in [
        ["--text", "text.txt"],
        ["--min-cosine", "0.9"],
        ["--max-error", "0.1"],
        ["--min-agreement", "1"],
        ["--isa", "reference"],
    ] {
        let said = place.fails(&[&["verify", "model.distil", "--key", "a.pub"], &option[..]].concat());
        assert!(said.contains("--against <DIR>") && said.ends_with("exit code 2\n"), "{said}");
    }
}

//! `tools diff`: what it finds, and its exit codes.

mod support;

use distil_tools::fixture::Fixture;
use distil_tools::hf::HeadKind;
use serde_json::{Value, json};
use support::{Place, edit_weights};

/// Runs `tools diff a b --json`, which has to end with `code`.
fn diff(place: &Place, a: &str, b: &str, code: i32) -> Value {
    let output = place.run(&["diff", a, b, "--json"]);
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "a difference is no error");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_same_bytes_are_the_same() {
    let place = Place::packed(&Fixture::default());
    place.ok(&["pack", "model", "-o", "again.distil"]);
    let report = diff(&place, "model.distil", "again.distil", 0);
    assert_eq!((&report["same"], &report["tensors"], &report["config"]), (&json!(true), &json!([]), &json!([])));
    assert_eq!(
        report["same_tensors"],
        place.json(&["inspect", "model.distil", "--json"])["tensors"].as_array().unwrap().len()
    );
    assert!(place.ok(&["diff", "model.distil", "again.distil"]).contains("have the same bytes"));
}

#[test]
fn storage_and_values_of_tensors() {
    let place = Place::packed(&Fixture::default());
    place.ok(&["pack", "model", "-o", "int4.distil", "--weights", "int4", "--embeddings", "int8"]);
    place.ok(&["pack", "model", "-o", "tile8.distil", "--layout", "tile8"]);
    let report = diff(&place, "model.distil", "int4.distil", 1);
    let tensors = report["tensors"].as_array().unwrap();
    // Four attention matrices and two of the feed-forward block in each of two layers, and the head's.
    assert_eq!(tensors.len(), 2 * 6 + 1);
    for tensor in tensors {
        assert_eq!((&tensor["a"]["dtype"], &tensor["b"]["dtype"]), (&json!("int8"), &json!("int4g32")));
        assert!(tensor["a"]["bytes"].as_u64() > tensor["b"]["bytes"].as_u64());
        let relative = tensor["difference"]["relative"].as_f64().unwrap();
        assert!(relative > 0.02 && relative < 0.2, "{tensor}");
    }
    let manifest = report["manifest"].as_array().unwrap();
    assert!(manifest.contains(&json!({"field": "recipe.weights", "a": "int8", "b": "int4g32"})), "{manifest:?}");

    // Another order of the same numbers.
    let report = diff(&place, "model.distil", "tile8.distil", 1);
    for tensor in report["tensors"].as_array().unwrap() {
        assert_eq!((&tensor["a"]["layout"], &tensor["b"]["layout"]), (&json!("tile16"), &json!("tile8")));
        assert_eq!(tensor["difference"]["relative"], 0.0);
    }
}

#[test]
fn one_changed_row_has_a_place() {
    let place = Place::packed(&Fixture::default());
    edit_weights(&place.path("model"), |tensors| {
        let (_, _, data) = tensors.get_mut("distilbert.transformer.layer.0.attention.k_lin.weight").unwrap();
        let row = 5 * 64 * 4;
        data[row..row + 64 * 4].fill(0);
    });
    place.ok(&["pack", "model", "-o", "changed.distil"]);
    let report = diff(&place, "model.distil", "changed.distil", 1);
    let tensors = report["tensors"].as_array().unwrap();
    assert_eq!((tensors.len(), &tensors[0]["name"]), (1, &json!("layer.0.key")));
    let difference = &tensors[0]["difference"];
    assert_eq!((&difference["worst_row"], &difference["worst_row_relative"]), (&json!(5), &json!(1.0)));
}

#[test]
fn configuration_labels_and_vocabulary() {
    let place = Place::packed(&Fixture { head: HeadKind::SequenceClassification, ..Fixture::default() });
    let config = std::fs::read_to_string(place.path("model/config.json")).unwrap();
    place.write("model/config.json", config.replace("\"positive\"", "\"fine\""));
    let vocabulary = std::fs::read_to_string(place.path("model/vocab.txt")).unwrap();
    let mut entries: Vec<&str> = vocabulary.lines().collect();
    let last = entries.len() - 1;
    entries.swap(last, last - 1);
    entries[last - 2] = "brandnewword";
    place.write("model/vocab.txt", entries.join("\n"));
    place.ok(&["pack", "model", "-o", "other.distil", "--pooling", "cls"]);
    let report = diff(&place, "model.distil", "other.distil", 1);
    assert_eq!(report["config"], json!([{"field": "pooling", "a": "mean", "b": "cls"}]));
    assert_eq!(report["labels"], json!([{"field": "1", "a": "positive", "b": "fine"}]));
    let found = &report["vocabulary"];
    let counts = ["only_a", "only_b", "renumbered"].map(|key| found[key].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 2], "{found}");
    assert_eq!((&found["first"][0]["id"], &found["first"][0]["b"]), (&json!(last - 2), &json!("brandnewword")));
    assert_eq!(found["first"].as_array().unwrap().len(), 3);
}

#[test]
fn models_of_different_shape() {
    let place = Place::packed(&Fixture { head: HeadKind::Embedding, ..Fixture::default() });
    let other = Fixture { head: HeadKind::MaskedLm, layers: 1, intermediate: 96, ..Fixture::default() };
    other.write(&place.path("other")).unwrap();
    place.ok(&["pack", "other", "-o", "other.distil"]);
    let report = diff(&place, "model.distil", "other.distil", 1);
    let tensors = report["tensors"].as_array().unwrap();
    let named = |name: &str| tensors.iter().find(|tensor| tensor["name"] == name).unwrap();
    assert!(named("layer.1.query")["b"].is_null() && named("mlm-transform")["a"].is_null());
    let reshaped = named("layer.0.feed-forward-in");
    assert!(reshaped["difference"].is_null() && reshaped["b"]["rows"] == 96, "{reshaped}");
    let fields: Vec<&str> =
        report["config"].as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["head", "intermediate", "layers"]);
}

/// Checksums and percentages depend on the float arithmetic of packing, which is the same everywhere.
#[test]
fn what_people_read() {
    let place = Place::packed(&Fixture { layers: 1, head: HeadKind::Embedding, ..Fixture::default() });
    place.ok(&["pack", "model", "-o", "int4.distil", "--weights", "int4", "--normalize"]);
    let output = place.run(&["diff", "model.distil", "int4.distil"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
    let said = place.fails(&["diff", "model.distil", "nowhere.distil"]);
    assert!(said.contains("nowhere.distil: cannot be read") && said.ends_with("exit code 2\n"), "{said}");
    place.write("bad.distil", "not a packed file");
    assert!(place.fails(&["diff", "bad.distil", "model.distil"]).ends_with("exit code 2\n"));
}

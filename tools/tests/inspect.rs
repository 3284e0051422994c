//! `tools inspect` and manifests: what packing wrote, of this version, an older one and a newer one.

mod support;

use ciborium::Value as Cbor;
use distil_format::{AlignedBytes, Artifact, SectionKind, TensorData, write};
use distil_tools::fixture::Fixture;
use distil_tools::hf::HeadKind;
use distil_tools::pack::Manifest;
use serde_json::json;
use support::Place;

/// Writes `model.distil` again as `other.distil`, with another manifest.
fn with_manifest(place: &Place, edit: impl FnOnce(Cbor) -> Vec<u8>) {
    let bytes = AlignedBytes::copy_of(&std::fs::read(place.path("model.distil")).unwrap());
    let artifact = Artifact::open(&bytes).unwrap();
    let tensors = artifact.tensors().map(|tensor| TensorData {
        id: tensor.id,
        dtype: tensor.dtype,
        layout: tensor.layout,
        data: tensor.data.to_vec(),
        scales: tensor.scales.to_vec(),
    });
    let vocabulary = artifact.sections().find(|(kind, _)| *kind == SectionKind::Vocabulary).unwrap().1;
    let labels: Vec<String> = (0..).map_while(|label| artifact.label(label)).map(str::to_owned).collect();
    let manifest = edit(ciborium::from_reader(artifact.manifest()).unwrap());
    let written =
        write(artifact.config(), tensors.collect(), &artifact.bytes()[vocabulary], &labels, &manifest).unwrap();
    place.write("other.distil", written);
}

fn encoded(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// The entry of a map.
fn entry<'a>(map: &'a mut Cbor, key: &str) -> &'a mut Cbor {
    &mut map.as_map_mut().unwrap().iter_mut().find(|(name, _)| name.as_text() == Some(key)).unwrap().1
}

#[test]
fn the_manifest_is_shown() {
    let place = Place::packed(&Fixture { head: HeadKind::SequenceClassification, ..Fixture::default() });
    let report = place.json(&["inspect", "model.distil", "--json"]);
    let source = &report["source"];
    assert_eq!(source["tool"], concat!("distil-tools ", env!("CARGO_PKG_VERSION")));
    let weights = std::fs::read(place.path("model/model.safetensors")).unwrap();
    assert_eq!(source["sha256"], sha256(&weights));
    assert_eq!((&source["recipe"]["weights"], &source["recipe"]["layout"]), (&json!("int8"), &json!("tile16")));
    let text = place.ok(&["inspect", "model.distil"]);
    assert!(text.contains("\nrecipe: embeddings int8, "), "{text}");
    // Each tensor with its error and worst row, as `verify` measures them anew.
    let verified = place.json(&["verify", "model.distil", "--against", "model", "--json"]);
    let tensors = report["tensors"].as_array().unwrap();
    for (shown, measured) in tensors.iter().zip(verified["tensors"].as_array().unwrap()) {
        for key in ["relative", "max", "worst_row", "worst_row_relative"] {
            assert_eq!(shown["error"][key], measured[key], "{shown} {measured}");
        }
        let line = text.lines().find(|line| line.starts_with(shown["name"].as_str().unwrap())).unwrap();
        let worst = shown["error"]["worst_row_relative"].as_f64().unwrap() * 100.0;
        assert!(line.ends_with(&format!("{}: {worst:.3}%", shown["error"]["worst_row"])), "{line}");
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A newer version may say more of its recipe, and more of everything else.
#[test]
fn unknown_fields_of_a_recipe_are_shown() {
    let place = Place::packed(&Fixture::default());
    with_manifest(&place, |mut manifest| {
        let text = |text: &str| Cbor::Text(text.to_owned());
        let annealing = Cbor::Map(vec![(text("texts"), Cbor::from(128)), (text("sha256"), text("abcd"))]);
        let recipe = entry(&mut manifest, "recipe").as_map_mut().unwrap();
        recipe.push((text("annealing"), annealing));
        recipe.push((text("kept"), Cbor::Array(vec![text("query"), text("key")])));
        recipe.push((text("folded"), Cbor::Bool(true)));
        manifest.as_map_mut().unwrap().push((text("signed_by"), text("nobody")));
        encoded(&manifest)
    });
    let report = place.json(&["inspect", "other.distil", "--json"]);
    assert_eq!(report["source"]["recipe"]["annealing"], json!({"texts": 128, "sha256": "abcd"}));
    let text = place.ok(&["inspect", "other.distil"]);
    let line = text.lines().find(|line| line.starts_with("recipe: ")).unwrap();
    let said = "recipe: annealing (sha256 abcd, texts 128), embeddings int8, folded, kept query+key, layout tile16, weights int8";
    assert_eq!(line, said);
    // `diff` finds the same fields, and nothing else: every other part is the same.
    let output = place.run(&["diff", "model.distil", "other.distil", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let fields: Vec<&str> =
        report["manifest"].as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
    let added = ["recipe.annealing.sha256", "recipe.annealing.texts", "recipe.folded", "recipe.kept", "signed_by"];
    assert_eq!((fields, &report["tensors"], output.status.code()), (added.to_vec(), &json!([]), Some(1)));
}

/// The fields that the first files had are all that a manifest needs.
#[test]
fn the_first_manifests_are_read() {
    let text = |text: &str| Cbor::Text(text.to_owned());
    let map =
        |fields: Vec<(&str, Cbor)>| Cbor::Map(fields.into_iter().map(|(name, value)| (text(name), value)).collect());
    let error = map(vec![
        ("relative", Cbor::from(0.5)),
        ("max", Cbor::from(0.25)),
        ("worst_row", Cbor::from(3)),
        ("worst_row_relative", Cbor::from(0.75)),
    ]);
    let tensor = map(vec![
        ("name", text("layer.0.query")),
        ("source", text("q")),
        ("dtype", text("int8")),
        ("layout", text("tile16")),
        ("error", error),
    ]);
    let recipe = map(vec![
        ("weights", text("int8")),
        ("embeddings", text("int8")),
        ("layout", text("tile16")),
        ("keep_int8", Cbor::Array(Vec::new())),
    ]);
    let manifest = map(vec![
        ("tool", text("distil-tools 0.1.0")),
        ("source_sha256", text("00")),
        ("architecture", text("bert")),
        ("recipe", recipe),
        ("tensors", Cbor::Array(vec![tensor])),
    ]);
    let read = Manifest::from_cbor(&encoded(&manifest)).unwrap();
    assert_eq!((&*read.recipe.weights, read.tensors[0].error.worst_row), ("int8", 3));

    let place = Place::packed(&Fixture::default());
    with_manifest(&place, |_| encoded(&manifest));
    let report = place.json(&["inspect", "other.distil", "--json"]);
    assert_eq!(report["source"]["tool"], "distil-tools 0.1.0");
    let tensors = report["tensors"].as_array().unwrap();
    let query = tensors.iter().find(|tensor| tensor["name"] == "layer.0.query").unwrap();
    assert_eq!(query["error"]["worst_row"], 3);
    assert!(tensors.iter().any(|tensor| tensor["error"].is_null()), "the others have no record");
}

#[test]
fn a_foreign_manifest_is_no_obstacle() {
    let place = Place::packed(&Fixture::default());
    for manifest in [Vec::new(), b"\xff\xff".to_vec(), encoded(&Cbor::Text("something else".into()))] {
        with_manifest(&place, |_| manifest);
        assert!(place.json(&["inspect", "other.distil", "--json"])["source"].is_null());
        assert!(place.ok(&["inspect", "other.distil"]).contains(" - "));
        place.ok(&["verify", "other.distil", "--against", "model"]);
        assert_eq!(place.run(&["diff", "model.distil", "other.distil"]).status.code(), Some(1));
    }
}

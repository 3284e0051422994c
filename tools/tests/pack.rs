//! Packing: exact, deterministic, whole or not at all, and indifferent to the spelling of the source.

mod support;

use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use half::{bf16, f16};
use safetensors::Dtype;
use serde_json::json;
use support::{Place, Stored, edit_weights, shared};

const HEADS: [HeadKind; 5] = [
    HeadKind::Embedding,
    HeadKind::MaskedLm,
    HeadKind::SequenceClassification,
    HeadKind::TokenClassification,
    HeadKind::QuestionAnswering,
];

fn read(place: &Place, name: &str) -> Vec<u8> {
    std::fs::read(place.path(name)).unwrap()
}

#[test]
fn packed_outputs_agree_with_the_float_reference() {
    for architecture in [Architecture::Bert, Architecture::DistilBert] {
        for head in HEADS {
            let place = Place::packed(&Fixture { architecture, head, ..Fixture::default() });
            // int8: 1.2% measured. float32: the same formulas in another order.
            place.ok(&[
                "verify",
                "model.distil",
                "--against",
                "model",
                "--min-cosine",
                "0.9997",
                "--max-error",
                "0.02",
            ]);
            place.ok(&["pack", "model", "-o", "float.distil", "--weights", "f32"]);
            let exact = ["--min-cosine", "0.9999999", "--max-error", "0.000005"];
            let report =
                place.json(&[&["verify", "float.distil", "--against", "model", "--json"], &exact[..]].concat());
            assert!(report["agreement"].is_null() || report["agreement"] == 1.0);
            assert!(report["tensors"].as_array().unwrap().iter().all(|tensor| tensor["relative"] == 0.0));
        }
    }
}

/// The error of int8 grows with depth: 12 layers (the teacher of case-b) reach 4.6% and a cosine of 0.9989.
#[test]
fn golden_models_agree_packed() {
    for (case, entries) in [("case-a", 512), ("case-b", 701)] {
        for name in ["teacher", "student"] {
            let Some(folder) = shared(&format!("golden/{case}/{name}")) else { return };
            // The cases have no vocabulary of their own; the fixture's has the right number of entries.
            let place = Place::with(&Fixture { vocab_size: entries, ..Fixture::default() });
            let folder = folder.to_str().unwrap();
            for (weights, cosine, error) in [("int8", "0.998", "0.06"), ("f32", "0.99999", "0.00001")] {
                place.ok(&["pack", folder, "-o", "golden.distil", "--vocab", "model/vocab.txt", "--weights", weights]);
                let verify = ["verify", "golden.distil", "--against", folder, "--json"];
                let report = place.json(&[&verify[..], &["--min-cosine", cosine, "--max-error", error]].concat());
                println!("{case} {name} {weights}: {} {}", report["min_hidden_cosine"], report["max_hidden_error"]);
            }
        }
    }
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    let place = Place::packed(&Fixture::default());
    let first = read(&place, "model.distil");
    place.ok(&["pack", "model", "-o", "model.distil"]);
    assert_eq!(read(&place, "model.distil"), first);
    let other = Place::packed(&Fixture { seed: 1, ..Fixture::default() });
    assert_ne!(read(&other, "model.distil"), first);
}

#[test]
fn spelling_of_the_source_does_not_matter() {
    for architecture in [Architecture::Bert, Architecture::DistilBert] {
        let place = Place::packed(&Fixture { architecture, ..Fixture::default() });
        let expected = checkless(&read(&place, "model.distil"));
        edit_weights(&place.path("model"), |tensors| {
            *tensors = std::mem::take(tensors)
                .into_iter()
                .map(|(name, tensor)| {
                    let name = name.trim_start_matches("bert.").trim_start_matches("distilbert.");
                    let norm = name.to_lowercase().contains("norm");
                    let name =
                        if norm { name.replace(".weight", ".gamma").replace(".bias", ".beta") } else { name.into() };
                    (name, tensor)
                })
                .collect();
            tensors.insert("embeddings.position_ids".into(), (Dtype::I64, vec![1, 2], vec![0; 16]));
        });
        place.ok(&["pack", "model", "-o", "model.distil"]);
        assert_eq!(checkless(&read(&place, "model.distil")), expected);
    }
}

/// What of a packed file does not depend on the source's spelling: everything before the manifest but the header.
fn checkless(file: &[u8]) -> Vec<u8> {
    let bytes = distil_format::AlignedBytes::copy_of(file);
    let artifact = distil_format::Artifact::open(&bytes).unwrap();
    let manifest = artifact.sections().find(|(kind, _)| kind.name() == "manifest").unwrap().1;
    let config = artifact.sections().next().unwrap().1;
    file[config.start..manifest.start].to_vec()
}

#[test]
fn half_precision_sources_are_read() {
    let halves = |data: &[u8], convert: fn(f32) -> u16| {
        let values = data.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap()));
        values.flat_map(|value| convert(value).to_le_bytes()).collect::<Vec<u8>>()
    };
    type Convert = fn(f32) -> u16;
    let kinds: [(Dtype, Convert, &str); 2] = [
        (Dtype::F16, |value| f16::from_f32(value).to_bits(), "0.001"),
        (Dtype::BF16, |value| bf16::from_f32(value).to_bits(), "0.01"),
    ];
    for (dtype, convert, limit) in kinds {
        let place = Place::with(&Fixture::default());
        edit_weights(&place.path("model"), |tensors| {
            for (found, _, data) in tensors.values_mut() {
                (*found, *data) = (dtype, halves(data, convert));
            }
        });
        place.ok(&["pack", "model", "-o", "half.distil", "--weights", "f32"]);
        // Against the folder it came from, and against the float32 weights these were rounded from.
        place.ok(&["verify", "half.distil", "--against", "model", "--max-error", "0.000005"]);
        Fixture::default().write(&place.path("whole")).unwrap();
        let report = place.json(&["verify", "half.distil", "--against", "whole", "--max-error", limit, "--json"]);
        assert_eq!(report["same_source"], false);
        assert!(report["max_hidden_error"].as_f64().unwrap() > 1e-5, "it was rounded");
    }
}

#[test]
fn tied_copies_padding_rows_and_tokenizer_json_are_understood() {
    let place = Place::packed(&Fixture { architecture: Architecture::Bert, ..Fixture::default() });
    let expected = checkless(&read(&place, "model.distil"));
    edit_weights(&place.path("model"), |tensors| {
        let table: Stored = tensors["bert.embeddings.word_embeddings.weight"].clone();
        tensors.insert("cls.predictions.decoder.weight".into(), table);
        let bias = tensors.remove("cls.predictions.bias").unwrap();
        tensors.insert("cls.predictions.decoder.bias".into(), bias);
    });
    let vocabulary = std::fs::read_to_string(place.path("model/vocab.txt")).unwrap();
    let ids: serde_json::Map<_, _> =
        vocabulary.lines().enumerate().map(|(id, piece)| (piece.to_owned(), json!(id))).collect();
    let tokenizer =
        json!({"model": {"type": "WordPiece", "vocab": ids}, "normalizer": {"lowercase": true, "strip_accents": null}});
    place.write("model/tokenizer.json", tokenizer.to_string());
    std::fs::remove_file(place.path("model/vocab.txt")).unwrap();
    place.ok(&["pack", "model", "-o", "model.distil"]);
    assert_eq!(checkless(&read(&place, "model.distil")), expected);

    let shorter: Vec<&str> = vocabulary.lines().take(500).collect();
    place.write("shorter.txt", shorter.join("\n"));
    place.ok(&["pack", "model", "-o", "model.distil", "--vocab", "shorter.txt"]);
    assert_eq!(place.json(&["inspect", "model.distil", "--json"])["vocabulary_entries"], 500);
}

#[test]
fn options_and_folder_decide_head_pooling_and_case() {
    let place = Place::with(&Fixture { head: HeadKind::MaskedLm, ..Fixture::default() });
    let config = |args: &[&str]| {
        place.ok(&[&["pack", "model", "-o", "out.distil"], args].concat());
        place.json(&["inspect", "out.distil", "--json"])["config"].clone()
    };
    let found = config(&[]);
    assert_eq!(
        (&found["head"], &found["pooling"], &found["normalize"]),
        (&json!("masked-lm"), &json!("mean"), &json!(false))
    );
    let found = config(&["--head", "embedding", "--pooling", "cls", "--normalize"]);
    assert_eq!(
        (&found["head"], &found["pooling"], &found["normalize"]),
        (&json!("embedding"), &json!("cls"), &json!(true))
    );

    std::fs::create_dir(place.path("model/1_Pooling")).unwrap();
    place
        .write("model/1_Pooling/config.json", r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#);
    let steps = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")];
    let steps = steps.map(|(kind, path)| json!({"type": format!("sentence_transformers.models.{kind}"), "path": path}));
    place.write("model/modules.json", json!(steps).to_string());
    place.write("model/tokenizer_config.json", r#"{"do_lower_case": false}"#);
    let found = config(&["--head", "embedding"]);
    assert_eq!(
        (&found["pooling"], &found["normalize"], &found["lowercase"]),
        (&json!("cls"), &json!(true), &json!(false))
    );
    let found = config(&["--head", "embedding", "--pooling", "mean", "--no-normalize"]);
    assert_eq!((&found["pooling"], &found["normalize"]), (&json!("mean"), &json!(false)));
}

/// A limit on the size of a file stands for a full disk: the write fails in the middle.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_file() {
    use std::process::Command;
    let place = Place::with(&Fixture::default());
    place.write("out.distil", "old");
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" pack model -o out.distil";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_tools")])
        .current_dir(place.0.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: out.distil: cannot be written: File too large"), "{said}");
    assert_eq!(read(&place, "out.distil"), b"old");
    assert_eq!(place.listing(), ["model", "out.distil"]);
}

/// DistilBERT's real shape, 66,955,010 parameters as a two-way classifier: int8, and int4.
#[test]
fn distilbert_fits_in_67_5_and_37_5_megabytes() {
    let vocabulary = shared("data/vocab/vocab.txt").map(|path| std::fs::read_to_string(path).unwrap());
    let fixture = Fixture {
        head: HeadKind::SequenceClassification,
        hidden: 768,
        layers: 6,
        heads: 12,
        intermediate: 3072,
        positions: 512,
        vocab_size: 30_522,
        vocabulary: vocabulary.map(|text| text.lines().map(str::to_owned).collect()),
        ..Fixture::default()
    };
    let place = Place::with(&fixture);
    for (weights, most) in [("int8", 67_500_000), ("int4", 37_500_000)] {
        let report = place.json(&["pack", "model", "-o", "model.distil", "--weights", weights, "--json"]);
        assert_eq!(report["parameters"], 66_955_010);
        assert_eq!(report["bytes"], read(&place, "model.distil").len());
        assert!(report["bytes"].as_u64().unwrap() <= most, "{report}");
    }
}

//! What `tools pack` says to folders that cannot be packed: the file, the reason, the next step, exit code 2, and no
//! output file.

mod support;

use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use safetensors::Dtype;
use serde_json::{Value, json};
use support::{Place, edit_config, edit_weights};

const Q: &str = "distilbert.transformer.layer.0.attention.q_lin.weight";

/// Breaks a copy of the default fixture and returns what packing it says.
fn broken(title: &str, breakage: impl FnOnce(&Place)) -> String {
    broken_fixture(title, &Fixture::default(), &[], breakage)
}

fn broken_fixture(title: &str, fixture: &Fixture, more: &[&str], breakage: impl FnOnce(&Place)) -> String {
    let place = Place::with(fixture);
    breakage(&place);
    let before = place.listing();
    let said = place.fails(&[&["pack", "model", "-o", "out.distil"], more].concat());
    assert_eq!(place.listing(), before, "{title}: something was left behind");
    assert!(said.ends_with("exit code 2\n"), "{title}: {said}");
    assert!(said.contains("\nhint: "), "{title}: no next step: {said}");
    format!("## {title}\n{said}\n")
}

fn remove(place: &Place, name: &str) {
    std::fs::remove_file(place.path(name)).unwrap();
}

fn config(key: &'static str, value: Value) -> impl FnOnce(&Place) {
    move |place| edit_config(&place.path("model"), key, value)
}

/// Replaces the first value of the query matrix.
fn value(value: f32) -> impl FnOnce(&Place) {
    move |place| {
        edit_weights(&place.path("model"), |tensors| {
            tensors.get_mut(Q).unwrap().2[..4].copy_from_slice(&value.to_le_bytes());
        });
    }
}

#[test]
fn files() {
    let weights = "model/model.safetensors";
    let cut = |len: usize| {
        move |place: &Place| {
            let bytes = std::fs::read(place.path(weights)).unwrap();
            place.write(weights, &bytes[..len]);
        }
    };
    let said = [
        broken("no folder", |place| std::fs::remove_dir_all(place.path("model")).unwrap()),
        broken("a file in its place", |place| {
            std::fs::remove_dir_all(place.path("model")).unwrap();
            place.write("model", "");
        }),
        broken("no config.json", |place| remove(place, "model/config.json")),
        broken("no weights", |place| remove(place, weights)),
        broken("weights of another format", |place| {
            remove(place, weights);
            place.write("model/pytorch_model.bin", "");
        }),
        broken("no vocabulary", |place| remove(place, "model/vocab.txt")),
        broken("config.json is not JSON", |place| place.write("model/config.json", "{\"model_type\": ")),
        broken("weights are garbage", |place| place.write(weights, "garbage ".repeat(100))),
        broken("weights are empty", |place| place.write(weights, "")),
        broken("weights end inside the header", cut(100)),
        broken("weights end inside a tensor", cut(400_000)),
        broken("vocabulary is not UTF-8", |place| place.write("model/vocab.txt", b"[PAD]\n\xff\xfe\n")),
    ];
    insta::assert_snapshot!(said.concat());
}

#[test]
fn configurations() {
    let said = [
        broken("unknown architecture", config("model_type", json!("roberta"))),
        broken("unknown activation", config("activation", json!("relu"))),
        broken("heads do not divide the width", config("n_heads", json!(5))),
        broken("no width", config("dim", Value::Null)),
        broken("absurd width", config("dim", json!(1u64 << 60))),
        broken("other width than the weights", config("dim", json!(32))),
        broken("more layers than the weights", config("n_layers", json!(3))),
        broken("more entries than the table", config("vocab_size", json!(600))),
        broken("labels are no map", config("id2label", json!(["a"]))),
    ];
    insta::assert_snapshot!(said.concat());
}

#[test]
fn weights() {
    let wrong_shape = |place: &Place| {
        edit_weights(&place.path("model"), |tensors| tensors.get_mut(Q).unwrap().1 = vec![32, 128]);
    };
    let missing = |place: &Place| {
        edit_weights(&place.path("model"), |tensors| tensors.retain(|name, _| !name.contains("layer.1.ffn")));
    };
    let integers = |place: &Place| {
        edit_weights(&place.path("model"), |tensors| tensors.get_mut(Q).unwrap().0 = Dtype::I32);
    };
    let twice = |place: &Place| {
        edit_weights(&place.path("model"), |tensors| {
            let copy = tensors[Q].clone();
            tensors.insert(Q.trim_start_matches("distilbert.").to_owned(), copy);
        });
    };
    let untied = |place: &Place| {
        edit_weights(&place.path("model"), |tensors| {
            let mut table = tensors["distilbert.embeddings.word_embeddings.weight"].clone();
            table.2[3] ^= 1;
            tensors.insert("vocab_projector.weight".into(), table);
        });
    };
    let said = [
        broken("a tensor of another shape", wrong_shape),
        broken("tensors missing", missing),
        broken("a tensor of integers", integers),
        broken("the same tensor twice", twice),
        broken("not a number", value(f32::NAN)),
        broken("infinite", value(f32::INFINITY)),
        broken("minus infinite", value(f32::NEG_INFINITY)),
        broken("untied projection", untied),
    ];
    insta::assert_snapshot!(said.concat());
}

#[test]
fn shards() {
    // One shard with everything, and the index that a test makes of it.
    let index = |map: Value| {
        move |place: &Place| {
            let path = |name: &str| place.path("model").join(name);
            std::fs::rename(path("model.safetensors"), path("one.safetensors")).unwrap();
            place.write("model/model.safetensors.index.json", json!({ "weight_map": map }).to_string());
        }
    };
    let said = [
        broken("a shard outside the folder", index(json!({ Q: "../one.safetensors" }))),
        broken("a shard that is not there", index(json!({ Q: "two.safetensors" }))),
        broken("a tensor that is not in its shard", index(json!({ "lost": "one.safetensors" }))),
        broken("no map", index(json!([]))),
        broken("no name", index(json!({ Q: 1 }))),
        broken("PyTorch shards", |place| {
            remove(place, "model/model.safetensors");
            place.write("model/pytorch_model.bin.index.json", "{}");
        }),
        broken("TensorFlow", |place| {
            remove(place, "model/model.safetensors");
            place.write("model/tf_model.h5", "");
        }),
    ];
    insta::assert_snapshot!(said.concat());
}

#[test]
fn sentence_transformers() {
    let steps = |steps: &'static [(&'static str, &'static str)]| {
        move |place: &Place| {
            let steps: Value =
                steps.iter().map(|(kind, path)| json!({"type": format!("x.models.{kind}"), "path": path})).collect();
            place.write("model/modules.json", steps.to_string());
        }
    };
    let embedding = Fixture { head: HeadKind::Embedding, ..Fixture::default() };
    let broken = |title: &str, breakage: Box<dyn FnOnce(&Place)>| broken_fixture(title, &embedding, &[], breakage);
    let said = [
        broken(
            "a dense layer",
            Box::new(steps(&[("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")])),
        ),
        broken("no encoder", Box::new(steps(&[("StaticEmbedding", "")]))),
        broken("an encoder elsewhere", Box::new(steps(&[("Transformer", "../other"), ("Pooling", "1_Pooling")]))),
        broken("an encoder that is not there", Box::new(steps(&[("Transformer", "0_Transformer"), ("Pooling", "1")]))),
        broken("no list", Box::new(|place| place.write("model/modules.json", "{}"))),
        broken(
            "pooling of the last token",
            Box::new(|place| {
                std::fs::create_dir(place.path("model/1_Pooling")).unwrap();
                place.write("model/1_Pooling/config.json", r#"{"pooling_mode_lasttoken": true}"#);
            }),
        ),
    ];
    insta::assert_snapshot!(said.concat());
}

#[test]
fn heads_and_vocabularies() {
    let embedding = Fixture { head: HeadKind::Embedding, architecture: Architecture::Bert, ..Fixture::default() };
    let with_tensor = |name: &'static str| {
        move |place: &Place| {
            edit_weights(&place.path("model"), |tensors| {
                tensors.insert(name.into(), (Dtype::F32, vec![2, 64], vec![0; 512]));
            });
        }
    };
    let line = |number: usize, text: &'static str| {
        move |place: &Place| {
            let vocabulary = std::fs::read_to_string(place.path("model/vocab.txt")).unwrap();
            let mut lines: Vec<&str> = vocabulary.lines().collect();
            lines[number - 1] = text;
            place.write("model/vocab.txt", lines.join("\n"));
        }
    };
    let tokenizer = |json: Value| {
        move |place: &Place| {
            remove(place, "model/vocab.txt");
            place.write("model/tokenizer.json", json.to_string());
        }
    };
    let said = [
        broken_fixture("a head that is not there", &embedding, &["--head", "masked-lm"], |_| ()),
        broken_fixture("question answering without its bias", &embedding, &[], with_tensor("qa_outputs.weight")),
        broken_fixture(
            "token classification without its bias",
            &Fixture { architecture: Architecture::DistilBert, ..embedding.clone() },
            &[],
            with_tensor("classifier.weight"),
        ),
        broken("vocabulary too short", |place| place.write("model/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")),
        broken("vocabulary without [MASK]", line(5, "[FACE]")),
        broken("an entry twice", line(30, "[PAD]")),
        broken("an empty entry", line(30, "")),
        broken("not WordPiece", tokenizer(json!({"model": {"type": "BPE"}}))),
        broken("another vocabulary in tokenizer.json", |place| {
            let vocab = json!({"model": {"type": "WordPiece", "vocab": {"[PAD]": 0, "other": 1}}});
            place.write("model/tokenizer.json", vocab.to_string());
        }),
        broken("tokens added", |place| {
            let text = std::fs::read_to_string(place.path("model/vocab.txt")).unwrap();
            let vocab: serde_json::Map<_, _> =
                text.lines().enumerate().map(|(id, piece)| (piece.to_owned(), json!(id))).collect();
            let added = json!([{"id": 0, "content": "[PAD]"}, {"id": 512, "content": "<user>"}]);
            let tokenizer = json!({"model": {"type": "WordPiece", "vocab": vocab}, "added_tokens": added});
            place.write("model/tokenizer.json", tokenizer.to_string());
        }),
        broken("a Japanese tokenizer", |place| {
            place.write("model/tokenizer_config.json", r#"{"tokenizer_class": "BertJapaneseTokenizer"}"#);
        }),
        broken_fixture("no such vocabulary", &Fixture::default(), &["--vocab", "other.txt"], |_| ()),
    ];
    insta::assert_snapshot!(said.concat());
}

//! Folders as people have them: in shards, of sentence-transformers, and PyTorch files converted as the message says.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::json;
use sha2::{Digest, Sha256};
use support::{Place, python};

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Splits `model.safetensors` in `folder` into `count` shards with an index, as `save_pretrained` does.
fn split(folder: &Path, count: usize) -> Vec<String> {
    let whole = folder.join("model.safetensors");
    let bytes = std::fs::read(&whole).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut parts = vec![BTreeMap::<String, TensorView<'_>>::new(); count];
    for (number, (name, view)) in file.tensors().into_iter().enumerate() {
        parts[number % count].insert(name, view);
    }
    let names: Vec<String> = (1..=count).map(|part| format!("model-{part:05}-of-{count:05}.safetensors")).collect();
    let mut map = serde_json::Map::new();
    for (name, part) in names.iter().zip(&parts) {
        map.extend(part.keys().map(|tensor| (tensor.clone(), json!(name))));
        std::fs::write(folder.join(name), safetensors::serialize(part, None).unwrap()).unwrap();
    }
    let index = json!({"metadata": {"total_size": bytes.len()}, "weight_map": map});
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    std::fs::remove_file(whole).unwrap();
    names
}

/// The configuration, the weights, the vocabulary and the labels of a packed file: all but header and manifest.
fn content(place: &Place, name: &str) -> Vec<u8> {
    let bytes = distil_format::AlignedBytes::copy_of(&std::fs::read(place.path(name)).unwrap());
    let artifact = distil_format::Artifact::open(&bytes).unwrap();
    let sections: Vec<_> = artifact.sections().collect();
    let last = sections.iter().find(|(kind, _)| kind.name() == "manifest").unwrap().1.start;
    bytes[sections[0].1.start..last].to_vec()
}

#[test]
fn shards_are_one_model() {
    let place = Place::packed(&Fixture::default());
    let expected = content(&place, "model.distil");
    let names = split(&place.path("model"), 3);
    let report = place.json(&["pack", "model", "-o", "shards.distil", "--json"]);
    assert_eq!(content(&place, "shards.distil"), expected);
    let sizes = names.iter().map(|name| std::fs::metadata(place.path("model").join(name)).unwrap().len());
    assert_eq!(report["source_bytes"], sizes.sum::<u64>());
    // As `sha256sum model-*.safetensors | sha256sum`.
    let lines =
        names.iter().map(|name| format!("{}  {name}\n", hex(&std::fs::read(place.path("model").join(name)).unwrap())));
    let source = place.json(&["inspect", "shards.distil", "--json"])["source"]["sha256"].clone();
    assert_eq!(source, hex(lines.collect::<String>().as_bytes()));
    place.ok(&["verify", "shards.distil", "--against", "model"]);
}

#[test]
fn sentence_transformers_folders_name_their_encoder() {
    let fixture = Fixture { head: HeadKind::Embedding, architecture: Architecture::Bert, ..Fixture::default() };
    let place = Place::packed(&fixture);
    place.ok(&["pack", "model", "-o", "expected.distil", "--pooling", "cls", "--normalize"]);
    std::fs::create_dir_all(place.path("sentence/1_Pooling")).unwrap();
    std::fs::rename(place.path("model"), place.path("sentence/0_Transformer")).unwrap();
    let steps = [("Transformer", "0_Transformer"), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")];
    let steps = steps.map(|(kind, path)| json!({"type": format!("sentence_transformers.models.{kind}"), "path": path}));
    place.write("sentence/modules.json", json!(steps).to_string());
    let pooling = json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false});
    place.write("sentence/1_Pooling/config.json", pooling.to_string());
    place.ok(&["pack", "sentence", "-o", "sentence.distil"]);
    let read = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert_eq!(read("sentence.distil"), read("expected.distil"));
    place.ok(&["verify", "sentence.distil", "--against", "sentence"]);
}

/// The command that the refusal prints, run as it is.
#[test]
fn the_printed_conversion_works() {
    let Some(python) = python("torch, safetensors") else { return };
    for parts in [1, 2] {
        let place = Place::packed(&Fixture { architecture: Architecture::Bert, ..Fixture::default() });
        let expected = content(&place, "model.distil");
        let script = "import sys, torch, safetensors.torch as s\n\
            tensors = s.load_file('model/model.safetensors')\n\
            # Tied, and not contiguous, as PyTorch keeps them.\n\
            tensors['cls.predictions.decoder.weight'] = tensors['bert.embeddings.word_embeddings.weight']\n\
            key = 'bert.encoder.layer.0.attention.self.query.weight'\n\
            tensors[key] = tensors[key].t().contiguous().t()\n\
            names, n = sorted(tensors), int(sys.argv[1])\n\
            for i in range(n):\n\
            \x20   end = '' if n == 1 else f'-{i + 1:05}-of-{n:05}'\n\
            \x20   torch.save({k: tensors[k] for k in names[i::n]}, f'model/pytorch_model{end}.bin')\n\
            if n > 1: open('model/pytorch_model.bin.index.json', 'w').write('{}')\n";
        let made = Command::new(&python)
            .args(["-c", script, &parts.to_string()])
            .current_dir(place.path(""))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::remove_file(place.path("model/model.safetensors")).unwrap();
        let said = place.fails(&["pack", "model", "-o", "out.distil"]);
        let command = said.lines().find_map(|line| line.strip_prefix("hint: convert it: python3 ")).expect(&said);
        let converted = Command::new("sh")
            .args(["-c", &format!("\"$0\" {command}")])
            .arg(&python)
            .current_dir(place.path(""))
            .output()
            .unwrap();
        assert!(converted.status.success(), "{}", String::from_utf8_lossy(&converted.stderr));
        place.ok(&["pack", "model", "-o", "out.distil"]);
        assert_eq!(content(&place, "out.distil"), expected, "{parts} parts");
    }
}

/// sentence-transformers cuts texts at `max_seq_length`, whatever the model could take.
#[test]
fn sentence_transformers_folders_name_their_longest_text() {
    let fixture = Fixture { head: HeadKind::Embedding, architecture: Architecture::Bert, ..Fixture::default() };
    let place = Place::with(&fixture);
    let steps = [("Transformer", ""), ("Pooling", "1_Pooling")];
    let steps = steps.map(|(kind, path)| json!({"type": format!("sentence_transformers.models.{kind}"), "path": path}));
    let longest = |value: serde_json::Value| {
        place.write("model/sentence_bert_config.json", json!({"max_seq_length": value}).to_string());
    };
    let tokens = |args: &[&str]| {
        let report = place.json(&[&["pack", "model", "-o", "model.distil", "--json"], args].concat());
        let shape = place.json(&["inspect", "model.distil", "--json"]);
        assert_eq!(report["max_tokens"], shape["config"]["max_positions"]);
        report["max_tokens"].as_u64().unwrap()
    };
    longest(json!(12));
    assert_eq!(tokens(&[]), 128, "a plain folder");
    place.write("model/modules.json", json!(steps).to_string());
    assert_eq!((tokens(&["--max-tokens", "20"]), tokens(&[])), (20, 12));
    place.ok(&["verify", "model.distil", "--against", "model"]);
    // A longer text is the text's beginning, in the file and in float.
    let words = ["the cat sat on the table"; 8].join(" ");
    place.write("pairs.tsv", ["a\ta\ta\t0\t1\tthe cat\t", &words, "\na\ta\ta\t1\t4\tthe cat\tthe cat\n"].concat());
    let both =
        place.json(&["eval", "model.distil", "--task", "stsb", "--data", "pairs.tsv", "--against", "model", "--json"]);
    assert!(both["min_embedding_cosine"].as_f64().unwrap() > 0.99, "{both}");
    let alone = place.json(&["eval", "model", "--task", "stsb", "--data", "pairs.tsv", "--json"]);
    assert_eq!(alone, both["float"]);
    for (value, expected) in [(json!(null), 128), (json!(1000), 128)] {
        longest(value);
        assert_eq!(tokens(&[]), expected);
    }
    longest(json!("all"));
    let said = place.fails(&["pack", "model", "-o", "model.distil"]);
    assert!(
        said.contains("sentence_bert_config.json: `max_seq_length` is missing or not a number of tokens"),
        "{said}"
    );
    longest(json!(12));
    let said = place.fails(&["pack", "model", "-o", "model.distil", "--max-tokens", "129"]);
    assert!(said.contains("--max-tokens 129: the model has 128 positions"), "{said}");
}

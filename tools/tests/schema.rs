//! `tools schema`: what the verbs print is what their schemas describe.

mod support;
#[path = "support/schema.rs"]
mod validator;

use std::collections::BTreeSet;

use distil_kernels::Kernels;
use distil_tools::commands::command;
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use serde_json::{Value, json};
use support::Place;
use validator::check;

fn schema(verb: &str) -> Value {
    serde_json::from_str(&Place::empty().ok(&["schema", verb])).unwrap()
}

#[test]
fn every_verb_with_json_has_a_schema() {
    let printing = command();
    let printing =
        printing.get_subcommands().filter(|verb| verb.get_arguments().any(|option| option.get_id() == "json"));
    let printing: BTreeSet<&str> = printing.map(|verb| verb.get_name()).collect();
    let listed = Place::empty().ok(&["schema"]);
    assert_eq!(listed.lines().collect::<BTreeSet<_>>(), printing);
    for verb in listed.lines() {
        let schema = schema(verb);
        assert_eq!(schema["title"], format!("tools {verb} --json"));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
    let said = Place::empty().fails(&["schema", "completions"]);
    assert!(said.contains("`completions` prints no JSON") && said.ends_with("exit code 2\n"), "{said}");
}

#[test]
fn every_field_of_a_verbs_own_is_described() {
    for verb in ["verify", "inspect", "diff"] {
        let schema = schema(verb);
        // Of a verb that prints one thing or another, the one with the most fields.
        let fields = schema.get("properties").or_else(|| schema.pointer("/$defs/Report/properties"));
        let fields = fields.and_then(Value::as_object).unwrap();
        assert!(!fields.is_empty());
        for (name, field) in fields {
            assert!(field.get("description").is_some(), "{verb}: {name} has no description");
        }
    }
}

#[test]
fn what_is_printed_is_described() {
    let place = Place::empty();
    for (name, head) in [
        ("mlm", HeadKind::MaskedLm),
        ("embedding", HeadKind::Embedding),
        ("classifier", HeadKind::SequenceClassification),
        ("tags", HeadKind::TokenClassification),
        ("answers", HeadKind::QuestionAnswering),
    ] {
        let fixture = Fixture { head, architecture: Architecture::Bert, layers: 1, ..Fixture::default() };
        fixture.write(&place.path(name)).unwrap();
        for weights in ["int8", "int4"] {
            place.ok(&["pack", name, "-o", &format!("{name}.{weights}"), "--weights", weights]);
        }
    }
    place.write("text.txt", "turn the lights off\nthe cat sat on the table\n");
    place.write("pairs.tsv", "g\tf\t1\t1\t5\tthe cat\tthe cat\ng\tf\t1\t2\t0\tthe cat\tred wine\n");
    place.write("labels.tsv", "sentence\tlabel\nthe cat sat\t1\nit is cold\t0\n");
    let answer = json!({"text": "the table", "answer_start": 15});
    let question = json!({"id": "1", "question": "where is it?", "answers": [answer]});
    let paragraph = json!({"context": "the cat sat on the table", "qas": [question]});
    place.write("squad.json", json!({"data": [{"title": "", "paragraphs": [paragraph]}]}).to_string());
    let isa = Kernels::detect().isa().name();
    let stsb = ["eval", "embedding.int8", "--task", "stsb", "--data", "pairs.tsv"];
    let mut seen = BTreeSet::new();
    for args in [
        &["pack", "mlm", "-o", "mlm.int8", "--keep-int8", "query"][..],
        &["pack", "mlm", "-o", "kept.int8", "--keep-vocab", "text.txt"],
        &["pack", "mlm", "-o", "calibrated.int4", "--weights", "int4", "--calibrate", "text.txt"],
        &["unpack", "mlm.int8", "-o", "unpacked"],
        &["export-c", "mlm.int8", "-o", "model.o", "--object", "--target", "arm", "--header", "model.h"],
        &["inspect", "calibrated.int4"],
        &["inspect", "classifier.int4"],
        &["inspect", "embedding.int8"],
        &["tokenize", "mlm.int8", "--text", "the cat"],
        &["run", "mlm.int8", "--text", "the [MASK] sat"],
        &["run", "embedding.int8", "--text", "the cat sat"],
        &["run", "classifier.int8", "--text", "the cat sat", "--pair", "on the table"],
        &["run", "tags.int8", "--text", "the cat sat"],
        &["run", "answers.int8", "--text", "the cat sat on the table", "--question", "where is it?"],
        &["verify", "tags.int8", "--against", "tags", "--min-agreement", "0"],
        &["verify", "answers.int8", "--against", "answers"],
        &["eval", "classifier.int8", "--task", "sst2", "--data", "labels.tsv", "--against", "classifier"],
        &["eval", "answers.int8", "--task", "squad", "--data", "squad.json", "--against", "answers"],
        &["verify", "mlm.int8", "--against", "mlm", "--max-error", "1", "--min-agreement", "0"],
        &["verify", "embedding.int8", "--against", "embedding", "--min-output-cosine", "0"],
        &["verify", "classifier.int4", "--against", "classifier", "--min-cosine", "0", "--text", "text.txt"],
        &stsb,
        &[&stsb[..], &["--against", "embedding", "--max-drop", "2"]].concat(),
        &["eval", "mlm", "--task", "mlm", "--data", "text.txt"],
        &["eval", "mlm.int4", "--task", "mlm", "--data", "text.txt", "--against", "mlm"],
        &["diff", "mlm.int8", "mlm.int8"],
        &["diff", "mlm.int8", "mlm.int4"],
        &["diff", "mlm.int8", "classifier.int8"],
        &["bench", "mlm.int8", "--tokens", "4", "--seconds", "0"],
        &["bench", "--kernels", "--isa", isa, "--seconds", "0"],
        &["report", "mlm.int8", "mlm.int4", "--against", "mlm", "--seconds", "0"],
        &["report", "embedding.int8", "--no-bench"],
        &["keygen", "-o", "release"],
        &["sign", "mlm.int8", "--key", "release.key"],
        &["verify", "mlm.int8", "--key", "release.pub"],
        &["verify", "mlm.int8", "--key", "release.pub", "--against", "mlm"],
        &["check", "mlm.int8", "-o", "check.bin"],
        &["fixture", "-o", "random"],
        &["man", "-o", "pages"],
    ] {
        let output = place.run(&[args, &["--json"]].concat());
        let different = args[0] == "diff" && args[1] != args[2];
        assert_eq!(output.status.code(), Some(i32::from(different)), "{}", String::from_utf8_lossy(&output.stderr));
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        check(&schema(args[0]), &value).unwrap_or_else(|error| panic!("tools {}: {error}", args.join(" ")));
        seen.insert(args[0].to_owned());
    }
    let listed: BTreeSet<String> = place.ok(&["schema"]).lines().map(str::to_owned).collect();
    assert_eq!(seen, listed, "every schema was held against something real");
}

/// The checker itself finds what is wrong.
#[test]
fn what_is_not_described_is_found() {
    let place = Place::packed(&Fixture { layers: 1, ..Fixture::default() });
    let good = place.json(&["verify", "model.distil", "--against", "model", "--json"]);
    let schema = schema("verify");
    check(&schema, &good).unwrap();
    type Edit = fn(&mut Value);
    let edits: [Edit; 6] = [
        |value| value["extra"] = json!(1),
        |value| value["passed"] = json!("yes"),
        |value| drop(value.as_object_mut().unwrap().remove("layers")),
        |value| value["layers"][1]["error"] = json!(null),
        |value| value["texts"][0]["unknown"] = json!(1),
        |value| value["tensors"][3]["worst_row"] = json!(-1),
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let mut bad = good.clone();
        edit(&mut bad);
        assert!(check(&schema, &bad).is_err(), "edit {index} goes unnoticed");
    }
}

/// The schemas themselves, so that a change of the JSON is seen where it is made.
#[test]
fn schemas() {
    let said: Vec<String> =
        ["verify", "diff", "eval"].map(|verb| Place::empty().ok(&["schema", verb])).into_iter().collect();
    insta::assert_snapshot!(said.join("\n"));
}

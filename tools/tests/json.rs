//! The JSON of every verb: its keys and the types of its values.

mod support;

use distil_kernels::Kernels;
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use support::{Place, shape};

#[test]
fn shapes() {
    let place = Place::empty();
    let mut said = String::new();
    let mut show = |args: &[&str]| {
        let value = place.json(args);
        said += &format!("$ tools {}\n{}\n\n", args.join(" "), serde_json::to_string_pretty(&shape(&value)).unwrap());
    };
    for (name, head) in [
        ("mlm", HeadKind::MaskedLm),
        ("embedding", HeadKind::Embedding),
        ("classifier", HeadKind::SequenceClassification),
        ("tokens", HeadKind::TokenClassification),
        ("answers", HeadKind::QuestionAnswering),
    ] {
        let fixture = Fixture { head, architecture: Architecture::Bert, layers: 1, ..Fixture::default() };
        fixture.write(&place.path(name)).unwrap();
        place.ok(&["pack", name, "-o", &format!("{name}.distil")]);
    }
    place.write("text.txt", "turn the lights off\nthe cat sat on the table\n");
    place.write("pairs.tsv", "g\tf\t1\t1\t5\tthe cat\tthe cat\ng\tf\t1\t2\t0\tthe cat\tred wine\n");
    place.write("labels.tsv", "sentence\tlabel\nthe cat sat\tpositive\nit is cold\t0\n");
    let question = serde_json::json!({"question": "who?", "answers": [{"text": "the cat"}]});
    let dataset = serde_json::json!({"data": [{"paragraphs": [{"context": "the cat sat", "qas": [question]}]}]});
    place.write("squad.json", dataset.to_string());
    show(&["pack", "mlm", "-o", "mlm.distil", "--json"]);
    show(&["pack", "mlm", "-o", "small.distil", "--keep-vocab", "text.txt", "--json"]);
    show(&["unpack", "mlm.distil", "-o", "unpacked", "--json"]);
    show(&["export-c", "mlm.distil", "-o", "mlm.o", "--object", "--target", "arm", "--header", "mlm.h", "--json"]);
    show(&["export-c", "mlm.distil", "-o", "mlm.c", "--json"]);
    show(&["inspect", "classifier.distil", "--json"]);
    show(&["tokenize", "mlm.distil", "--text", "the cat", "--json"]);
    show(&["run", "mlm.distil", "--text", "the [MASK] sat", "--json"]);
    show(&["run", "embedding.distil", "--text", "the cat sat", "--json"]);
    show(&["run", "classifier.distil", "--text", "the cat sat", "--pair", "on the table", "--json"]);
    show(&["run", "tokens.distil", "--text", "the cat sat", "--json"]);
    show(&["run", "answers.distil", "--question", "who?", "--text", "the cat sat", "--json"]);
    show(&["verify", "mlm.distil", "--against", "mlm", "--json"]);
    show(&["verify", "embedding.distil", "--against", "embedding", "--json"]);
    show(&["eval", "embedding.distil", "--task", "stsb", "--data", "pairs.tsv", "--json"]);
    show(&["eval", "classifier", "--task", "classification", "--data", "labels.tsv", "--json"]);
    show(&["eval", "answers.distil", "--task", "squad", "--data", "squad.json", "--json"]);
    show(&["eval", "mlm", "--task", "mlm", "--data", "text.txt", "--json"]);
    show(&["eval", "embedding.distil", "--task", "stsb", "--data", "pairs.tsv", "--against", "embedding", "--json"]);
    show(&["diff", "mlm.distil", "mlm.distil", "--json"]);
    show(&["bench", "mlm.distil", "--tokens", "4", "--seconds", "0", "--json"]);
    show(&["report", "embedding.distil", "--against", "embedding", "--lengths", "4", "--seconds", "0", "--json"]);
    show(&["check", "mlm.distil", "-o", "check.bin", "--json"]);
    show(&["fixture", "-o", "random", "--json"]);
    show(&["man", "-o", "pages", "--json"]);
    insta::assert_snapshot!(said);
}

#[test]
fn kernels() {
    let place = Place::empty();
    // The fastest instruction set alone: the reference would take its time.
    let pick = Kernels::detect().isa().name();
    let report = place.json(&["bench", "--kernels", "--isa", pick, "--seconds", "0.1", "--json"]);
    assert_eq!(report["pick"], pick);
    let isas = report["isas"].as_array().unwrap();
    assert_eq!((isas.len(), &isas[0]["isa"], &isas[0]["picked"]), (1, &pick.into(), &true.into()));
    let kernels = isas[0]["kernels"].as_array().unwrap();
    assert_eq!(kernels.len(), 29);
    for kernel in kernels {
        let number = |key: &str| kernel[key].as_f64().unwrap();
        assert!(number("share") > 0.0 && number("share") <= 1.0, "{kernel}");
        let is_product = kernel["unit"] == "G multiply-adds/s";
        let outputs = if is_product { number("outputs") } else { 1.0 };
        let rate = number("rows") * number("inputs") * outputs / number("microseconds") / 1e3;
        assert!((rate / number("rate") - 1.0).abs() < 1e-9, "{kernel}");
        assert_eq!(kernel["limit"] == "values", !is_product, "{kernel}");
        assert!(!is_product || number("rate") <= isas[0]["peak_gmacs_per_s"].as_f64().unwrap(), "{kernel}");
    }
    let text = place.ok(&["bench", "--kernels", "--isa", pick, "--seconds", "0"]);
    assert!(text.contains(&format!("{pick} *: layout ")), "{text}");
    assert_eq!(text.lines().count(), 3 + 1 + 29, "{text}");
    insta::assert_snapshot!(serde_json::to_string_pretty(&shape(&report)).unwrap());
}

//! The JSON of every verb: its keys and the types of its values.

mod support;

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
    ] {
        let fixture = Fixture { head, architecture: Architecture::Bert, layers: 1, ..Fixture::default() };
        fixture.write(&place.path(name)).unwrap();
        place.ok(&["pack", name, "-o", &format!("{name}.distil")]);
    }
    place.write("text.txt", "turn the lights off\nthe cat sat on the table\n");
    place.write("pairs.tsv", "g\tf\t1\t1\t5\tthe cat\tthe cat\ng\tf\t1\t2\t0\tthe cat\tred wine\n");
    show(&["pack", "mlm", "-o", "mlm.distil", "--json"]);
    show(&["inspect", "classifier.distil", "--json"]);
    show(&["tokenize", "mlm.distil", "--text", "the cat", "--json"]);
    show(&["run", "mlm.distil", "--text", "the [MASK] sat", "--json"]);
    show(&["run", "embedding.distil", "--text", "the cat sat", "--json"]);
    show(&["run", "classifier.distil", "--text", "the cat sat", "--pair", "on the table", "--json"]);
    show(&["verify", "mlm.distil", "--against", "mlm", "--json"]);
    show(&["verify", "embedding.distil", "--against", "embedding", "--json"]);
    show(&["eval", "embedding.distil", "--task", "stsb", "--data", "pairs.tsv", "--json"]);
    show(&["eval", "mlm", "--task", "mlm", "--data", "text.txt", "--json"]);
    show(&["bench", "mlm.distil", "--tokens", "4", "--seconds", "0", "--json"]);
    show(&["check", "mlm.distil", "-o", "check.bin", "--json"]);
    insta::assert_snapshot!(said);
}

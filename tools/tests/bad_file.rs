//! What the verbs say to packed files, texts and arguments that they cannot use.

mod support;

use distil_tools::fixture::Fixture;
use distil_tools::hf::HeadKind;
use support::Place;

/// Every verb that reads a packed file.
const READERS: [&[&str]; 8] = [
    &["inspect", "bad.distil"],
    &["tokenize", "bad.distil", "--text", "a"],
    &["run", "bad.distil", "--text", "a"],
    &["verify", "bad.distil", "--against", "model"],
    &["eval", "bad.distil", "--task", "mlm", "--data", "text.txt"],
    &["diff", "bad.distil", "model.distil"],
    &["bench", "bad.distil"],
    &["check", "bad.distil", "-o", "out.bin"],
];

#[test]
fn damaged_files_are_refused_by_every_verb() {
    let place = Place::packed(&Fixture::default());
    let whole = std::fs::read(place.path("model.distil")).unwrap();
    let altered = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let mut said = String::new();
    for (title, bytes) in [
        ("empty", Vec::new()),
        ("cut inside the header", whole[..40].to_vec()),
        ("cut in the middle", whole[..whole.len() / 2].to_vec()),
        ("one byte too long", [&whole[..], &[0]].concat()),
        ("another file", b"not a packed model at all ".repeat(100)),
    ] {
        place.write("bad.distil", bytes);
        said += &format!("## {title}\n");
        let first = place.fails(READERS[0]);
        for reader in READERS {
            let answer = place.fails(reader);
            assert!(answer.ends_with("exit code 2\n"), "{title}: {answer}");
            assert_eq!(answer.lines().nth(1), first.lines().nth(1), "every verb says the same");
        }
        said += &first;
    }
    let length = whole.len().to_string();
    insta::assert_snapshot!(
        said.replace(&length, "(length)")
            .replace(&(whole.len() + 1).to_string(), "(length + 1)")
            .replace(&(whole.len() / 2).to_string(), "(length / 2)")
    );
    // The checksum in the message depends on the content, so these are not in the snapshot.
    for at in [whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        place.write("bad.distil", altered(at));
        for reader in READERS {
            let answer = place.fails(reader);
            assert!(
                answer.contains("bad.distil: the file is damaged") && answer.ends_with("exit code 2\n"),
                "{answer}"
            );
        }
    }
}

#[test]
fn unusable_arguments_and_texts() {
    let place = Place::packed(&Fixture::default());
    place.write("latin1.txt", b"gr\xfcn\n");
    place.write("blank.txt", "\n\n");
    place.write("text.txt", "the lamp\n");
    place.write("pairs.tsv", "a\tb\tc\td\tfive\tone\ttwo\n");
    let long = "a ".repeat(200);
    let mut said = String::new();
    for args in [
        &["inspect", "nowhere.distil"][..],
        &["inspect", "model"],
        &["run", "model.distil", "--text", "no mask here"],
        &["run", "model.distil", "--text", &long],
        &["verify", "model.distil", "--against", "nowhere"],
        &["verify", "model.distil", "--against", "model", "--text", "latin1.txt"],
        &["verify", "model.distil", "--against", "model", "--text", "blank.txt"],
        &["eval", "model.distil", "--task", "sst9", "--data", "text.txt"],
        &["eval", "model.distil", "--task", "stsb", "--data", "pairs.tsv"],
        &["eval", "model.distil", "--task", "mlm", "--data", "latin1.txt"],
        &["eval", "model.distil", "--task", "mlm", "--data", "nowhere.txt"],
        &["bench", "model.distil", "--threads", "0"],
        &["bench", "model.distil", "--plan", "tiny"],
        &["bench", "model.distil", "--seconds", "inf"],
        &["bench", "model.distil", "--kernels"],
        &["bench", "--kernels", "--tokens", "8"],
        &["bench"],
        &["bench", "model.distil", "--tokens", "129"],
        &["check", "model.distil", "--text", "text.txt", "-o", "out.bin"],
        &["tokenize", "--vocab", "text.txt"],
        &["tokenize"],
        &["run", "model.distil", "--pair", "alone"],
        &["fixture", "-o", "new", "--vocab-size", "50"],
        &["fixture", "-o", "new", "--heads", "5"],
    ] {
        let answer = place.fails(args).replace(&long, "(a, 200 times)");
        assert!(answer.ends_with("exit code 2\n"), "{answer}");
        said += &answer;
        said += "\n";
    }
    insta::assert_snapshot!(said);
}

#[test]
fn standard_input_has_to_be_utf8() {
    let place = Place::packed(&Fixture::default());
    for verb in ["tokenize", "run"] {
        let output = place.run_with(&[verb, "model.distil"], b"the [MASK]\ngr\xfcn\n");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(output.stdout.split(|&byte| byte == b'\n').count(), 2, "the first line was answered");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("standard input: line 2: not UTF-8 (first invalid byte at offset 2)"), "{said}");
    }
}

#[test]
fn pairs_that_are_no_pairs() {
    let place = Place::packed(&Fixture { head: HeadKind::Embedding, ..Fixture::default() });
    let mut said = String::new();
    for content in ["a\tb\tc\td\tfive\tone\ttwo\n", "a\tb\tc\td\t1.0\tone\n", "a\tb\tc\td\t1.0\tone\ttwo\n"] {
        place.write("pairs.tsv", content);
        said += &place.fails(&["eval", "model.distil", "--task", "stsb", "--data", "pairs.tsv"]);
    }
    said += &place.fails(&["eval", "model.distil", "--task", "mlm", "--data", "pairs.tsv"]);
    insta::assert_snapshot!(said);
}

#[test]
fn instruction_sets_this_machine_lacks() {
    let place = Place::packed(&Fixture::default());
    let said = place.fails(&["run", "model.distil", "--text", "[MASK]", "--isa", "mmx"]);
    assert!(said.contains("unknown instruction set; this machine has: reference"), "{said}");
    let foreign = if cfg!(target_arch = "x86_64") { "neon" } else { "avx2" };
    let said = place.fails(&["bench", "model.distil", "--isa", foreign]);
    assert!(
        said.contains("not available here; this machine has: reference") && said.ends_with("exit code 2\n"),
        "{said}"
    );
}

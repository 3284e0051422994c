//! Every help text.

mod support;

use support::Place;

#[test]
fn help_texts() {
    let place = Place::empty();
    let mut said = place.ok(&["--help"]);
    for verb in [
        "pack", "unpack", "export-c", "inspect", "tokenize", "run", "verify", "eval", "bench", "report", "check",
        "fixture", "keygen", "sign",
    ] {
        said += &format!("\n$ tools {verb} --help\n{}", place.ok(&[verb, "--help"]));
    }
    insta::assert_snapshot!(said);
}

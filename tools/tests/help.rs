//! Every help text.

mod support;

use distil_tools::commands::command;
use support::Place;

#[test]
fn help_texts() {
    let place = Place::empty();
    let mut said = place.ok(&["--help"]);
    for verb in command().get_subcommands().map(|verb| verb.get_name()) {
        said += &format!("\n$ tools {verb} --help\n{}", place.ok(&[verb, "--help"]));
    }
    insta::assert_snapshot!(said);
}

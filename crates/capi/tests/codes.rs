//! The table of docs/error-codes.md is that of the header and the library.

use std::collections::BTreeMap;
use std::path::Path;

use distil::types::{
    DISTIL_HEAD_CLASSIFICATION, DISTIL_HEAD_EMBEDDING, DISTIL_HEAD_MASKED_LM, DISTIL_HEAD_QUESTION_ANSWERING,
    DISTIL_HEAD_TOKEN_CLASSIFICATION,
};
use distil_runtime::Head;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_documented_numbers_are_those_of_the_header() {
    let table = read("../../docs/error-codes.md");
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let number: i32 = cells.next()?.parse().ok()?;
        Some((number, cells.next()?.trim_matches('`').to_owned()))
    });
    let documented: BTreeMap<i32, String> = rows.filter(|(_, name)| !name.is_empty()).collect();
    let header = read("include/distil.h");
    let defined = header.lines().filter_map(|line| {
        let (name, number) = line.strip_prefix("#define ")?.split_once(' ')?;
        let is_status = name.starts_with("DISTIL_ERROR_") || ["DISTIL_OK", "DISTIL_MORE"].contains(&name);
        is_status.then(|| (number.parse().expect("a number"), name.to_owned()))
    });
    let defined: BTreeMap<i32, String> = defined.collect();
    assert_eq!(documented, defined);
    let known: Vec<i32> = distil::status::all().map(|(status, _)| status).collect();
    assert_eq!(known, defined.into_keys().collect::<Vec<_>>());
}

#[test]
fn texts_say_what_to_do_in_one_line() {
    for (status, text) in distil::status::all() {
        let text = text.to_str().expect("texts are UTF-8");
        assert!(!text.contains('\n') && !text.ends_with('.') && text.len() < 120, "{status}: {text}");
    }
}

#[test]
fn heads_have_the_numbers_of_the_format() {
    let heads = [
        (Head::Embedding, DISTIL_HEAD_EMBEDDING),
        (Head::MaskedLm, DISTIL_HEAD_MASKED_LM),
        (Head::SequenceClassification, DISTIL_HEAD_CLASSIFICATION),
        (Head::TokenClassification, DISTIL_HEAD_TOKEN_CLASSIFICATION),
        (Head::QuestionAnswering, DISTIL_HEAD_QUESTION_ANSWERING),
    ];
    assert_eq!(heads.len(), Head::ALL.len());
    assert!(heads.iter().all(|(head, number)| u32::from(head.code()) == *number));
}

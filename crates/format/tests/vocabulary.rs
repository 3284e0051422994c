//! The packed vocabulary against a hash map.

mod common;

use std::collections::HashMap;

use common::{PIECES, shared};
use distil_format::{MAX_PIECE_BYTES, Vocabulary, WriteError, build_vocabulary};
use proptest::prelude::*;

/// What an entry stands for: its text without `##`, and whether it continues a word.
fn split(piece: &str) -> (&str, bool) {
    match piece.strip_prefix("##") {
        Some(text) if !text.is_empty() => (text, true),
        _ => (piece, false),
    }
}

/// The longest entry that `text` begins with, found the slow way.
fn oracle(map: &HashMap<(&[u8], bool), u32>, text: &[u8], continuation: bool) -> Option<(u32, usize)> {
    (1..=text.len()).rev().find_map(|len| Some((*map.get(&(&text[..len], continuation))?, len)))
}

fn check_all(pieces: &[&str], texts: &[&[u8]]) {
    let bytes = build_vocabulary(pieces).expect("a good vocabulary");
    let vocabulary = Vocabulary::new(&bytes).expect("a good section");
    assert_eq!(vocabulary.len(), pieces.len());
    let map: HashMap<_, _> = pieces
        .iter()
        .zip(0..)
        .map(|(piece, id)| {
            let (text, continuation) = split(piece);
            ((text.as_bytes(), continuation), id)
        })
        .collect();
    let mut out = [0; MAX_PIECE_BYTES];
    for (&piece, id) in pieces.iter().zip(0..) {
        assert_eq!(vocabulary.get(piece), Some(id), "{piece:?}");
        assert_eq!(vocabulary.piece(id, &mut out), Some(split(piece)));
        let len = split(piece).0.len();
        assert_eq!(vocabulary.piece(id, &mut out[..len]), Some(split(piece)));
        assert_eq!(vocabulary.piece(id, &mut out[..len - 1]), None);
    }
    let mut ids: Vec<u32> = (0..pieces.len())
        .map(|index| {
            let (id, text, continuation) = vocabulary.entry(index, &mut out).unwrap();
            assert_eq!((text, continuation), split(pieces[id as usize]));
            id
        })
        .collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..pieces.len() as u32), "every entry once");
    assert_eq!(vocabulary.entry(pieces.len(), &mut out), None);
    assert_eq!(vocabulary.piece(pieces.len() as u32, &mut out), None);
    let own = pieces.iter().map(|piece| piece.as_bytes());
    for text in own.chain(texts.iter().copied()) {
        for start in 0..=text.len() {
            for continuation in [false, true] {
                assert_eq!(
                    vocabulary.longest_match(&text[start..], continuation),
                    oracle(&map, &text[start..], continuation),
                    "{:?}",
                    String::from_utf8_lossy(&text[start..])
                );
            }
        }
    }
}

#[test]
fn small_vocabulary() {
    check_all(PIECES, &[b"andante", b"unbelievable", "中国中".as_bytes(), b"", b"\0", b"##", b"\xff\xff"]);
}

#[test]
fn smallest_vocabularies() {
    check_all(&["a"], &[b"aa", b"b", b"\0"]);
    check_all(&["##a"], &[b"aa", b"b"]);
    check_all(&["\0"], &[b"\0\0"]);
    check_all(&["##"], &[b"##", b"#", b"###"]);
}

#[test]
fn edges_at_and_around_the_end_of_a_block() {
    // One, two and more whole blocks of siblings, and one more or less.
    for count in [1, 2, 63, 64, 65, 127, 128] {
        let pieces: Vec<String> = (0..count).map(|i| char::from(i as u8).to_string()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).filter(|p| *p != "#").collect();
        check_all(&pieces, &[b"\0", b"ab", b"\x7f"]);
        let pairs: Vec<String> = pieces.iter().map(|piece| format!("x{piece}")).collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        check_all(&pairs, &[b"x", b"x\0", b"x\x7fx"]);
    }
}

#[test]
fn the_longest_entry_is_allowed_and_no_longer() {
    let longest = "a".repeat(MAX_PIECE_BYTES);
    check_all(&[&longest, "a"], &[]);
    assert_eq!(build_vocabulary(&["a", &format!("{longest}a")]), Err(WriteError::LongPiece { index: 1 }));
}

#[test]
fn bad_lists_are_refused() {
    assert_eq!(build_vocabulary(&[""; 0]), Err(WriteError::PieceCount(0)));
    assert_eq!(build_vocabulary(&["a", ""]), Err(WriteError::EmptyPiece { index: 1 }));
    assert_eq!(build_vocabulary(&["a", "##a", "b", "##a"]), Err(WriteError::RepeatedPiece { first: 1, second: 3 }));
}

#[test]
fn ids_of_four_bytes() {
    // Past 65,536 entries ids take 4 bytes.
    for count in [65_536, 65_537] {
        let pieces: Vec<String> = (0..count).map(|i| format!("{i:x}")).collect();
        let bytes = build_vocabulary(&pieces).expect("a good vocabulary");
        let vocabulary = Vocabulary::new(&bytes).expect("a good section");
        for (piece, id) in pieces.iter().zip(0..) {
            assert_eq!(vocabulary.get(piece), Some(id));
        }
        let last = count - 1;
        let mut out = [0; 8];
        assert_eq!(vocabulary.piece(last, &mut out), Some((pieces[last as usize].as_str(), false)));
    }
}

#[test]
fn bert_vocabulary() {
    let Some(path) = shared("data/vocab/vocab.txt") else {
        return;
    };
    let text = std::fs::read_to_string(path).expect("a readable file");
    let pieces: Vec<&str> = text.lines().collect();
    assert_eq!(pieces.len(), 30_522);
    let bytes = build_vocabulary(&pieces).expect("a good vocabulary");
    eprintln!("BERT vocabulary: {} bytes", bytes.len());
    assert!(bytes.len() <= 200_000, "{} bytes", bytes.len());
    check_all(&pieces, &[]);
}

/// Few letters, so that entries share beginnings; some of several bytes, some special.
fn pieces() -> impl Strategy<Value = Vec<String>> {
    let piece = prop_oneof![
        8 => "(##)?[abc]{1,6}",
        2 => "(##)?[aéè中国日😀𐍈\u{80}\u{7ff}\u{fffd}]{1,4}",
        1 => "(##)?.{1,5}",
        1 => "#{1,4}",
        1 => "\\[[A-Z]{1,4}\\]",
    ];
    proptest::collection::hash_set(piece, 1..200).prop_map(|set| set.into_iter().collect())
}

proptest! {
    #[test]
    fn random_vocabularies_equal_a_map(pieces in pieces(), texts in proptest::collection::vec("[abcé中#]{0,12}|.{0,8}", 0..8)) {
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        check_all(&pieces, &texts);
    }
}

use std::vec::Vec;

use super::{Check, CheckError, Difference};

fn file() -> Vec<u8> {
    let mut bytes = b"DISTILCK".to_vec();
    let words = |bytes: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|w| bytes.extend(w.to_le_bytes()));
    words(&mut bytes, &[1, 2, 0xabcd, 0]);
    words(&mut bytes, &[5, 4, 2, 77]);
    bytes.extend(b"hello\0\0\0");
    words(&mut bytes, &[10, 11]);
    words(&mut bytes, &[4, 3, 0, 78]);
    bytes.extend(b"word");
    bytes
}

#[test]
fn every_part_is_read() {
    let mut bytes = file();
    bytes.extend([0; 100]);
    let check = Check::parse(&bytes).unwrap();
    assert_eq!(check.model_checksum(), 0xabcd);
    let sentences: Vec<_> = check.sentences().map(|s| (s.text, s.tokens)).collect();
    assert_eq!(sentences, [("hello", 4), ("word", 3)]);
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = file();
    assert!(Check::parse(&bytes).is_ok());
    for len in 0..bytes.len() {
        assert!(Check::parse(&bytes[..len]).is_err(), "accepted {len} bytes");
    }
}

#[test]
fn damage_is_named() {
    let mut bytes = file();
    assert_eq!(Check::parse(&bytes[8..]).unwrap_err(), CheckError::Missing);
    bytes[24 + 16] = 0xff;
    assert_eq!(Check::parse(&bytes).unwrap_err(), CheckError::Text(1));
    bytes[24] = 0xff;
    bytes[27] = 0xff;
    assert_eq!(Check::parse(&bytes).unwrap_err(), CheckError::Truncated(1));
    bytes[8] = 2;
    assert_eq!(Check::parse(&bytes).unwrap_err(), CheckError::Version(2));
}

#[test]
fn the_first_difference_is_kept() {
    let bytes = file();
    let expected = Check::parse(&bytes).unwrap().sentences().next().unwrap();
    let differences = |tokens, hidden, words: &[u32]| {
        let mut comparison = expected.compare();
        comparison.tokens(tokens);
        comparison.hidden(hidden);
        words.iter().for_each(|&word| comparison.word(word));
        comparison.finish()
    };
    assert_eq!(differences(4, 77, &[10, 11]), None);
    assert_eq!(differences(5, 78, &[10, 11]), Some(Difference::Tokens { host: 4, here: 5 }));
    assert_eq!(differences(4, 78, &[10, 12]), Some(Difference::Hidden { host: 77, here: 78 }));
    assert_eq!(differences(4, 77, &[10, 12]), Some(Difference::Output { word: 1, host: 11, here: 12 }));
    assert_eq!(differences(4, 77, &[10]), Some(Difference::Length { host: 2, here: 1 }));
    assert_eq!(differences(4, 77, &[10, 11, 12]), Some(Difference::Length { host: 2, here: 3 }));
}

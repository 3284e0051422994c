//! Files that are cut, changed or forged: an error, or a file all of whose accessors work; never a panic, a hang or a read elsewhere. Changes keep the checksum honest, so that
//! the checks behind it are what is tested.

mod common;

use common::{CHECKSUM, PIECES, STORED, Stored, file, fix};
use distil_format::{
    AlignedBytes, Artifact, Head, MAX_PIECE_BYTES, OpenError, SectionKind, Vocabulary, build_vocabulary, data_len,
    scales_len,
};

/// Uses everything an opened file offers and checks what is promised about it.
fn exercise(artifact: &Artifact<'_>) {
    let config = artifact.config();
    config.validate().expect("an opened configuration is good");
    assert_eq!(artifact.tensors().count(), config.tensor_count());
    for tensor in artifact.tensors() {
        assert_eq!(artifact.tensor(tensor.id.role, tensor.id.layer), Some(tensor));
        let bytes = data_len(tensor.dtype, tensor.layout, tensor.rows, tensor.cols);
        assert_eq!(bytes, Some(tensor.data.len() as u64));
        let bytes = scales_len(tensor.dtype, tensor.layout, tensor.rows);
        assert_eq!(bytes, Some(tensor.scales.len() as u64));
    }
    for label in 0..config.labels as usize {
        assert!(artifact.label(label).is_some());
    }
    assert!(artifact.vocabulary().len() <= config.vocab_size as usize);
    let section = artifact.sections().nth(3).map_or(0..0, |(_, range)| range);
    exercise_vocabulary(&artifact.bytes()[section], artifact.vocabulary());
    assert!(artifact.manifest().len() < artifact.len());
    assert_eq!(artifact.sections().count(), SectionKind::ALL.len());
}

/// Looks everything up, and packs the entries again: there is one way to pack a vocabulary, so an accepted section must be that.
fn exercise_vocabulary(bytes: &[u8], vocabulary: Vocabulary<'_>) {
    let mut out = [0; MAX_PIECE_BYTES];
    let mut pieces = Vec::new();
    for id in 0..vocabulary.len() as u32 {
        let (text, continuation) = vocabulary.piece(id, &mut out).expect("an entry");
        assert_eq!(vocabulary.longest_match(text.as_bytes(), continuation), Some((id, text.len())));
        pieces.push(format!("{}{text}", if continuation { "##" } else { "" }));
    }
    assert_eq!(build_vocabulary(&pieces).as_deref(), Ok(bytes));
    for text in PIECES.iter().chain(&["antsé中国😀\0", "unbelievable", "\u{10ffff}"]) {
        for start in text.char_indices().map(|(at, _)| at) {
            for continuation in [false, true] {
                let rest = &text[start..];
                if let Some((id, len)) = vocabulary.longest_match(rest.as_bytes(), continuation) {
                    assert!((id as usize) < vocabulary.len());
                    assert!(rest.is_char_boundary(len));
                }
            }
        }
    }
}

/// Values to put in a byte's place: its neighbours, single bits, extremes.
fn values(byte: u8) -> impl Iterator<Item = u8> {
    [0, 1, 2, 0x7F, 0x80, 0xFF, byte.wrapping_add(1), byte.wrapping_sub(1)]
        .into_iter()
        .chain((0..8).map(move |bit| byte ^ (1 << bit)))
        .filter(move |&value| value != byte)
}

#[test]
fn every_truncation_is_an_error() {
    let file = file(Head::SequenceClassification, Stored::Int8);
    for len in 0..file.len() {
        let mut bytes = AlignedBytes::copy_of(&file[..len]);
        assert!(Artifact::open(&bytes).is_err(), "{len} bytes");
        if len >= 64 {
            // The same with a header that says so.
            bytes[16..24].copy_from_slice(&(len as u64).to_le_bytes());
            fix(&mut bytes);
            assert!(Artifact::open(&bytes).is_err(), "{len} bytes, declared");
        }
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    let mut longer = file(Head::Embedding, Stored::Int8);
    longer.push(0);
    let mut bytes = AlignedBytes::copy_of(&longer);
    assert!(matches!(Artifact::open(&bytes), Err(OpenError::Length { .. })));
    let len = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&len.to_le_bytes());
    fix(&mut bytes);
    assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(OpenError::SectionTable(SectionKind::Manifest)));
}

#[test]
fn every_changed_byte_breaks_the_checksum() {
    let mut bytes = AlignedBytes::copy_of(&file(Head::SequenceClassification, Stored::Int8));
    for at in 0..bytes.len() {
        let byte = bytes[at];
        for value in values(byte) {
            bytes[at] = value;
            assert!(Artifact::open(&bytes).is_err(), "byte {at} from {byte} to {value}");
        }
        bytes[at] = byte;
    }
    assert!(Artifact::open(&bytes).is_ok());
}

#[test]
fn every_changed_byte_with_a_good_checksum_is_an_error_or_harmless() {
    for (&head, stored) in Head::ALL.iter().cycle().zip(STORED) {
        let mut bytes = AlignedBytes::copy_of(&file(head, stored));
        let (mut opened, mut refused) = (0, 0);
        for at in (0..bytes.len()).filter(|at| !CHECKSUM.contains(at)) {
            let byte = bytes[at];
            for value in values(byte) {
                bytes[at] = value;
                fix(&mut bytes);
                match Artifact::open(&bytes) {
                    Ok(artifact) => {
                        exercise(&artifact);
                        opened += 1;
                    }
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        refused += 1;
                    }
                }
            }
            bytes[at] = byte;
        }
        // Both happen: weights may be any number, structure may not.
        assert!(opened > 1000 && refused > 10_000, "{head} {stored:?}: {opened} opened, {refused} refused");
    }
}

/// Two bytes at once, in the parts that describe others: lengths and offsets that agree in their error.
#[test]
fn pairs_of_changed_bytes_are_an_error_or_harmless() {
    let original = file(Head::SequenceClassification, Stored::Int8);
    let mut bytes = AlignedBytes::copy_of(&original);
    let ranges: Vec<_> = {
        let artifact = Artifact::open(&bytes).expect("the file opens");
        let described = [SectionKind::Config, SectionKind::Vocabulary, SectionKind::Labels];
        let inside = artifact.sections().filter(|(kind, _)| described.contains(kind));
        std::iter::once(0..256).chain(inside.map(|(_, range)| range)).collect()
    };
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % n
    };
    for _ in 0..100_000 {
        let range = ranges[random(ranges.len())].clone();
        for _ in 0..2 {
            let at = range.start + random(range.len());
            let choices: Vec<u8> = values(bytes[at]).collect();
            bytes[at] = choices[random(choices.len())];
        }
        fix(&mut bytes);
        if let Ok(artifact) = Artifact::open(&bytes) {
            exercise(&artifact);
        }
        bytes.copy_from_slice(&original);
    }
}

/// A vocabulary of several blocks, so that counts and places lead from one to another.
#[test]
fn every_changed_byte_of_a_vocabulary_is_an_error_or_harmless() {
    let syllables = ["ka", "ti", "mo", "re", "é", "中国", "s", "😀"];
    let mut pieces: Vec<String> = PIECES.iter().map(|&piece| piece.to_owned()).collect();
    for first in syllables {
        for second in syllables {
            pieces.push(format!("{first}{second}x"));
            pieces.push(format!("##{second}{first}"));
        }
    }
    let mut bytes = build_vocabulary(&pieces).expect("a good vocabulary");
    assert!(bytes.len() > 32 + 2048 + 4 * 96);
    exercise_vocabulary(&bytes, Vocabulary::new(&bytes).expect("a good section"));
    for at in 0..bytes.len() {
        let byte = bytes[at];
        for value in values(byte) {
            bytes[at] = value;
            if let Ok(vocabulary) = Vocabulary::new(&bytes) {
                exercise_vocabulary(&bytes, vocabulary);
            }
        }
        bytes[at] = byte;
    }
    for len in 0..bytes.len() {
        assert!(Vocabulary::new(&bytes[..len]).is_err());
    }
}

/// Every bit and every pair of bits of a block's bits and counts: enough to move a branch to another edge, or to close a trie into a ring.
#[test]
fn every_one_or_two_changed_bits_of_a_block_is_an_error_or_harmless() {
    let lists: [&[&str]; 5] = [
        &["abc", "abcd"],
        &["abc", "abd", "b", "##cd"],
        &["a", "ab", "abcd", "##é"],
        &["é", "è", "中国"],
        &PIECES[5..],
    ];
    for pieces in lists {
        let mut bytes = build_vocabulary(pieces).expect("a good vocabulary");
        let block = 32 + 2048 + 64;
        let mut refused = 0;
        for first in 0..256 {
            for second in first..256 {
                flip(&mut bytes[block..], [first, second]);
                match Vocabulary::new(&bytes) {
                    Ok(vocabulary) => exercise_vocabulary(&bytes, vocabulary),
                    Err(_) => refused += 1,
                }
                flip(&mut bytes[block..], [first, second]);
            }
        }
        assert!(refused > 30_000, "{refused} refused");
    }
}

/// Changes one bit, or two if they differ.
fn flip(bytes: &mut [u8], bits: [usize; 2]) {
    let [first, second] = bits;
    bytes[first / 8] ^= 1 << (first % 8);
    if second != first {
        bytes[second / 8] ^= 1 << (second % 8);
    }
}

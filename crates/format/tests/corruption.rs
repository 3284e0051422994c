//! Files that are cut, changed or forged: an error, or a file all of whose accessors work; never a panic, a hang or a read elsewhere. Changes keep the checksum honest, so that
//! the checks behind it are what is tested.

mod common;

use std::collections::HashSet;

use common::{PIECES, config, file, tensors};
use distil_format::{
    AlignedBytes, Artifact, Head, MAX_PIECE_BYTES, OpenError, Role, SectionKind, TensorError,
    Vocabulary, VocabularyError, build_vocabulary, data_len, scales_len, xxh32,
};

const CHECKSUM: std::ops::Range<usize> = 24..28;

/// Makes the checksum match.
fn fix(bytes: &mut [u8]) {
    bytes[CHECKSUM].fill(0);
    let checksum = xxh32(bytes, 0);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
}

/// Uses everything an opened file offers and checks what is promised about it.
fn exercise(artifact: &Artifact<'_>) {
    let config = artifact.config();
    config.validate().expect("an opened configuration is good");
    assert_eq!(artifact.tensors().count(), config.tensor_count());
    for tensor in artifact.tensors() {
        assert_eq!(
            artifact.tensor(tensor.id.role, tensor.id.layer),
            Some(tensor)
        );
        let bytes = data_len(tensor.dtype, tensor.layout, tensor.rows, tensor.cols);
        assert_eq!(bytes, Some(tensor.data.len() as u64));
        let bytes = scales_len(tensor.dtype, tensor.layout, tensor.rows);
        assert_eq!(bytes, Some(tensor.scales.len() as u64));
    }
    for label in 0..config.labels as usize {
        assert!(artifact.label(label).is_some());
    }
    assert!(artifact.vocabulary().len() <= config.vocab_size as usize);
    exercise_vocabulary(artifact.vocabulary());
    assert!(artifact.manifest().len() < artifact.len());
    assert_eq!(artifact.sections().count(), SectionKind::ALL.len());
}

fn exercise_vocabulary(vocabulary: Vocabulary<'_>) {
    let mut out = [0; MAX_PIECE_BYTES];
    let mut seen = HashSet::new();
    for id in 0..vocabulary.len() as u32 {
        // A forged list of ids may repeat one; then another has no entry.
        if let Some((text, continuation)) = vocabulary.piece(id, &mut out) {
            assert_eq!(
                vocabulary.longest_match(text.as_bytes(), continuation),
                Some((id, text.len()))
            );
            seen.insert((text.to_owned(), continuation));
        }
    }
    assert!(!seen.is_empty());
    for text in PIECES
        .iter()
        .chain(&["antsé中国😀\0", "unbelievable", "\u{10ffff}"])
    {
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
    [
        0,
        1,
        2,
        0x7F,
        0x80,
        0xFF,
        byte.wrapping_add(1),
        byte.wrapping_sub(1),
    ]
    .into_iter()
    .chain((0..8).map(move |bit| byte ^ (1 << bit)))
    .filter(move |&value| value != byte)
}

#[test]
fn every_truncation_is_an_error() {
    let file = file(Head::SequenceClassification, false);
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
    let mut longer = file(Head::Embedding, false);
    longer.push(0);
    let mut bytes = AlignedBytes::copy_of(&longer);
    assert!(matches!(
        Artifact::open(&bytes),
        Err(OpenError::Length { .. })
    ));
    let len = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&len.to_le_bytes());
    fix(&mut bytes);
    assert_eq!(
        Artifact::open(&bytes).map(|_| ()),
        Err(OpenError::SectionTable(SectionKind::Manifest))
    );
}

#[test]
fn every_changed_byte_breaks_the_checksum() {
    let mut bytes = AlignedBytes::copy_of(&file(Head::SequenceClassification, false));
    for at in 0..bytes.len() {
        let byte = bytes[at];
        for value in values(byte) {
            bytes[at] = value;
            assert!(
                Artifact::open(&bytes).is_err(),
                "byte {at} from {byte} to {value}"
            );
        }
        bytes[at] = byte;
    }
    assert!(Artifact::open(&bytes).is_ok());
}

#[test]
fn every_changed_byte_with_a_good_checksum_is_an_error_or_harmless() {
    for head in [
        Head::Embedding,
        Head::MaskedLm,
        Head::SequenceClassification,
    ] {
        let mut bytes = AlignedBytes::copy_of(&file(head, head == Head::Embedding));
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
        assert!(
            opened > 1000 && refused > 10_000,
            "{head}: {opened} opened, {refused} refused"
        );
    }
}

/// Two bytes at once, in the parts that describe others: lengths and offsets that agree in their error.
#[test]
fn pairs_of_changed_bytes_are_an_error_or_harmless() {
    let original = file(Head::SequenceClassification, false);
    let mut bytes = AlignedBytes::copy_of(&original);
    let ranges: Vec<_> = {
        let artifact = Artifact::open(&bytes).expect("the file opens");
        let described = [
            SectionKind::Config,
            SectionKind::Vocabulary,
            SectionKind::Labels,
        ];
        let inside = artifact
            .sections()
            .filter(|(kind, _)| described.contains(kind));
        std::iter::once(0..256)
            .chain(inside.map(|(_, range)| range))
            .collect()
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
    exercise_vocabulary(Vocabulary::new(&bytes).expect("a good section"));
    for at in 0..bytes.len() {
        let byte = bytes[at];
        for value in values(byte) {
            bytes[at] = value;
            if let Ok(vocabulary) = Vocabulary::new(&bytes) {
                exercise_vocabulary(vocabulary);
            }
        }
        bytes[at] = byte;
    }
    for len in 0..bytes.len() {
        assert!(Vocabulary::new(&bytes[..len]).is_err());
    }
}

#[test]
fn pieces_that_are_no_text_are_refused() {
    // The label of the only two-byte character's second byte becomes a letter, and a letter a continuation byte.
    let bytes = build_vocabulary(&["é", "ab"]).expect("a good vocabulary");
    let labels = 32 + 2048;
    assert_eq!(bytes[labels..labels + 4], [b'a', 0xC3, b'b', 0xA9]);
    for (at, value) in [(2, 0xA0), (3, b'x'), (3, 0xC0)] {
        let mut bytes = bytes.clone();
        bytes[labels + at] = value;
        assert_eq!(
            Vocabulary::new(&bytes).map(|_| ()),
            Err(VocabularyError::Utf8)
        );
    }
}

#[test]
fn repeated_ids_are_refused() {
    let mut bytes = build_vocabulary(&["a", "b", "c"]).expect("a good vocabulary");
    let ids = bytes.len() - 6;
    bytes[ids] = 1;
    assert_eq!(
        Vocabulary::new(&bytes).map(|_| ()),
        Err(VocabularyError::Ids)
    );
    bytes[ids] = 3;
    assert_eq!(
        Vocabulary::new(&bytes).map(|_| ()),
        Err(VocabularyError::Ids)
    );
}

/// Counts and lengths as large as their fields allow, in a file of a few kilobytes.
#[test]
fn huge_numbers_are_refused_without_overflow() {
    let original = file(Head::MaskedLm, false);
    let mut bytes = AlignedBytes::copy_of(&original);
    let sections: Vec<_> = {
        let artifact = Artifact::open(&bytes).expect("the file opens");
        artifact.sections().map(|(_, range)| range).collect()
    };
    let mut attempt = |changes: &[(usize, &[u8])]| {
        for &(at, value) in changes {
            bytes[at..at + value.len()].copy_from_slice(value);
        }
        fix(&mut bytes);
        let result = Artifact::open(&bytes).map(|_| ());
        bytes.copy_from_slice(&original);
        result
    };
    // The header's length, and each section's offset and length.
    let large: [u64; 6] = [
        u64::MAX,
        u64::MAX - 63,
        1 << 63,
        u64::MAX >> 1,
        1 << 32,
        u32::MAX as u64,
    ];
    for value in large {
        let value = value.to_le_bytes();
        assert!(matches!(
            attempt(&[(16, &value)]),
            Err(OpenError::Length { .. })
        ));
        for section in 0..6 {
            let entry = 64 + section * 32;
            for at in [entry + 8, entry + 16] {
                assert!(matches!(
                    attempt(&[(at, &value)]),
                    Err(OpenError::SectionTable(_))
                ));
            }
        }
        // Each offset and length of each tensor.
        let table = sections[1].clone();
        for entry in table.step_by(48) {
            for at in [16, 24, 32, 40] {
                assert!(matches!(
                    attempt(&[(entry + at, &value)]),
                    Err(OpenError::Tensor {
                        error: TensorError::Place,
                        ..
                    })
                ));
            }
        }
    }
    // The largest model there may be: every number of it is checked before a byte is looked for.
    let config = sections[0].start;
    let largest = [
        (config + 8, 8192_u32.to_le_bytes()),
        (config + 20, 32_768_u32.to_le_bytes()),
        (config + 24, (1_u32 << 20).to_le_bytes()),
        (config + 28, (1_u32 << 16).to_le_bytes()),
    ];
    let table = sections[1].start;
    let changes: Vec<(usize, &[u8])> = largest
        .iter()
        .map(|(at, value)| (*at, &value[..]))
        .collect();
    assert!(matches!(
        attempt(&changes),
        Err(OpenError::Tensor {
            error: TensorError::Shape {
                expected: (1_048_576, 8192)
            },
            ..
        })
    ));
    // With a first entry that agrees: the data would be 8 GB.
    let length = (1_u64 << 33).to_le_bytes();
    let scales = (1_u64 << 21).to_le_bytes();
    let (rows, cols) = ((1_u32 << 20).to_le_bytes(), 8192_u32.to_le_bytes());
    let mut agreeing = changes.clone();
    agreeing.extend([
        (table + 8, &rows[..]),
        (table + 12, &cols[..]),
        (table + 24, &length[..]),
        (table + 32, &length[..]),
        (table + 40, &scales[..]),
    ]);
    assert!(matches!(
        attempt(&agreeing),
        Err(OpenError::Tensor {
            error: TensorError::Place,
            ..
        })
    ));
    // The vocabulary's counts and the labels' count.
    let vocabulary = sections[3].start;
    for value in [u32::MAX, 1 << 20, (1 << 22) - 1, 1 << 16] {
        let value = value.to_le_bytes();
        for at in [0, 4] {
            assert!(matches!(
                attempt(&[(vocabulary + at, &value)]),
                Err(OpenError::Vocabulary(_))
            ));
        }
        assert_eq!(
            attempt(&[(sections[4].start, &value)]),
            Err(OpenError::Labels)
        );
    }
    assert_eq!(
        data_len(
            distil_format::Dtype::F32,
            distil_format::Layout::Tile16,
            usize::MAX,
            2
        ),
        None
    );
    assert_eq!(
        data_len(
            distil_format::Dtype::F32,
            distil_format::Layout::RowMajor,
            usize::MAX,
            2
        ),
        None
    );
}

/// Values that the kernels do not expect, in the place of good ones.
#[test]
fn forged_values_are_refused() {
    let config = config(Head::MaskedLm);
    let places = tensors(&config, false);
    let mut bytes = AlignedBytes::copy_of(&file(Head::MaskedLm, false));
    let weights = {
        let artifact = Artifact::open(&bytes).expect("the file opens");
        let (_, range) = artifact.sections().nth(2).expect("weights are third");
        range.start
    };
    let mut offset = weights;
    for tensor in &places {
        offset = offset.next_multiple_of(64);
        let scales = (offset + tensor.data.len()).next_multiple_of(64);
        let (at, bad, expected): (usize, &[u8], _) = match tensor.dtype {
            distil_format::Dtype::Int8 => (offset, &[0x80], TensorError::Element { at: 0 }),
            distil_format::Dtype::F16 => (offset, &[0, 0x7C], TensorError::NotFinite { at: 0 }),
            distil_format::Dtype::F32 => (
                offset,
                &[0, 0, 0xC0, 0x7F],
                TensorError::NotFinite { at: 0 },
            ),
        };
        let mut refused = vec![(at, bad, expected)];
        if tensor.scales.is_empty() {
            offset += tensor.data.len();
        } else {
            refused.push((scales, &[0, 0], TensorError::Scale { row: 0 }));
            offset = scales + tensor.scales.len();
        }
        for (at, bad, error) in refused {
            let good = bytes[at..at + bad.len()].to_vec();
            bytes[at..at + bad.len()].copy_from_slice(bad);
            fix(&mut bytes);
            let id = tensor.id;
            assert_eq!(
                Artifact::open(&bytes).map(|_| ()),
                Err(OpenError::Tensor { id, error })
            );
            bytes[at..at + bad.len()].copy_from_slice(&good);
        }
    }
    assert_eq!(places[0].id.role, Role::WordEmbedding);
}

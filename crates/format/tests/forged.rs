//! One rule of SPEC.md broken at a time, in files whose checksum is right: each has its error.

mod common;

use common::{STORED, Stored, config, file, fix, tensors};
use distil_format::{
    AlignedBytes, Artifact, Dtype, Head, Layout, OpenError, Role, SectionKind, TensorError, Vocabulary,
    VocabularyError, WriteError, build_vocabulary, data_len, elements_len, write,
};

#[test]
fn pieces_that_are_no_text_are_refused() {
    // The label of the only two-byte character's second byte becomes a letter, and a letter a continuation byte.
    let bytes = build_vocabulary(&["é", "ab"]).expect("a good vocabulary");
    let labels = 32 + 2048;
    assert_eq!(bytes[labels..labels + 4], [b'a', 0xC3, b'b', 0xA9]);
    for (at, value) in [(2, 0xA0), (3, b'x'), (3, 0xC0)] {
        let mut bytes = bytes.clone();
        bytes[labels + at] = value;
        assert_eq!(Vocabulary::new(&bytes).map(|_| ()), Err(VocabularyError::Utf8));
    }
}

#[test]
fn a_word_that_goes_on_after_two_hashes_is_refused() {
    // Only the first byte and its place in the root table make the difference.
    let mut bytes = build_vocabulary(&["$#", "$#a"]).expect("a good vocabulary");
    let root = |byte: u8| 32 + usize::from(byte) * 4;
    bytes.copy_within(root(b'$')..root(b'$') + 4, root(b'#'));
    bytes[root(b'$')..root(b'$') + 4].fill(0);
    let labels = 32 + 2048;
    assert_eq!(bytes[labels..labels + 3], *b"$#a");
    bytes[labels] = b'#';
    assert_eq!(Vocabulary::new(&bytes).map(|_| ()), Err(VocabularyError::Prefix));
}

#[test]
fn wrong_ids_are_refused() {
    let good = build_vocabulary(&["a", "b", "c", "d", "e", "f", "g"]).expect("a good vocabulary");
    let attempt = |count: usize, ids: &[u16]| {
        let mut bytes = build_vocabulary(&["a", "b", "c", "d", "e", "f", "g"][..count]).expect("a good vocabulary");
        let start = bytes.len() - 2 * count;
        for (bytes, id) in bytes[start..].chunks_mut(2).zip(ids) {
            bytes.copy_from_slice(&id.to_le_bytes());
        }
        Vocabulary::new(&bytes).map(|_| ())
    };
    assert!(Vocabulary::new(&good).is_ok());
    assert_eq!(attempt(3, &[2, 0, 1]), Ok(()));
    assert_eq!(attempt(3, &[0, 1, 1]), Err(VocabularyError::Ids));
    assert_eq!(attempt(3, &[0, 1, 3]), Err(VocabularyError::Ids));
    // 1, 2, 6 have the sum and the sum of squares of 0, 4, 5: out of range with six entries...
    assert_eq!(attempt(6, &[1, 1, 2, 3, 2, 6]), Err(VocabularyError::Ids));
    // ...and the exception that SPEC.md states with seven: forged, in range.
    assert_eq!(attempt(7, &[1, 1, 2, 3, 2, 6, 6]), Ok(()));
}

#[test]
fn wrong_labels_are_refused() {
    let mut bytes = AlignedBytes::copy_of(&file(Head::SequenceClassification, Stored::Int8));
    let labels = {
        let artifact = Artifact::open(&bytes).expect("the file opens");
        let (_, range) = artifact.sections().nth(4).expect("labels are fifth");
        range
    };
    // The names are "off", "" and "größer": offsets 0, 3, 3, 11; ö is bytes 5 and 6.
    let text = labels.start + 4 + 4 * 4;
    assert_eq!(bytes[text..labels.end], *"offgrößer".as_bytes());
    for (at, good, bad) in [
        (labels.start, 3, 2),
        (labels.start + 4, 0, 1),
        (labels.start + 8, 3, 4),
        (labels.start + 12, 3, 6),
        (labels.start + 16, 11, 10),
        (labels.start + 16, 11, 12),
        (text + 6, 0xB6, b'o'),
    ] {
        assert_eq!(bytes[at], good);
        bytes[at] = bad;
        fix(&mut bytes);
        assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(OpenError::Labels), "{bad}");
        bytes[at] = good;
    }
}

/// 64 zero bytes more at the end of a section, with every offset and length after it right.
#[test]
fn sections_longer_than_their_contents_are_refused() {
    let original = file(Head::SequenceClassification, Stored::Int8);
    let ranges: Vec<_> = {
        let bytes = AlignedBytes::copy_of(&original);
        let artifact = Artifact::open(&bytes).expect("the file opens");
        artifact.sections().map(|(_, range)| range).collect()
    };
    for (section, expected) in [
        (0, OpenError::SectionLength(SectionKind::Config)),
        (1, OpenError::SectionLength(SectionKind::TensorTable)),
        (2, OpenError::SectionLength(SectionKind::Weights)),
        (3, OpenError::Vocabulary(VocabularyError::Length)),
        (4, OpenError::Labels),
    ] {
        let mut longer = original.clone();
        let end = ranges[section].end;
        longer.splice(end..end, [0; 64]);
        let mut bytes = AlignedBytes::copy_of(&longer);
        let mut add = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            let number = u64::from_le_bytes(number) + 64;
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        };
        add(16);
        add(64 + section * 32 + 16);
        for later in section + 1..6 {
            add(64 + later * 32 + 8);
        }
        fix(&mut bytes);
        assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(expected));
    }
}

#[test]
fn more_entries_than_embeddings_are_refused() {
    let mut config = config(Head::Embedding);
    config.vocab_size = 6;
    let pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"];
    let longer = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"];
    let vocabulary = build_vocabulary(&pieces).expect("a good vocabulary");
    let attempt = |vocabulary: &[u8]| write(&config, tensors(&config, Stored::Int8), vocabulary, &[], &[]);
    let longer = build_vocabulary(&longer).expect("a good vocabulary");
    assert_eq!(attempt(&longer), Err(WriteError::VocabularySize { entries: 7, vocab_size: 6 }));
    // The reader's own check: the longer section in the place of the other, which ends before the same multiple of 64.
    let file = attempt(&vocabulary).expect("a good model");
    let range = {
        let bytes = AlignedBytes::copy_of(&file);
        let artifact = Artifact::open(&bytes).expect("the file opens");
        let (_, range) = artifact.sections().nth(3).expect("the vocabulary is fourth");
        range
    };
    let mut bytes = AlignedBytes::copy_of(&file);
    bytes[range.start..range.start + longer.len()].copy_from_slice(&longer);
    let entry = 64 + 3 * 32;
    bytes[entry + 16..entry + 24].copy_from_slice(&(longer.len() as u64).to_le_bytes());
    fix(&mut bytes);
    assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(OpenError::VocabularySize { entries: 7, vocab_size: 6 }));
}

/// Counts and lengths as large as their fields allow, in a file of a few kilobytes.
#[test]
fn huge_numbers_are_refused_without_overflow() {
    let original = file(Head::MaskedLm, Stored::Int8);
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
    let large: [u64; 6] = [u64::MAX, u64::MAX - 63, 1 << 63, u64::MAX >> 1, 1 << 32, u32::MAX as u64];
    for value in large {
        let value = value.to_le_bytes();
        assert!(matches!(attempt(&[(16, &value)]), Err(OpenError::Length { .. })));
        for section in 0..6 {
            let entry = 64 + section * 32;
            for at in [entry + 8, entry + 16] {
                assert!(matches!(attempt(&[(at, &value)]), Err(OpenError::SectionTable(_))));
            }
        }
        // Each offset and length of each tensor.
        let table = sections[1].clone();
        for entry in table.step_by(48) {
            for at in [16, 24, 32, 40] {
                assert!(matches!(
                    attempt(&[(entry + at, &value)]),
                    Err(OpenError::Tensor { error: TensorError::Place, .. })
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
    let changes: Vec<(usize, &[u8])> = largest.iter().map(|(at, value)| (*at, &value[..])).collect();
    assert!(matches!(
        attempt(&changes),
        Err(OpenError::Tensor { error: TensorError::Shape { expected: (1_048_576, 8192) }, .. })
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
    assert!(matches!(attempt(&agreeing), Err(OpenError::Tensor { error: TensorError::Place, .. })));
    // The vocabulary's counts and the labels' count.
    let vocabulary = sections[3].start;
    for value in [u32::MAX, 1 << 20, (1 << 22) - 1, 1 << 16] {
        let value = value.to_le_bytes();
        for at in [0, 4] {
            assert!(matches!(attempt(&[(vocabulary + at, &value)]), Err(OpenError::Vocabulary(_))));
        }
        assert_eq!(attempt(&[(sections[4].start, &value)]), Err(OpenError::Labels));
    }
    assert_eq!(data_len(Dtype::F32, Layout::Tile16, usize::MAX, 2), None);
    assert_eq!(data_len(Dtype::F32, Layout::RowMajor, usize::MAX, 2), None);
    for layout in [Layout::RowMajor, Layout::Tile4] {
        assert_eq!(data_len(Dtype::Int4G32, layout, usize::MAX, 64), None);
        assert_eq!(data_len(Dtype::Int4G64, layout, 64, usize::MAX), None);
        assert_eq!(data_len(Dtype::Int3G32, layout, usize::MAX, 64), None);
    }
}

/// Values that the kernels do not expect, in the place of good ones.
#[test]
fn forged_values_are_refused() {
    for stored in STORED {
        let config = config(Head::MaskedLm);
        let places = tensors(&config, stored);
        let mut bytes = AlignedBytes::copy_of(&file(Head::MaskedLm, stored));
        let weights = {
            let artifact = Artifact::open(&bytes).expect("the file opens");
            let (_, range) = artifact.sections().nth(2).expect("weights are third");
            range.start
        };
        let mut offset = weights;
        for tensor in &places {
            offset = offset.next_multiple_of(64);
            let scales = (offset + tensor.data.len()).next_multiple_of(64);
            let (rows, cols) = config.shape(tensor.id);
            let nibbles = elements_len(tensor.dtype, tensor.layout, rows, cols).expect("a small tensor") as usize;
            let (at, bad, expected): (usize, &[u8], _) = match tensor.dtype {
                Dtype::Int8 => (offset, &[0x80], TensorError::Element { at: 0 }),
                Dtype::F16 => (offset, &[0, 0x7C], TensorError::NotFinite { at: 0 }),
                Dtype::F32 => (offset, &[0, 0, 0xC0, 0x7F], TensorError::NotFinite { at: 0 }),
                Dtype::Int4G32 | Dtype::Int4G64 | Dtype::Int3G32 => {
                    (offset + nibbles + 1, &[16], TensorError::Group { at: 1 })
                }
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
                assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(OpenError::Tensor { id, error }));
                let unverified = Artifact::open_unverified(&bytes).expect("the structure is good");
                assert_eq!(unverified.verify(), Err(OpenError::Tensor { id, error }));
                bytes[at..at + bad.len()].copy_from_slice(&good);
            }
        }
        assert_eq!(places[0].id.role, Role::WordEmbedding);
    }
}

/// What means nothing must be zero, and what is unknown is refused.
#[test]
fn padding_reserved_bytes_and_unknown_codes_are_refused() {
    let mut bytes = AlignedBytes::copy_of(&file(Head::SequenceClassification, Stored::Int8));
    let (sections, gaps) = {
        let artifact = Artifact::open(&bytes).expect("the file opens");
        let sections: Vec<_> = artifact.sections().map(|(_, range)| range).collect();
        let mut used = vec![false; sections[2].len()];
        let start = bytes.as_ptr().addr() + sections[2].start;
        for tensor in artifact.tensors() {
            for part in [tensor.data, tensor.scales] {
                let from = part.as_ptr().addr() - start;
                assert!(!used[from..from + part.len()].contains(&true), "tensors overlap");
                used[from..from + part.len()].fill(true);
            }
        }
        let gaps: Vec<usize> = (0..used.len()).filter(|&at| !used[at]).map(|at| sections[2].start + at).collect();
        (sections, gaps)
    };
    let mut attempt = |at: usize, value: u8| {
        let byte = bytes[at];
        bytes[at] = value;
        fix(&mut bytes);
        let error = Artifact::open(&bytes).expect_err("a refused file");
        bytes[at] = byte;
        error
    };
    for at in 0..8 {
        assert_eq!(attempt(at, b'x'), OpenError::Magic);
    }
    assert_eq!(attempt(8, 1), OpenError::Version(1));
    assert_eq!(attempt(8, 3), OpenError::Version(3));
    assert_eq!(attempt(10, 7), OpenError::Header);
    for bit in 0..32 {
        assert_eq!(attempt(12 + bit / 8, 1 << (bit % 8)), OpenError::Flags(1 << bit));
    }
    for at in 28..64 {
        assert_eq!(attempt(at, 1), OpenError::Header);
    }
    for (entry, &kind) in (64..256).step_by(32).zip(SectionKind::ALL) {
        for at in (4..8).chain(24..32).chain(0..4) {
            assert_eq!(attempt(entry + at, 0x80), OpenError::SectionTable(kind));
        }
    }
    let mut padding = 0;
    for (pair, &kind) in sections.windows(2).zip(&SectionKind::ALL[1..]) {
        for at in pair[0].end..pair[1].start {
            assert_eq!(attempt(at, 1), OpenError::Padding(kind));
            padding += 1;
        }
    }
    assert!(padding > 0 && !gaps.is_empty());
    for at in gaps {
        assert!(matches!(attempt(at, 1), OpenError::Tensor { error: TensorError::Gap, .. }));
    }
    for at in 0..8 {
        for value in [5, 0x80, 0xFF] {
            assert!(matches!(attempt(sections[0].start + at, value), OpenError::Config(_)));
        }
    }
    for entry in sections[1].clone().step_by(48) {
        for (at, value) in [(0, 32), (1, 6), (2, 4), (3, 1), (4, 9)] {
            assert!(matches!(attempt(entry + at, value), OpenError::Tensor { error: TensorError::Entry, .. }));
        }
    }
    for at in 12..32 {
        assert_eq!(attempt(sections[3].start + at, 1), OpenError::Vocabulary(VocabularyError::Counts));
    }
}

//! Files opened without a look at their values: whatever the bytes are, everything that is offered works, ends, and stays inside.

mod common;

use common::{PIECES, STORED, Stored, file, fix};
use distil_format::{
    AlignedBytes, Artifact, Head, MAX_PIECE_BYTES, OpenError, SectionKind, Vocabulary, VocabularyError,
    build_vocabulary, data_len, scales_len,
};
use proptest::prelude::*;

/// A small generator: the same bytes at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }
}

/// Uses everything; checks only what is promised for any bytes.
fn exercise(artifact: &Artifact<'_>) {
    let config = artifact.config();
    assert_eq!(artifact.tensors().count(), config.tensor_count());
    for tensor in artifact.tensors() {
        assert_eq!((tensor.rows, tensor.cols), config.shape(tensor.id));
        let bytes = data_len(tensor.dtype, tensor.layout, tensor.rows, tensor.cols);
        assert_eq!(bytes, Some(tensor.data.len() as u64));
        assert_eq!(scales_len(tensor.dtype, tensor.layout, tensor.rows), Some(tensor.scales.len() as u64));
        assert_eq!(tensor.grouped().is_some(), tensor.dtype.group().is_some());
    }
    for label in 0..config.labels as usize {
        assert!(artifact.label(label).is_some());
    }
    assert!(artifact.vocabulary().len() <= config.vocab_size as usize);
    exercise_vocabulary(artifact.vocabulary(), "antsé中国😀 unbelievable \u{10ffff}\0");
    assert!(artifact.manifest().len() <= artifact.len());
    assert_eq!(artifact.sections().count(), SectionKind::ALL.len());
}

fn exercise_vocabulary(vocabulary: Vocabulary<'_>, text: &str) {
    for start in text.char_indices().map(|(at, _)| at) {
        for continuation in [false, true] {
            let rest = &text[start..];
            if let Some((id, len)) = vocabulary.longest_match(rest.as_bytes(), continuation) {
                assert!((id as usize) < vocabulary.len());
                assert!((1..=rest.len()).contains(&len) && rest.is_char_boundary(len));
            }
        }
    }
    let mut out = [0; 2 * MAX_PIECE_BYTES];
    for id in [0, 1, 2, vocabulary.len() as u32 - 1, vocabulary.len() as u32, u32::MAX] {
        if let Some((text, _)) = vocabulary.piece(id, &mut out) {
            assert!((1..=MAX_PIECE_BYTES).contains(&text.len()));
        }
    }
    for piece in PIECES {
        assert!(vocabulary.get(piece).is_none_or(|id| (id as usize) < vocabulary.len()));
    }
}

/// The section of a kind.
fn section(bytes: &[u8], wanted: SectionKind) -> std::ops::Range<usize> {
    let artifact = Artifact::open(bytes).expect("the file opens");
    let mut sections = artifact.sections();
    sections.find(|(kind, _)| *kind == wanted).expect("every file has it").1
}

#[test]
fn a_good_file_is_the_same_opened_either_way() {
    for stored in STORED {
        let bytes = AlignedBytes::copy_of(&file(Head::SequenceClassification, stored));
        let (checked, quick) = (Artifact::open(&bytes), Artifact::open_unverified(&bytes));
        let (checked, quick) = (checked.expect("the file opens"), quick.expect("the structure is good"));
        assert_eq!(quick.verify(), Ok(()));
        assert_eq!(quick.checksum(), checked.checksum());
        assert!(checked.tensors().eq(quick.tensors()));
        exercise(&quick);
    }
}

#[test]
fn damage_is_found_by_verify_and_called_damage() {
    let mut bytes = AlignedBytes::copy_of(&file(Head::MaskedLm, Stored::Mixed));
    let header = 64;
    for at in header..bytes.len() {
        bytes[at] ^= 0x40;
        if let Ok(artifact) = Artifact::open_unverified(&bytes) {
            assert!(matches!(artifact.verify(), Err(OpenError::Checksum { .. })), "byte {at}");
            exercise(&artifact);
        }
        assert!(matches!(Artifact::open(&bytes), Err(OpenError::Checksum { .. })), "byte {at}");
        bytes[at] ^= 0x40;
    }
    assert_eq!(Artifact::open_unverified(&bytes).expect("the structure is good").verify(), Ok(()));
}

/// Found by fuzzing: a list of ids with numbers that are no ids.
#[test]
fn what_is_no_id_has_no_piece() {
    let mut bytes = build_vocabulary(&["a", "b", "c"]).expect("a good vocabulary");
    let ids = bytes.len() - 6;
    bytes[ids..].copy_from_slice(&[3, 0, 0xFF, 0xFF, 1, 0]);
    let vocabulary = Vocabulary::new_unverified(&bytes).expect("the lengths are right");
    let mut out = [0; MAX_PIECE_BYTES];
    for id in [0, 2, 3, 0xFFFF, u32::MAX] {
        assert_eq!(vocabulary.piece(id, &mut out), None, "{id}");
    }
    assert_eq!(vocabulary.piece(1, &mut out), Some(("c", false)));
}

/// What verify finds when the checksum is right and the structure too.
#[test]
fn verify_names_what_is_wrong() {
    let mut bytes = AlignedBytes::copy_of(&file(Head::MaskedLm, Stored::Int8));
    let trie = section(&bytes, SectionKind::Vocabulary);
    let gap = section(&bytes, SectionKind::TensorTable).end;
    for (at, expected) in [
        (trie.end - 1, OpenError::Vocabulary(VocabularyError::Ids)),
        (trie.start + 40, OpenError::Vocabulary(VocabularyError::Roots)),
        (gap, OpenError::Padding(SectionKind::Weights)),
    ] {
        let good = bytes[at];
        bytes[at] = 0x55;
        fix(&mut bytes);
        assert_eq!(Artifact::open_unverified(&bytes).expect("the structure is good").verify(), Err(expected));
        assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(expected));
        bytes[at] = good;
    }
}

#[test]
fn any_weights_and_any_trie_are_usable() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for stored in STORED {
        let original = file(Head::SequenceClassification, stored);
        let mut bytes = AlignedBytes::copy_of(&original);
        let weights = section(&bytes, SectionKind::Weights);
        // Behind the trie's header, whose counts are structure.
        let trie = section(&bytes, SectionKind::Vocabulary);
        let trie = trie.start + 32..trie.end;
        for round in 0..400 {
            let extreme = [0_u8, 0xFF, 0x80, 0x01][round % 4];
            for at in weights.clone().chain(trie.clone()) {
                bytes[at] = if round < 4 { extreme } else { random.next() as u8 };
            }
            let artifact = Artifact::open_unverified(&bytes).expect("the structure is good");
            exercise(&artifact);
            assert!(artifact.verify().is_err());
        }
    }
}

#[test]
fn any_structure_is_refused_or_usable() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let original = file(Head::SequenceClassification, Stored::Mixed);
    let mut bytes = AlignedBytes::copy_of(&original);
    let described = [SectionKind::Config, SectionKind::TensorTable, SectionKind::Vocabulary, SectionKind::Labels];
    let front = 0..256;
    let ranges: Vec<_> = std::iter::once(front).chain(described.map(|kind| section(&bytes, kind))).collect();
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..100_000 {
        let range = ranges[random.below(ranges.len())].clone();
        for _ in 0..1 + random.below(3) {
            let at = range.start + random.below(range.len());
            bytes[at] = if random.below(2) == 0 { random.next() as u8 } else { bytes[at] ^ 1 << random.below(8) };
        }
        match Artifact::open_unverified(&bytes) {
            Ok(artifact) => {
                exercise(&artifact);
                opened += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
        bytes.copy_from_slice(&original);
    }
    assert!(opened > 1000 && refused > 1000, "{opened} opened, {refused} refused");
}

/// A trie of many blocks in which nothing ends: without bounds, one lookup would walk all of it at every byte.
#[test]
fn lookups_end_in_the_largest_tries() {
    let pieces: Vec<String> = (0..200_000).map(|i| format!("{i:x}")).collect();
    let good = build_vocabulary(&pieces).expect("a good vocabulary");
    let text = "a".repeat(4096);
    let mut random = Random(1);
    for fill in [0_u8, 0xFF, 0x61, 0x01] {
        let mut bytes = good.clone();
        // The edges begin after the root tables, which keep leading to them.
        let edges = 32 + 2048;
        bytes[edges..].fill(fill);
        if fill == 0x01 {
            bytes[edges..].fill_with(|| random.next() as u8);
        }
        for root in bytes[32..edges].chunks_mut(4) {
            root.copy_from_slice(&(1_u32 | 1 << 10).to_le_bytes());
        }
        let vocabulary = Vocabulary::new_unverified(&bytes).expect("the lengths are right");
        assert!(vocabulary.verify().is_err());
        let start = std::time::Instant::now();
        exercise_vocabulary(vocabulary, &text);
        // 8192 lookups of at most 256 steps; seconds would be a walk through all blocks.
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

proptest! {
    #[test]
    fn random_bytes_behind_a_good_header(
        entries in 1_u32..400, edges in 1_u32..400, roots in (0_u16..=256, 0_u16..=256),
        noise in proptest::collection::vec(any::<u8>(), 12_000), text in ".{1,40}",
    ) {
        let len = 32 + 2048 + edges.div_ceil(64) as usize * 96 + entries as usize * 2;
        let mut bytes = noise[..len].to_vec();
        bytes[..4].copy_from_slice(&entries.to_le_bytes());
        bytes[4..8].copy_from_slice(&edges.to_le_bytes());
        bytes[8..10].copy_from_slice(&roots.0.to_le_bytes());
        bytes[10..12].copy_from_slice(&roots.1.to_le_bytes());
        bytes[12..32].fill(0);
        exercise_vocabulary(Vocabulary::new_unverified(&bytes).expect("the lengths are right"), &text);
        prop_assert!(Vocabulary::new(&bytes).is_err());
    }
}

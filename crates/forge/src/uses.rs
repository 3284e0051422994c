//! Everything that an opened file offers, used; what is promised about it, checked.

use distil_format::{
    Artifact, MAX_PIECE_BYTES, SectionKind, TensorData, Vocabulary, build_vocabulary, data_len, scales_len, write,
};

/// Uses everything. `verified` says that the file was opened in full, not by its structure alone.
///
/// # Panics
/// If a promise is broken.
pub fn use_all(artifact: &Artifact<'_>, verified: bool) {
    let config = artifact.config();
    assert_eq!(config.validate(), Ok(()));
    assert_eq!(artifact.tensors().count(), config.tensor_count());
    let start = artifact.bytes().as_ptr().addr();
    for tensor in artifact.tensors() {
        assert!(artifact.tensor(tensor.id.role, tensor.id.layer).is_some_and(|other| other.id == tensor.id));
        assert_eq!((tensor.rows, tensor.cols), config.shape(tensor.id));
        let len = data_len(tensor.dtype, tensor.layout, tensor.rows, tensor.cols);
        assert_eq!(len, Some(tensor.data.len() as u64));
        assert_eq!(scales_len(tensor.dtype, tensor.layout, tensor.rows), Some(tensor.scales.len() as u64));
        assert_eq!(tensor.grouped().is_some(), tensor.dtype.group().is_some());
        assert!((tensor.data.as_ptr().addr() - start).is_multiple_of(64));
    }
    for label in 0..config.labels as usize {
        assert!(artifact.label(label).is_some());
    }
    assert_eq!(artifact.label(config.labels as usize), None);
    assert!(artifact.vocabulary().len() <= config.vocab_size as usize);
    assert!(artifact.manifest().len() < artifact.len());
    let sections: Vec<_> = artifact.sections().collect();
    assert_eq!(sections.len(), SectionKind::ALL.len());
    assert!(sections.is_sorted_by(|(_, a), (_, b)| a.end <= b.start));
    assert_eq!(sections.last().map(|(_, range)| range.end), Some(artifact.len()));
    use_vocabulary(artifact.vocabulary());
    if verified {
        let section = sections.iter().find(|(kind, _)| *kind == SectionKind::Vocabulary);
        repack(artifact.vocabulary(), &artifact.bytes()[section.expect("every file has it").1.clone()]);
    }
}

/// Looks up what is there and what is not.
fn use_vocabulary(vocabulary: Vocabulary<'_>) {
    const TEXTS: [&str; 4] = ["abbéé中b", "##b", "\u{10ffff}\0", "😀"];
    for text in TEXTS {
        for start in text.char_indices().map(|(at, _)| at) {
            for continuation in [false, true] {
                let rest = &text[start..];
                if let Some((id, len)) = vocabulary.longest_match(rest.as_bytes(), continuation) {
                    assert!((id as usize) < vocabulary.len());
                    assert!((1..=rest.len()).contains(&len) && rest.is_char_boundary(len));
                }
            }
        }
        assert!(vocabulary.get(text).is_none_or(|id| (id as usize) < vocabulary.len()));
    }
    let mut out = [0; 2 * MAX_PIECE_BYTES];
    let count = vocabulary.len() as u32;
    for id in (0..count.min(16)).chain([count - 1, count, u32::MAX]) {
        if let Some((text, _)) = vocabulary.piece(id, &mut out) {
            assert!(id < count && (1..=MAX_PIECE_BYTES).contains(&text.len()));
        }
    }
}

/// There is one way to pack a vocabulary, so an accepted section is that. (Ids that are not each number once, the exception
/// that SPEC.md names, have entries without an id.)
fn repack(vocabulary: Vocabulary<'_>, section: &[u8]) {
    let mut out = [0; MAX_PIECE_BYTES];
    let pieces = (0..vocabulary.len() as u32).map(|id| {
        let (text, continuation) = vocabulary.piece(id, &mut out)?;
        assert_eq!(vocabulary.longest_match(text.as_bytes(), continuation), Some((id, text.len())));
        Some(format!("{}{text}", if continuation { "##" } else { "" }))
    });
    if let Some(pieces) = pieces.collect::<Option<Vec<_>>>() {
        assert_eq!(build_vocabulary(&pieces).as_deref(), Ok(section));
    }
}

/// The file written again from what was read of it.
///
/// # Panics
/// If the writer refuses what the reader accepted.
pub fn rewritten(artifact: &Artifact<'_>) -> Vec<u8> {
    let tensors = artifact.tensors().map(|tensor| TensorData {
        id: tensor.id,
        dtype: tensor.dtype,
        layout: tensor.layout,
        data: tensor.data.to_vec(),
        scales: tensor.scales.to_vec(),
    });
    let labels: Vec<String> =
        (0..artifact.config().labels as usize).filter_map(|i| artifact.label(i)).map(str::to_owned).collect();
    let section = artifact.sections().find(|(kind, _)| *kind == SectionKind::Vocabulary).expect("every file has it").1;
    let vocabulary = &artifact.bytes()[section];
    write(artifact.config(), tensors.collect(), vocabulary, &labels, artifact.manifest())
        .expect("the writer takes what the reader takes")
}

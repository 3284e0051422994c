//! The rows that belong to entries, and dropping them.

use std::collections::HashMap;

use distil_format::Artifact;

use crate::error::Error;
use crate::hf::{self, HeadWeights, Model, SpecialIds, Tensor};
use crate::pack::Manifest;
use crate::unpack;

/// Keeps the entries `ids`, which ascend and have the special tokens among them, with their rows in everything that has a
/// row or a value for each.
pub(super) fn keep(model: &mut Model, vocabulary: &mut hf::Vocabulary, ids: &[usize]) {
    vocabulary.pieces = ids.iter().map(|&id| std::mem::take(&mut vocabulary.pieces[id])).collect();
    let new = |id: u32| ids.binary_search(&(id as usize)).expect("special tokens are kept") as u32;
    let SpecialIds { pad, unk, cls, sep, mask } = vocabulary.special;
    vocabulary.special = SpecialIds { pad: new(pad), unk: new(unk), cls: new(cls), sep: new(sep), mask: new(mask) };
    keep_rows(model, ids);
}

fn keep_rows(model: &mut Model, ids: &[usize]) {
    let word = &mut model.weights.word;
    word.data = ids.iter().flat_map(|&id| &word.data[id * word.cols..(id + 1) * word.cols]).copied().collect();
    word.rows = ids.len();
    if let HeadWeights::MaskedLm { bias, .. } = &mut model.weights.head {
        let Tensor { data, cols, .. } = bias;
        *data = ids.iter().map(|&id| data[id]).collect();
        *cols = ids.len();
    }
    model.config.vocab_size = ids.len();
}

/// Drops from the original what `artifact` was packed without, so that the two can be compared row by row. Does nothing for
/// a file with its whole vocabulary.
///
/// # Errors
/// If the folder's vocabulary does not have the file's entries.
pub fn follow(original: &mut Model, artifact: &Artifact<'_>) -> Result<(), Error> {
    let kept = Manifest::from_cbor(artifact.manifest()).is_ok_and(|manifest| manifest.kept_vocabulary.is_some());
    if !kept {
        return Ok(());
    }
    let vocabulary = original.vocabulary(None)?;
    let known: HashMap<&str, usize> =
        vocabulary.pieces.iter().enumerate().map(|(id, piece)| (&piece[..], id)).collect();
    let pieces = unpack::pieces(artifact.vocabulary())?;
    let ids = pieces.iter().map(|piece| {
        known.get(&piece[..]).copied().ok_or_else(|| {
            let message = format!("{}: no entry `{piece}` in its vocabulary", original.folder.display());
            Error::usage(message, "give the folder that the file was packed from")
        })
    });
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    keep_rows(original, &ids);
    Ok(())
}

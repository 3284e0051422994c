//! The entries of a packed vocabulary as the lines of a `vocab.txt`.

use distil_format::{MAX_PIECE_BYTES, Vocabulary};

use super::unsaid;
use crate::error::Error;

/// Every entry, by id, with `##` where it continues a word.
///
/// # Errors
/// If an entry cannot be told from another one, or from two, in a `vocab.txt`.
pub fn pieces(vocabulary: Vocabulary<'_>) -> Result<Vec<String>, Error> {
    let pieces = all(vocabulary).ok_or_else(|| unsaid("this vocabulary (its ids are not 0, 1, 2, ...)"))?;
    for (id, (piece, continues)) in pieces.iter().enumerate() {
        let ambiguous = !continues && piece.starts_with("##") && piece.len() > 2;
        if piece.contains('\n') || piece.ends_with('\r') || ambiguous {
            return Err(unsaid(&format!("the vocabulary entry {piece:?} (id {id})")));
        }
    }
    Ok(pieces.into_iter().map(|(piece, continues)| if continues { format!("##{piece}") } else { piece }).collect())
}

/// Every entry without its `##` and whether it continues a word, by id. `None` if two have the same id.
fn all(vocabulary: Vocabulary<'_>) -> Option<Vec<(String, bool)>> {
    let mut pieces = vec![None; vocabulary.len()];
    let mut buffer = [0; MAX_PIECE_BYTES];
    for index in 0..vocabulary.len() {
        let (id, piece, continues) = vocabulary.entry(index, &mut buffer)?;
        *pieces.get_mut(id as usize)? = Some((piece.to_owned(), continues));
    }
    pieces.into_iter().collect()
}

//! Builds a vocabulary section from the lines of `vocab.txt`.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::block::{BLOCK_EDGES, BLOCK_LEN};
use super::{MAX_EDGES, MAX_PIECE_BYTES, MAX_SHORT_IDS, ROOTS_LEN, VocabularyHeader, split_prefix};
use crate::write::WriteError;

/// An entry, in the order in which the trie is built.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Piece<'a> {
    continuation: bool,
    text: &'a [u8],
    id: u32,
}

/// An edge of the trie.
struct Edge {
    label: u8,
    is_first: bool,
    ends: bool,
    /// Where its children start; 0 if it has none.
    children: u32,
}

/// Packs a vocabulary: entry i of `pieces` gets id i. Entries are written as in BERT's `vocab.txt`: those that continue a word begin with `##`; `##` alone starts a word.
///
/// # Errors
/// If there is no entry or more than 2^20, an entry is empty, longer than [`MAX_PIECE_BYTES`], or there twice.
pub fn build_vocabulary(pieces: &[impl AsRef<str>]) -> Result<Vec<u8>, WriteError> {
    if pieces.is_empty() || pieces.len() > crate::config::MAX_VOCABULARY as usize {
        return Err(WriteError::PieceCount(pieces.len()));
    }
    let mut sorted = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        let (text, continuation) = split_prefix(piece.as_ref());
        if text.is_empty() {
            return Err(WriteError::EmptyPiece { index });
        }
        if text.len() > MAX_PIECE_BYTES {
            return Err(WriteError::LongPiece { index });
        }
        sorted.push(Piece { continuation, text: text.as_bytes(), id: index as u32 });
    }
    sorted.sort_unstable();
    for pair in sorted.windows(2) {
        if pair[0].continuation == pair[1].continuation && pair[0].text == pair[1].text {
            return Err(WriteError::RepeatedPiece { first: pair[0].id as usize, second: pair[1].id as usize });
        }
    }
    let words = sorted.partition_point(|piece| !piece.continuation);
    let (edges, ids, root_edges) = level_order(&sorted, words);
    if edges.len() > MAX_EDGES as usize {
        return Err(WriteError::VocabularyTooLarge);
    }
    Ok(encode(&edges, &ids, root_edges))
}

/// The trie's edges level by level, the ids of the entries in the order of their edges, and the number of edges of each root.
fn level_order(sorted: &[Piece<'_>], words: usize) -> (Vec<Edge>, Vec<u32>, [usize; 2]) {
    let mut edges: Vec<Edge> = Vec::new();
    let mut ids = Vec::new();
    let mut root_edges = [0; 2];
    // Nodes to visit: the entries below, how many bytes of them lie above, the edge that leads here (none for a root).
    let mut nodes = VecDeque::from([(0..words, 0, None), (words..sorted.len(), 0, None)]);
    let mut roots = root_edges.iter_mut();
    while let Some((range, depth, above)) = nodes.pop_front() {
        let start = edges.len();
        if let Some(above) = above {
            let above: &mut Edge = &mut edges[above];
            above.children = start as u32;
        }
        let mut rest = range.start;
        while rest < range.end {
            let label = sorted[rest].text[depth];
            let end = rest + sorted[rest..range.end].partition_point(|piece| piece.text[depth] == label);
            let ends = sorted[rest].text.len() == depth + 1;
            if ends {
                ids.push(sorted[rest].id);
            }
            let below = rest + usize::from(ends)..end;
            if !below.is_empty() {
                nodes.push_back((below, depth + 1, Some(edges.len())));
            }
            edges.push(Edge { label, is_first: edges.len() == start, ends, children: 0 });
            rest = end;
        }
        if let (None, Some(root)) = (above, roots.next()) {
            *root = edges.len() - start;
        }
    }
    (edges, ids, root_edges)
}

fn encode(edges: &[Edge], ids: &[u32], root_edges: [usize; 2]) -> Vec<u8> {
    let header = VocabularyHeader {
        entries: ids.len() as u32,
        edges: edges.len() as u32,
        word_edges: root_edges[0] as u16,
        continuation_edges: root_edges[1] as u16,
        reserved: [0; 20],
    };
    let mut bytes = header.encode().to_vec();
    let mut roots = [0; ROOTS_LEN];
    for (number, edge) in edges.iter().enumerate().take(root_edges[0] + root_edges[1]) {
        let table = usize::from(number >= root_edges[0]) * 256;
        let entry = (number as u32 + 1) | edge.children << 10;
        let at = (table + usize::from(edge.label)) * 4;
        roots[at..at + 4].copy_from_slice(&entry.to_le_bytes());
    }
    bytes.extend(roots);
    // From the back, so that a block whose edges have no children gets the place that the next block's start at.
    let mut firsts = Vec::new();
    let mut first_child = edges.len() as u32;
    for block in edges.chunks(BLOCK_EDGES as usize).rev() {
        first_child = block.iter().map(|edge| edge.children).find(|&children| children != 0).unwrap_or(first_child);
        firsts.push(first_child);
    }
    let mut ends_before = 0;
    for (block, first_child) in edges.chunks(BLOCK_EDGES as usize).zip(firsts.into_iter().rev()) {
        let bits =
            |of: fn(&Edge) -> bool| (0..).zip(block).fold(0_u64, |bits, (at, edge)| bits | u64::from(of(edge)) << at);
        let ends = bits(|edge| edge.ends);
        let mut starts = bits(|edge| edge.is_first);
        if block.len() < BLOCK_EDGES as usize {
            starts |= 1 << block.len();
        }
        let start = bytes.len();
        bytes.extend(block.iter().map(|edge| edge.label));
        bytes.resize(start + BLOCK_EDGES as usize, 0);
        bytes.extend(bits(|edge| edge.children != 0).to_le_bytes());
        bytes.extend(starts.to_le_bytes());
        bytes.extend(ends.to_le_bytes());
        bytes.extend(first_child.to_le_bytes());
        bytes.extend(u32::to_le_bytes(ends_before));
        debug_assert_eq!(bytes.len() - start, BLOCK_LEN);
        ends_before += ends.count_ones();
    }
    for &id in ids {
        if ids.len() <= MAX_SHORT_IDS as usize {
            bytes.extend((id as u16).to_le_bytes());
        } else {
            bytes.extend(id.to_le_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::{Vocabulary, VocabularyError};
    use std::string::String;

    /// The builder refuses such entries; a forged file may still have them.
    #[test]
    fn a_trie_that_is_too_deep_is_refused() {
        for (len, expected) in [(MAX_PIECE_BYTES, Ok(1)), (MAX_PIECE_BYTES + 1, Err(VocabularyError::TooLong))] {
            let text: String = core::iter::repeat_n('a', len).collect();
            let piece = Piece { continuation: false, text: text.as_bytes(), id: 0 };
            let (edges, ids, root_edges) = level_order(&[piece], 1);
            let bytes = encode(&edges, &ids, root_edges);
            assert_eq!(Vocabulary::new(&bytes).map(|view| view.len()), expected);
        }
    }
}

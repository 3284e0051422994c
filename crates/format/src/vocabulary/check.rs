//! The proof that a vocabulary section is one well-formed trie. After it no walk leaves the section or goes on for ever, and every match ends between characters.

use super::block::BLOCK_EDGES;
use super::{MAX_PIECE_BYTES, Vocabulary, VocabularyError as Error};

/// A part of the proof.
pub(super) type Part = fn(&Vocabulary<'_>) -> Result<(), Error>;

/// The parts of the proof, in order; each trusts those before it.
pub(super) const PARTS: [Part; 5] = [check_levels, check_roots, check_prefix, check_text, check_ids];

/// One pass over all edges, claiming groups of siblings in order: each group belongs to one edge before it.
fn check_levels(view: &Vocabulary<'_>) -> Result<(), Error> {
    // The roots' groups come first.
    let mut group = 0;
    for edges in view.root_edges {
        if edges > 0 {
            if !is_first(view, group) || next_first(view, group + 1) != group + edges {
                return Err(Error::Structure);
            }
            group += edges;
        }
    }
    if group == 0 {
        return Err(Error::Structure);
    }
    let mut level_end = group;
    let mut depth = 1;
    let mut ends = 0;
    let mut last_label = 0;
    for (number, bytes) in (0..).zip(view.blocks) {
        let block = super::Block(bytes);
        if block.first_child() != group || block.ends_before() != ends {
            return Err(Error::Directory);
        }
        let first = number * BLOCK_EDGES;
        let used = (view.edges - first).min(BLOCK_EDGES);
        for (edge, &label) in (first..).zip(block.labels()) {
            let bit = |word: u64| (word >> (edge % BLOCK_EDGES)) & 1 != 0;
            if edge - first >= used {
                // After the last edge: a closing bit, then nothing.
                let closes = edge == view.edges;
                if label != 0 || bit(block.parents()) || bit(block.ends_mask()) || bit(block.firsts()) != closes {
                    return Err(Error::Structure);
                }
                continue;
            }
            if edge == level_end {
                level_end = group;
                depth += 1;
                if depth > MAX_PIECE_BYTES {
                    return Err(Error::TooLong);
                }
            }
            if !bit(block.firsts()) && label <= last_label {
                return Err(Error::Order);
            }
            last_label = label;
            if bit(block.parents()) {
                // Children come later in the file, so every walk ends.
                if group <= edge || group >= view.edges {
                    return Err(Error::Structure);
                }
                group = next_first(view, group + 1);
            } else if !bit(block.ends_mask()) {
                // A dead end.
                return Err(Error::Structure);
            }
        }
        ends += block.ends_mask().count_ones();
    }
    if group != view.edges || ends != view.entries {
        return Err(Error::Structure);
    }
    Ok(())
}

fn is_first(view: &Vocabulary<'_>, edge: u32) -> bool {
    view.block(edge).is_some_and(|block| (block.firsts() >> (edge % BLOCK_EDGES)) & 1 != 0)
}

/// The first of siblings at or after `edge`; the number of edges when there is none.
fn next_first(view: &Vocabulary<'_>, edge: u32) -> u32 {
    let mut edge = edge;
    while let Some(block) = view.block(edge) {
        let firsts = block.firsts() >> (edge % BLOCK_EDGES);
        if firsts != 0 {
            return (edge + firsts.trailing_zeros()).min(view.edges);
        }
        edge += BLOCK_EDGES - edge % BLOCK_EDGES;
    }
    view.edges
}

/// The root tables say what the trie says.
fn check_roots(view: &Vocabulary<'_>) -> Result<(), Error> {
    let mut first = 0;
    for (table, edges) in view.roots.chunks(256).zip(view.root_edges) {
        let used = table.iter().filter(|entry| **entry != [0; 4]).count();
        if used != edges as usize {
            return Err(Error::Roots);
        }
        for edge in first..first + edges {
            let block = view.block(edge).ok_or(Error::Roots)?;
            let label = block.label(edge % BLOCK_EDGES);
            let expected = (edge + 1) | view.children(edge) << 10;
            if table.get(usize::from(label)) != Some(&expected.to_le_bytes()) {
                return Err(Error::Roots);
            }
        }
        first += edges;
    }
    Ok(())
}

/// No entry that starts a word goes on after `##`: it would have the name of one that continues a word.
fn check_prefix(view: &Vocabulary<'_>) -> Result<(), Error> {
    let second = view.root(b'#', false).and_then(|(_, children)| view.find(children, b'#').filter(|_| children != 0));
    match second {
        Some((edge, _)) if view.children(edge) != 0 => Err(Error::Prefix),
        _ => Ok(()),
    }
}

/// Entries are UTF-8: below every leading byte there are only the continuation bytes that may follow it, no entry ends inside a character, and no continuation byte is anywhere else.
fn check_text(view: &Vocabulary<'_>) -> Result<(), Error> {
    let mut continuations = 0_u32;
    let mut reached = 0_u32;
    for (number, bytes) in (0..).zip(view.blocks) {
        let block = super::Block(bytes);
        let first = number * BLOCK_EDGES;
        for (edge, &label) in (first..view.edges).zip(block.labels()) {
            // What may follow (Unicode, table 3-7): the second byte's bounds and the number of bytes after it.
            let (low, high, more) = match label {
                0..=0x7F => continue,
                0x80..=0xBF => {
                    continuations += 1;
                    continue;
                }
                0xC2..=0xDF => (0x80, 0xBF, 0),
                0xE0 => (0xA0, 0xBF, 1),
                0xED => (0x80, 0x9F, 1),
                0xE1..=0xEF => (0x80, 0xBF, 1),
                0xF0 => (0x90, 0xBF, 2),
                0xF4 => (0x80, 0x8F, 2),
                0xF1..=0xF3 => (0x80, 0xBF, 2),
                _ => return Err(Error::Utf8),
            };
            reached += check_character(view, edge, low, high, more)?;
        }
    }
    if reached != continuations {
        return Err(Error::Utf8);
    }
    Ok(())
}

/// Checks the bytes of a character below `edge`; gives their number. At most three levels deep.
fn check_character(view: &Vocabulary<'_>, edge: u32, low: u8, high: u8, more: u32) -> Result<u32, Error> {
    let first = view.children(edge);
    if view.ends(edge) || first == 0 {
        return Err(Error::Utf8);
    }
    let after = next_first(view, first + 1);
    let mut reached = after - first;
    for child in first..after {
        let block = view.block(child).ok_or(Error::Utf8)?;
        if !(low..=high).contains(&block.label(child % BLOCK_EDGES)) {
            return Err(Error::Utf8);
        }
        if more > 0 {
            reached += check_character(view, child, 0x80, 0xBF, more - 1)?;
        }
    }
    Ok(reached)
}

/// Every id is in range, and their sum and the sum of their squares are those of each number once. That finds any single wrong id and any repeated one without memory for a list; it is
/// no proof against a forger, whose file would still only give ids in range.
fn check_ids(view: &Vocabulary<'_>) -> Result<(), Error> {
    let (mut sum, mut squares) = (0_u64, 0_u64);
    for index in 0..view.entries {
        let id = view.id_at(index as usize).ok_or(Error::Ids)?;
        if id >= view.entries {
            return Err(Error::Ids);
        }
        // At most 2^20 ids below 2^20: neither sum reaches 2^60.
        let id = u64::from(id);
        sum += id;
        squares += id * id;
    }
    let n = u64::from(view.entries);
    if sum != n * (n - 1) / 2 || squares != n * (n - 1) * (2 * n - 1) / 6 {
        return Err(Error::Ids);
    }
    Ok(())
}

//! The packed vocabulary: a byte trie that is searched in place.
//!
//! The trie is stored in level order with its branches as bits (a LOUDS trie; Jacobson 1989, and SuRF's sparse form, Zhang et al. 2018). It has two roots: entries that start a word,
//! and entries that continue one, stored without their `##`. An edge takes a byte for its label and three bits: whether the node below it has children, whether it is the first of
//! its siblings, whether an entry ends there. 64 edges and two counts make a [block](block::Block); the children of a block's edges lie one after the other from the place that the
//! block names, so a step down is one bit count and a short search for the n-th set bit. A table per root leads from the first byte straight to the second level.
//!
//! As in BERT's `vocab.txt`, an entry that begins with `##` and goes on continues a word. The entry `##` alone starts one, as BERT has it.

mod block;
#[cfg(feature = "alloc")]
mod build;
mod check;
mod error;

use core::fmt;

use crate::record::record;
use block::{BLOCK_EDGES, BLOCK_LEN, Block, Selected, select};
#[cfg(feature = "alloc")]
pub use build::build_vocabulary;
pub use error::VocabularyError;

/// Longest entry in bytes, without `##`.
pub const MAX_PIECE_BYTES: usize = 256;
/// Most edges of a trie: a root table's entry has 22 bits for the place of an edge's children.
pub(crate) const MAX_EDGES: u32 = (1 << 22) - 1;
/// The largest vocabulary whose ids are stored in 2 bytes.
const MAX_SHORT_IDS: u32 = 1 << 16;

record! {
    /// The start of the vocabulary section.
    struct VocabularyHeader = 32 {
        entries: u32,
        edges: u32,
        word_edges: u16,
        continuation_edges: u16,
        reserved: [u8; 20],
    }
}

/// Both root tables: for each first byte, 10 bits of edge number plus one (0: none) and 22 bits of the place of its children (0: none).
const ROOTS_LEN: usize = 2 * 256 * 4;

/// Most blocks that the edges from one node, 256 at most, lie in.
const NODE_BLOCKS: u32 = 256 / BLOCK_EDGES + 1;
/// Most blocks that the children of one block's edges lie in.
const CHILD_BLOCKS: u32 = 256 + 1;

/// A vocabulary. It borrows the bytes; copying it is cheap.
///
/// Lookups end and stay inside the section whatever its bytes are; that they give what was packed is what [`Vocabulary::verify`] proves.
#[derive(Clone, Copy)]
pub struct Vocabulary<'a> {
    entries: u32,
    edges: u32,
    /// Edges of the two roots.
    root_edges: [u32; 2],
    roots: &'a [[u8; 4]],
    blocks: &'a [[u8; BLOCK_LEN]],
    ids: &'a [u8],
}

impl<'a> Vocabulary<'a> {
    /// Checks a vocabulary section and gives the view of it.
    ///
    /// # Errors
    /// The first rule of SPEC.md that the section breaks.
    pub fn new(bytes: &'a [u8]) -> Result<Self, VocabularyError> {
        let view = Self::new_unverified(bytes)?;
        view.verify()?;
        Ok(view)
    }

    /// Checks the entries: that the section is one well-formed trie, its texts UTF-8 and its ids each number once.
    ///
    /// # Errors
    /// The first rule of SPEC.md that the section breaks.
    pub fn verify(&self) -> Result<(), VocabularyError> {
        check::PARTS.iter().try_for_each(|part| part(self))
    }

    /// One part of [`Vocabulary::verify`], counted from 0, for who checks a little at a time; `None` if there is no such part. Parts after one that failed are not to be asked for.
    pub(crate) fn verify_part(&self, part: usize) -> Option<Result<(), VocabularyError>> {
        check::PARTS.get(part).map(|part| part(self))
    }

    /// Cuts a vocabulary section into its parts and checks their lengths alone, for a section that was verified before. If it would not pass [`Vocabulary::verify`], what a lookup finds is
    /// unspecified, but ids are still less than [`Vocabulary::len`], and lengths in bytes at least 1, within the text and between characters.
    ///
    /// # Errors
    /// A length or count that SPEC.md does not allow.
    pub fn new_unverified(bytes: &'a [u8]) -> Result<Self, VocabularyError> {
        let (header, rest) = bytes.split_first_chunk::<{ VocabularyHeader::LEN }>().ok_or(VocabularyError::Length)?;
        let header = VocabularyHeader::decode(header);
        if header.reserved != [0; 20] {
            return Err(VocabularyError::Counts);
        }
        if !(1..=crate::config::MAX_VOCABULARY).contains(&header.entries)
            || !(1..=MAX_EDGES).contains(&header.edges)
            || header.word_edges > 256
            || header.continuation_edges > 256
        {
            return Err(VocabularyError::Counts);
        }
        let blocks_len = header.edges.div_ceil(BLOCK_EDGES) as usize * BLOCK_LEN;
        let id_len = if header.entries <= MAX_SHORT_IDS { 2 } else { 4 };
        let ids_len = header.entries as usize * id_len;
        let split = |bytes: &'a [u8], at| bytes.split_at_checked(at).ok_or(VocabularyError::Length);
        let (roots, rest) = split(rest, ROOTS_LEN)?;
        let (blocks, rest) = split(rest, blocks_len)?;
        let (ids, rest) = split(rest, ids_len)?;
        if !rest.is_empty() {
            return Err(VocabularyError::Length);
        }
        Ok(Self {
            entries: header.entries,
            edges: header.edges,
            root_edges: [header.word_edges.into(), header.continuation_edges.into()],
            roots: roots.as_chunks().0,
            blocks: blocks.as_chunks().0,
            ids,
        })
    }

    /// Number of entries; their ids are 0 to this minus one.
    #[expect(clippy::len_without_is_empty, reason = "a checked vocabulary has an entry")]
    pub fn len(&self) -> usize {
        self.entries as usize
    }

    /// The longest entry that `text` begins with: its id and its length in bytes. With `continuation`, among the entries that continue a word (their `##` is not in `text`), else among
    /// those that start one. `text` is UTF-8 (of other bytes, some are not matched), and the match ends between characters. One walk from the root.
    pub fn longest_match(&self, text: &[u8], continuation: bool) -> Option<(u32, usize)> {
        // No entry is longer; in a forged trie a walk could go on.
        let within = text.get(..MAX_PIECE_BYTES).unwrap_or(text);
        let (&first, rest) = within.split_first()?;
        let (edge, mut children) = self.root(first, continuation)?;
        let mut last = self.ends(edge).then_some((edge, 1));
        for (&byte, length) in rest.iter().zip(2..) {
            if children == 0 {
                break;
            }
            let Some((edge, block)) = self.find(children, byte) else {
                break;
            };
            if block.ends(edge % BLOCK_EDGES) {
                last = Some((edge, length));
            }
            children = self.children_in(&block, edge % BLOCK_EDGES);
        }
        let (edge, length) = last?;
        // Entries are whole characters, except in a forged trie.
        if text.get(length).is_some_and(|byte| byte & 0xC0 == 0x80) {
            return None;
        }
        Some((self.id(edge)?, length))
    }

    /// The id of an entry, written as in `vocab.txt` (with `##`).
    pub fn get(&self, piece: &str) -> Option<u32> {
        let (text, continuation) = split_prefix(piece);
        match self.longest_match(text.as_bytes(), continuation)? {
            (id, length) if length == text.len() => Some(id),
            _ => None,
        }
    }

    /// The entry of an id: its text, without `##`, and whether it continues a word. `None` if there is no such id or `out` is too small; [`MAX_PIECE_BYTES`] are enough.
    ///
    /// Slow (it searches all ids): for printing answers, not for tokenizing. For all entries see [`entry`](Self::entry).
    pub fn piece<'b>(&self, id: u32, out: &'b mut [u8]) -> Option<(&'b str, bool)> {
        self.text_of(self.edge_of_index(self.index_of_id(id)?)?, out)
    }

    /// The entry at a place in the order of the file, from 0 to [`len`](Self::len) minus one: its id, and the same as [`piece`](Self::piece) gives.
    pub fn entry<'b>(&self, index: usize, out: &'b mut [u8]) -> Option<(u32, &'b str, bool)> {
        let id = self.id_at(index)?;
        let (text, continuation) = self.text_of(self.edge_of_index(u32::try_from(index).ok()?)?, out)?;
        Some((id, text, continuation))
    }

    /// The bytes from the root to below `edge`, and whether the root is that of continuations.
    fn text_of<'b>(&self, mut edge: u32, out: &'b mut [u8]) -> Option<(&'b str, bool)> {
        let longest = out.len().min(MAX_PIECE_BYTES);
        let out = out.get_mut(..longest)?;
        let mut len = 0;
        // Towards the root, every step to a smaller edge; the text comes out backwards.
        loop {
            *out.get_mut(len)? = self.block(edge)?.label(edge % BLOCK_EDGES);
            len += 1;
            match self.parent(edge) {
                Some(parent) if parent < edge => edge = parent,
                _ => break,
            }
        }
        let text = out.get_mut(..len)?;
        text.reverse();
        let continuation = edge >= self.root_edges[0];
        Some((core::str::from_utf8(text).ok()?, continuation))
    }

    fn block(&self, edge: u32) -> Option<Block<'a>> {
        self.blocks.get((edge / BLOCK_EDGES) as usize).map(Block)
    }

    /// The root's edge for a first byte, and the place of its children (0: none).
    #[inline]
    fn root(&self, first: u8, continuation: bool) -> Option<(u32, u32)> {
        let entry = self.roots.get(usize::from(continuation) * 256 + usize::from(first))?;
        let entry = u32::from_le_bytes(*entry);
        Some(((entry & 0x3FF).checked_sub(1)?, entry >> 10))
    }

    /// Whether an entry ends at the node below `edge`.
    fn ends(&self, edge: u32) -> bool {
        self.block(edge).is_some_and(|block| block.ends(edge % BLOCK_EDGES))
    }

    /// The edge labelled `byte` among the siblings that start at `start`, and its block.
    #[inline]
    fn find(&self, start: u32, byte: u8) -> Option<(u32, Block<'a>)> {
        let mut start = start;
        let mut block = self.block(start)?;
        // Bit n: the edge n + 1 after the start is the first of the next siblings.
        let mut next = block.firsts() >> (start % BLOCK_EDGES) >> 1;
        for _ in 0..NODE_BLOCKS {
            let from = start % BLOCK_EDGES;
            let count = if next == 0 { BLOCK_EDGES - from } else { next.trailing_zeros() + 1 };
            if let Some(at) = block.position(from, count, byte) {
                return Some((start + at, block));
            }
            if next != 0 {
                return None;
            }
            // The siblings go on in the next block, unless others begin there.
            start += count;
            block = self.block(start)?;
            let firsts = block.firsts();
            if firsts & 1 != 0 {
                return None;
            }
            next = firsts >> 1;
        }
        None
    }

    /// Where the children of `block`'s edge number `within` start (0: it has none).
    #[inline]
    fn children_in(&self, block: &Block<'_>, within: u32) -> u32 {
        let parents = block.parents();
        if (parents >> within) & 1 == 0 {
            return 0;
        }
        let before = (parents & ((1 << within) - 1)).count_ones();
        self.nth_group(block.first_child(), before).unwrap_or(0)
    }

    /// Where the children of `edge` start (0: it has none).
    fn children(&self, edge: u32) -> u32 {
        self.block(edge).map_or(0, |block| self.children_in(&block, edge % BLOCK_EDGES))
    }

    /// Start of the group of siblings number `n` from the one that starts at `from`.
    #[inline]
    fn nth_group(&self, from: u32, mut n: u32) -> Option<u32> {
        let mut start = from - from % BLOCK_EDGES;
        let mut firsts = self.block(start)?.firsts() & (u64::MAX << (from % BLOCK_EDGES));
        for _ in 0..CHILD_BLOCKS {
            match select(firsts, n) {
                Selected::At(bit) => return Some(start + bit),
                Selected::Fewer(ones) => n -= ones,
            }
            start += BLOCK_EDGES;
            firsts = self.block(start)?.firsts();
        }
        None
    }

    /// The id of the entry that ends below `edge`.
    fn id(&self, edge: u32) -> Option<u32> {
        let block = self.block(edge)?;
        let below = block.ends_mask() & ((1 << (edge % BLOCK_EDGES)) - 1);
        let id = self.id_at(block.ends_before().checked_add(below.count_ones())? as usize)?;
        (id < self.entries).then_some(id)
    }

    fn id_at(&self, index: usize) -> Option<u32> {
        if self.entries <= MAX_SHORT_IDS {
            let (ids, _) = self.ids.as_chunks::<2>();
            ids.get(index).map(|&id| u16::from_le_bytes(id).into())
        } else {
            let (ids, _) = self.ids.as_chunks::<4>();
            ids.get(index).map(|&id| u32::from_le_bytes(id))
        }
    }

    fn index_of_id(&self, id: u32) -> Option<u32> {
        // A forged list may hold numbers that are no ids.
        let id = (id < self.entries).then_some(id)?;
        (0..self.entries).find(|&index| self.id_at(index as usize) == Some(id))
    }

    /// The edge below which the entry number `index` ends.
    fn edge_of_index(&self, index: u32) -> Option<u32> {
        let after = self.blocks.partition_point(|block| Block(block).ends_before() <= index);
        let number = after.checked_sub(1)?;
        let block = Block(self.blocks.get(number)?);
        match select(block.ends_mask(), index.checked_sub(block.ends_before())?) {
            Selected::At(bit) => Some(number as u32 * BLOCK_EDGES + bit),
            Selected::Fewer(_) => None,
        }
    }

    /// The edge above `edge`; `None` for a root's.
    fn parent(&self, edge: u32) -> Option<u32> {
        if edge < self.root_edges[0] + self.root_edges[1] {
            return None;
        }
        let after = self.blocks.partition_point(|block| Block(block).first_child() <= edge);
        let number = after.checked_sub(1)?;
        let block = Block(self.blocks.get(number)?);
        // Groups of siblings from the block's first children to the one that `edge` is in.
        let mut groups = 0;
        let mut start = block.first_child();
        while start <= edge {
            let mut mask = u64::MAX << (start % BLOCK_EDGES);
            let end = start - start % BLOCK_EDGES + BLOCK_EDGES;
            if edge < end {
                mask &= u64::MAX >> (BLOCK_EDGES - 1 - edge % BLOCK_EDGES);
            }
            groups += (self.block(start)?.firsts() & mask).count_ones();
            start = end;
        }
        match select(block.parents(), groups.checked_sub(1)?) {
            Selected::At(bit) => Some(number as u32 * BLOCK_EDGES + bit),
            Selected::Fewer(_) => None,
        }
    }
}

impl fmt::Debug for Vocabulary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary").field("entries", &self.entries).field("edges", &self.edges).finish_non_exhaustive()
    }
}

/// An entry of `vocab.txt` as text and whether it continues a word. `##` alone does not.
fn split_prefix(piece: &str) -> (&str, bool) {
    match piece.strip_prefix("##") {
        Some(text) if !text.is_empty() => (text, true),
        _ => (piece, false),
    }
}

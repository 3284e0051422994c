//! A small model and its file, made of patterned numbers.
#![allow(dead_code, reason = "every test program uses another part of this module")]

use std::path::PathBuf;

use distil_format::{
    Architecture, Config, Dtype, Head, Layout, Pooling, Problem, Role, RoleKind, TensorData, TensorId,
    build_vocabulary, data_len, elements_len, scales_len, write, xxh32,
};

/// Entries of the small vocabulary: special tokens, prefixes of each other, continuations, accents, CJK, an emoji.
pub(crate) const PIECES: &[&str] = &[
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "an", "and", "ant", "##t", "##ts", "##d", "##", "#", "é", "ét",
    "中", "##中", "中国", "😀", "un", "##believ", "##able",
];

/// A model with odd sizes: nothing is a multiple of a tile.
pub(crate) fn config(head: Head) -> Config {
    Config {
        architecture: Architecture::Bert,
        hidden: 6,
        layers: 1,
        heads: 2,
        intermediate: 9,
        vocab_size: PIECES.len() as u32 + 2,
        max_positions: 5,
        type_vocab: 2,
        layer_norm_eps: 1e-12,
        head,
        pooling: Pooling::Mean,
        normalize: true,
        labels: if head.has_labels() { 3 } else { 0 },
        problem: Problem::SingleLabel,
        lowercase: true,
        strip_accents: true,
        split_cjk: true,
        pad_id: 0,
        unk_id: 1,
        cls_id: 2,
        sep_id: 3,
        mask_id: 4,
    }
}

/// Small numbers that follow no period of the layouts.
fn pattern(i: usize, salt: usize) -> i8 {
    ((i * 31 + salt * 17) % 251) as i8 % 127
}

/// Where SPEC.md puts an int4 element: its byte, and how far its nibble is shifted.
fn nibble(layout: Layout, group: usize, cols: usize, row: usize, col: usize) -> (usize, usize) {
    let padded = cols.next_multiple_of(group);
    match layout.tile() {
        None => (row * (padded / 2) + col / 32 * 16 + col % 16, 4 * (col % 32 / 16)),
        Some((rows, width)) => {
            let piece = row / rows * (padded / (2 * width)) + col / (2 * width);
            (piece * 64 + row % rows * width + col % width, 4 * (col / width % 2))
        }
    }
}

/// Where SPEC.md puts the bits 1, 2 and 3 of an int3 element whose int4 byte would be `at`: byte, bit, and place in
/// the nibble.
fn three_bits(layout: Layout, at: usize) -> [(usize, usize, usize); 3] {
    let p = if layout == Layout::RowMajor { 16 } else { 64 };
    let (start, j, quarter) = (at / p * (p / 4 * 3), at % p, p / 4);
    [1, 2, 3].map(|bit| {
        if j < 3 * quarter { (start + j, bit, bit) } else { (start + (3 - bit) * quarter + j % quarter, bit, 0) }
    })
}

/// Where SPEC.md puts an element of another type, in elements.
fn place(layout: Layout, dtype: Dtype, cols: usize, row: usize, col: usize) -> usize {
    match (layout.tile(), dtype) {
        (None, _) => row * cols + col,
        (Some((rows, width)), Dtype::Int8) => {
            (row / rows * cols.div_ceil(width) + col / width) * 64 + row % rows * width + col % width
        }
        (Some(_), _) => (row / 16) * cols * 16 + col * 16 + row % 16,
    }
}

/// A tensor of patterned values, correct in lengths and padding.
pub(crate) fn tensor(config: &Config, id: TensorId, dtype: Dtype, layout: Layout) -> TensorData {
    let (rows, cols) = config.shape(id);
    let len = data_len(dtype, layout, rows, cols).expect("a small tensor") as usize;
    let mut data = vec![0; len];
    let salt = usize::from(id.role.code()) + id.layer as usize;
    for row in 0..rows {
        for col in 0..cols {
            let value = pattern(row * cols + col, salt);
            if let Some(group) = dtype.group() {
                let (at, shift) = nibble(layout, group, cols, row, col);
                if dtype == Dtype::Int3G32 {
                    for (at, bit, place) in three_bits(layout, at) {
                        data[at] |= (value as u8 >> bit & 1) << (shift + place);
                    }
                    continue;
                }
                data[at] |= (value as u8 & 15) << shift;
                continue;
            }
            let at = place(layout, dtype, cols, row, col);
            match dtype {
                Dtype::F32 => {
                    data[at * 4..at * 4 + 4].copy_from_slice(&(f32::from(value) / 64.0).to_le_bytes());
                }
                // 1 + value/1024: the value's bits are the mantissa.
                Dtype::F16 => {
                    data[at * 2..at * 2 + 2].copy_from_slice(&(0x3C00 | u16::from(value.unsigned_abs())).to_le_bytes())
                }
                _ => data[at] = value as u8,
            }
        }
    }
    if let Some(group) = dtype.group() {
        let factors = elements_len(dtype, layout, rows, cols).expect("a small tensor") as usize;
        let groups = cols.div_ceil(group);
        for (at, factor) in data[factors..].iter_mut().enumerate() {
            let (row, group) = match layout.tile() {
                None => (at / groups, at % groups),
                Some(_) => (at / 16 / groups * 16 + at % 16, at / 16 % groups),
            };
            *factor = if row < rows { 1 + ((row * 7 + group * 3 + salt) % 15) as u8 } else { 1 };
        }
    }
    let scale_bytes = scales_len(dtype, layout, rows).expect("a small tensor") as usize;
    let scales = (0..scale_bytes / 2)
        .flat_map(|row| (if row < rows { 0x3C00 + (row % 1024) as u16 } else { 0x3F80_u16 }).to_le_bytes())
        .collect();
    TensorData { id, dtype, layout, data, scales }
}

/// How a file's tensors are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stored {
    /// Tables and matrices int8, biases f16.
    Int8,
    /// All f32.
    Float,
    /// All int4 or int3, in one layout.
    Int4(Dtype, Layout),
    /// Another type or layout for every matrix and table.
    Mixed,
}

/// All of them that a test goes through.
pub(crate) const STORED: [Stored; 8] = [
    Stored::Int8,
    Stored::Float,
    Stored::Int4(Dtype::Int4G32, Layout::Tile16),
    Stored::Int4(Dtype::Int4G64, Layout::Tile8),
    Stored::Int4(Dtype::Int4G32, Layout::Tile4),
    Stored::Int4(Dtype::Int3G32, Layout::Tile16),
    Stored::Int4(Dtype::Int3G32, Layout::Tile4),
    Stored::Mixed,
];

impl Stored {
    fn of(self, role: Role) -> (Dtype, Layout) {
        let (kind, at) = (role.kind(), usize::from(role.code()));
        match (self, kind) {
            (_, RoleKind::Norm) | (Self::Float, RoleKind::Bias | RoleKind::Table) => (Dtype::F32, Layout::RowMajor),
            (_, RoleKind::Bias) => (Dtype::F16, Layout::RowMajor),
            (Self::Float, RoleKind::Matrix) => (Dtype::F32, Layout::Tile16),
            (Self::Int8, RoleKind::Table) => (Dtype::Int8, Layout::RowMajor),
            (Self::Int8, RoleKind::Matrix) => (Dtype::Int8, Layout::Tile16),
            (Self::Int4(dtype, _), RoleKind::Table) => (dtype, Layout::RowMajor),
            (Self::Int4(dtype, layout), RoleKind::Matrix) => (dtype, layout),
            (Self::Mixed, RoleKind::Table) => {
                ([Dtype::Int8, Dtype::Int4G32, Dtype::Int4G64, Dtype::F32][at % 4], Layout::RowMajor)
            }
            (Self::Mixed, RoleKind::Matrix) => {
                let dtype = [Dtype::Int8, Dtype::Int4G32, Dtype::Int4G64][at / 2 % 3];
                (dtype, [Layout::Tile8, Layout::Tile4, Layout::Tile16][at % 3])
            }
        }
    }
}

/// All tensors.
pub(crate) fn tensors(config: &Config, stored: Stored) -> Vec<TensorData> {
    config
        .tensor_ids()
        .map(|id| {
            let (dtype, layout) = stored.of(id.role);
            tensor(config, id, dtype, layout)
        })
        .collect()
}

pub(crate) fn labels(config: &Config) -> Vec<String> {
    ["off", "", "größer"][..config.labels as usize].iter().map(|&label| label.to_owned()).collect()
}

/// A whole small file.
pub(crate) fn file(head: Head, stored: Stored) -> Vec<u8> {
    let config = config(head);
    let vocabulary = build_vocabulary(PIECES).expect("a good vocabulary");
    write(&config, tensors(&config, stored), &vocabulary, &labels(&config), b"\xa1\x61a\x01").expect("a good model")
}

/// Where the checksum is.
pub(crate) const CHECKSUM: std::ops::Range<usize> = 24..28;

/// Makes the checksum match.
pub(crate) fn fix(bytes: &mut [u8]) {
    bytes[CHECKSUM].fill(0);
    let checksum = xxh32(bytes, 0);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
}

/// The shared data beside the repository; `None`, said aloud, where there is none.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: shared data not found");
    None
}

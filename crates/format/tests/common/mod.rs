//! A small model and its file, made of patterned numbers.
#![allow(dead_code, reason = "every test program uses another part of this module")]

use std::path::PathBuf;

use distil_format::{
    Architecture, Config, Dtype, Head, Layout, Pooling, RoleKind, TensorData, TensorId, build_vocabulary, data_len,
    scales_len, write, xxh32,
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
        labels: if head == Head::SequenceClassification { 3 } else { 0 },
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

/// A tensor of patterned values, correct in lengths and padding.
pub(crate) fn tensor(config: &Config, id: TensorId, dtype: Dtype) -> TensorData {
    let (rows, cols) = config.shape(id);
    let layout = match id.role.kind() {
        RoleKind::Matrix => Layout::Tile16,
        _ => Layout::RowMajor,
    };
    let len = data_len(dtype, layout, rows, cols).expect("a small tensor") as usize;
    let mut data = vec![0; len];
    let salt = usize::from(id.role.code()) + id.layer as usize;
    for row in 0..rows {
        for col in 0..cols {
            let value = pattern(row * cols + col, salt);
            let at = match (layout, dtype) {
                (Layout::RowMajor, _) => row * cols + col,
                (Layout::Tile16, Dtype::Int8) => {
                    ((row / 16) * cols.div_ceil(4) + col / 4) * 64 + (row % 16) * 4 + col % 4
                }
                (Layout::Tile16, _) => (row / 16) * cols * 16 + col * 16 + row % 16,
            };
            match dtype {
                Dtype::Int8 => data[at] = value as u8,
                Dtype::F32 => {
                    data[at * 4..at * 4 + 4].copy_from_slice(&(f32::from(value) / 64.0).to_le_bytes());
                }
                // 1 + value/1024: the value's bits are the mantissa.
                Dtype::F16 => {
                    data[at * 2..at * 2 + 2].copy_from_slice(&(0x3C00 | u16::from(value.unsigned_abs())).to_le_bytes())
                }
            }
        }
    }
    let scale_bytes = scales_len(dtype, layout, rows).expect("a small tensor") as usize;
    let scales = (0..scale_bytes / 2)
        .flat_map(|row| (if row < rows { 0x3C00 + (row % 1024) as u16 } else { 0x3F80_u16 }).to_le_bytes())
        .collect();
    TensorData { id, dtype, layout, data, scales }
}

/// All tensors: int8 and f16 where allowed, or all f32.
pub(crate) fn tensors(config: &Config, float: bool) -> Vec<TensorData> {
    config
        .tensor_ids()
        .map(|id| {
            let dtype = match id.role.kind() {
                RoleKind::Table | RoleKind::Matrix if !float => Dtype::Int8,
                RoleKind::Bias if !float => Dtype::F16,
                _ => Dtype::F32,
            };
            tensor(config, id, dtype)
        })
        .collect()
}

pub(crate) fn labels(config: &Config) -> Vec<String> {
    ["off", "", "größer"][..config.labels as usize].iter().map(|&label| label.to_owned()).collect()
}

/// A whole small file.
pub(crate) fn file(head: Head, float: bool) -> Vec<u8> {
    let config = config(head);
    let vocabulary = build_vocabulary(PIECES).expect("a good vocabulary");
    write(&config, tensors(&config, float), &vocabulary, &labels(&config), b"\xa1\x61a\x01").expect("a good model")
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
